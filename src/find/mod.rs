//! Which exchanges somebody asks for, and what a list says of each.

mod filter;
mod row;
mod value;

#[cfg(feature = "cli")]
pub(crate) use self::filter::{KeptFor, Moment, OutcomeIs, RouteIs, StatusIs, ago, pair};
pub(crate) use self::{filter::Filter, row::Row};
