//! Rules as they are evaluated.

mod arrival;
mod entry;
mod node;
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
