//! The limit of work that the conditions of rules may take for one request.

use std::cell::Cell;

/// How many bytes are compared in a unit, cautiously.
pub(super) const AT_ONCE: usize = 16;

/// What a request may spend on conditions, in units of about a nanosecond at worst. The same
/// request and rules always spend the same, so that chance selects nobody.
pub(super) const MOST: u32 = 1024 * 1024;

/// What regular expressions must leave, so that rules with plain conditions hold beside any
/// number of expressions.
const RESERVE: u32 = MOST / 8;

/// What regular expressions may spend.
pub(super) const EXPRESSIONS: u32 = MOST - RESERVE;

/// What a request has left. A condition that would take more is not evaluated, and its rule
/// does not match, whatever its other conditions are.
#[derive(Debug)]
pub(super) struct Work {
    left: Cell<u32>,
    /// Whether the current rule, or any rule, had too little.
    short: Cell<bool>,
    ever: Cell<bool>,
}

impl Default for Work {
    fn default() -> Self {
        Self::left(MOST)
    }
}

impl Work {
    pub(super) fn left(units: u32) -> Self {
        Self {
            left: Cell::new(units),
            short: Cell::new(false),
            ever: Cell::new(false),
        }
    }

    pub(super) fn is_left(&self) -> u32 {
        self.left.get()
    }

    /// Takes this much, or nothing if less is left.
    #[inline]
    pub(super) fn pay(&self, units: usize) -> bool {
        self.take(units, 0)
    }

    /// The same for a regular expression.
    #[cfg_attr(not(feature = "config"), allow(dead_code, reason = "there is none"))]
    pub(super) fn pay_expression(&self, units: usize) -> bool {
        self.take(units, RESERVE)
    }

    #[inline]
    fn take(&self, units: usize, keep: u32) -> bool {
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        match self.left.get().checked_sub(units) {
            Some(left) if left >= keep => {
                self.left.set(left);
                true
            }
            _ => {
                self.short.set(true);
                self.ever.set(true);
                false
            }
        }
    }

    /// Whether the last rule had too little. It resets the answer.
    #[inline]
    pub(super) fn was_short(&self) -> bool {
        self.short.get() && self.short.replace(false)
    }

    /// Whether any rule had too little.
    #[inline]
    pub(super) fn was_ever_short(&self) -> bool {
        self.ever.get()
    }
}
