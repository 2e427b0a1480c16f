//! Which exchanges somebody asks for, and what a list says of each.

mod filter;
mod row;

#[cfg(feature = "cli")]
pub(crate) use self::filter::ago;
pub(crate) use self::{
    filter::{Filter, KeptFor, OutcomeIs, RouteIs, Since, StatusIs},
    row::Row,
};
