//! Rules as they are evaluated.

mod arrival;
mod node;
mod pending;
#[cfg(feature = "token")]
mod scope;
mod selected;
mod set;
mod spending;
mod watch;

pub(crate) use self::{
    arrival::{Arrival, Seen},
    pending::Pending,
    selected::{Admission, Hold, Selected, Shortage},
};
pub(super) use self::{
    node::{Node, Test},
    selected::{Overall, Terms},
    set::{Entry, Set, Window as Time, sample_of},
    spending::Spent,
    watch::{Needed, Needs},
};
#[cfg(feature = "token")]
pub(crate) use self::{
    scope::Scope,
    spending::{Window, second},
};
