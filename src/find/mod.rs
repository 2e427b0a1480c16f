//! Which exchanges somebody asks for, and what a list says of each.

mod filter;
mod row;

pub(crate) use self::{
    filter::{Filter, KeptFor, OutcomeIs, RouteIs, Since, StatusIs},
    row::Row,
};
