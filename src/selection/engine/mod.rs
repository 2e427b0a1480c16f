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

#[cfg(feature = "token")]
pub(crate) use self::scope::Scope;
#[cfg(any(feature = "admin", feature = "token"))]
pub(crate) use self::spending::second;
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
