use serde::{Deserialize, Serialize};

/// How much may be verbose. What is left out is not limited.
///
/// All of it is per instance: *n* instances may show *n* times as much. Seconds
/// are those since the start of the process, counted anew.
///
/// Where a live request is over the budget it is only recorded; where that is
/// over the budget, too, it is not selected. Both are counted in the status and
/// said in the exchange.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Budget {
    /// Requests that become live in a second, and as many again that are only
    /// recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_second: Option<u32>,
    /// Live requests at the same time, and as many again that are only recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_once: Option<u32>,
    /// Events that are shown in a second because their requests are live. The
    /// rest of a request that is over it is recorded only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events_per_second: Option<u32>,
    /// The size of these events, as they are encoded for recording. The event
    /// that reaches the limit is still shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_per_second: Option<u32>,
    /// Requests that are selected, live or recorded, over the life of the rule;
    /// after that it selects nothing. A rule of the same name and end goes on
    /// counting when rules are replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

impl Budget {
    /// What all rules together may show where nothing else is said: 100
    /// requests a second, 100 at once, 10,000 events and 4 MiB a second.
    #[must_use]
    pub fn overall() -> Self {
        Self {
            per_second: Some(100),
            at_once: Some(100),
            events_per_second: Some(10_000),
            bytes_per_second: Some(4 * 1024 * 1024),
            total: None,
        }
    }

    /// No limit of any kind.
    #[must_use]
    pub fn unlimited() -> Self {
        Self::default()
    }

    pub(super) fn is_unlimited(&self) -> bool {
        *self == Self::default()
    }
}
