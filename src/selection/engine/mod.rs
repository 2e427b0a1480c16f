//! Rules as they are evaluated.

mod arrival;
mod entry;
mod index;
mod node;
#[cfg(feature = "token")]
mod scope;
mod selected;
mod set;
mod spending;
mod waiting;
mod watch;

pub(crate) use self::{
    arrival::{Arrival, MAX_FACT_LEN, Seen},
    selected::{Admission, Hold, Selected, Shortage},
    set::Pending,
};
pub(super) use self::{
    entry::{Entry, Window as Time, sample_of},
    node::{Needs, Node, Test},
    selected::{Overall, Terms},
    set::Set,
    spending::Spent,
    watch::Needed,
};
#[cfg(feature = "token")]
pub(crate) use self::{
    scope::Scope,
    spending::{Window, second},
};
