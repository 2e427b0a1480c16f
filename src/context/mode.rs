//! The mode of a request for the gate, and which layer did what in it: one word of bits.

/// What the gate does with events of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Mode(u32);

impl Mode {
    pub(crate) const NONE: Self = Self(0);
    /// Events are recorded.
    pub(crate) const RECORD: Self = Self(1);
    /// Verbose events and spans reach the service's output.
    pub(crate) const LIVE: Self = Self(1 << 1);
    /// The request has ended. Events from now on are late.
    pub(crate) const FINISHED: Self = Self(1 << 2);
    /// The gate looks at this request's events, even if only for decision points.
    pub(crate) const WATCHED: Self = Self(1 << 3);
    /// This thread sends recorded events through the subscriber again. It is never a request's own
    /// mode.
    pub(crate) const REPLAY: Self = Self(1 << 4);
    /// The events that the request's own rule names are recorded, too.
    pub(crate) const DEEP: Self = Self(1 << 5);
    /// The request was live, until a budget was used up.
    pub(crate) const MUTED: Self = Self(1 << 6);
    /// The bits of requests that have a recording.
    pub(super) const BEGUN: u32 = Self::ALL & !Self::FINISHED.0;
    const ALL: u32 = 0b110_1111;

    /// Returns the mode among all bits.
    pub(super) const fn of(bits: u32) -> Self {
        Self(bits & Self::ALL)
    }

    pub(super) const fn bits(self) -> u32 {
        self.0
    }

    #[inline]
    pub(crate) const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) const fn is_live(self) -> bool {
        self.has(Self::LIVE) && !self.has(Self::MUTED) && !self.has(Self::FINISHED)
    }
}

/// A part of the lifecycle that one layer claims in a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Aspect {
    Correlation,
    Span,
    Verbose,
    /// Whether its events are replayed. This is decided once.
    Replay,
}

impl Aspect {
    pub(super) const fn bit(self) -> u32 {
        match self {
            Self::Correlation => 1 << 8,
            Self::Span => 1 << 10,
            Self::Verbose => 1 << 9,
            Self::Replay => 1 << 11,
        }
    }
}

pub(super) const ERROR_EVENT: u32 = 1 << 16;
pub(super) const REPLAYED: u32 = 1 << 17;
pub(super) const HELD: u32 = 1 << 18;
pub(super) const CALLS: u32 = 1 << 19;
