//! The state that all handlers share.

use super::{attempts::Attempts, auth::Access};
use crate::{
    export::Memory,
    kit::DashcamHandle,
    selection::{RuleSlot, Rules},
};
use axum::extract::State;
use std::sync::{Arc, Mutex};

pub(super) struct Shared {
    pub(super) handle: DashcamHandle,
    pub(super) kept: Option<Memory>,
    pub(super) slot: RuleSlot,
    /// The rules in the slot; locked during every change.
    pub(super) own: Mutex<Rules>,
    pub(super) access: Access,
    pub(super) attempts: Attempts,
}

pub(super) type Ask = State<Arc<Shared>>;
