use serde::{Deserialize, Serialize};

/// Limits of what may be verbose. `None` is no limit.
///
/// Every limit is per instance: *n* instances may show *n* times as much. A second is a whole
/// second since the start of the process.
///
/// A live request that exceeds the budget is only recorded. If that exceeds the budget, too,
/// the request is not selected. The status counts both, and the exchange reports it.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Budget {
    /// The most requests that become live in a second, and as many again that are only
    /// recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_second: Option<u32>,
    /// The most live requests at the same time, and as many again that are only recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_once: Option<u32>,
    /// The most events in a second that are shown because their requests are live. A request
    /// that exceeds it is only recorded from then on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events_per_second: Option<u32>,
    /// The most bytes of these events in a second, as they are encoded for recording. The event
    /// that reaches the limit is still shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_per_second: Option<u32>,
    /// The most requests that are selected, live or recorded, over the life of the rule. A new
    /// rule of the same name and end continues the count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

impl Budget {
    /// Returns the default for all rules together: 100 requests a second, 100 at once, 10,000
    /// events and 4 MiB a second.
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

    /// Returns a budget without limits, the default of a single rule.
    #[must_use]
    pub fn unlimited() -> Self {
        Self::default()
    }

    pub(super) fn is_unlimited(&self) -> bool {
        *self == Self::default()
    }
}
