use super::{Erased, Probe, Script, resolve, send, transcript};
use dashcam::{
    capture::{CaptureLayer, CaptureOptions, Limits, StormLimits},
    correlation::{CorrelationIdLayer, PropagateCorrelationIdLayer},
    exchange::Exchange,
    export::Memory,
    testing::TestDashcam,
    verbose::VerboseLayer,
};
use http::Request;
use std::time::Duration;
use tower_layer::Layer;

/// One layer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum One {
    Correlation,
    Propagate,
    Verbose,
    Capture,
    Client,
    Off,
    Heads,
    Dashcam,
    DashcamObserving,
}

/// A layer, or nested layers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Correlation,
    Propagate,
    Verbose,
    Capture,
    Client,
    ClientInDashcam,
    OffInCapture,
    CaptureInHeads,
    Dashcam,
    DashcamObserving,
    CorrelationInDashcam,
    DashcamInCorrelation,
    VerboseInDashcam,
    DashcamInVerbose,
    PropagateInDashcam,
    DashcamInPropagate,
    CaptureTwice,
    DashcamTwice,
}

impl Kind {
    /// Outermost first.
    pub(crate) fn layers(self) -> &'static [One] {
        match self {
            Self::Correlation => &[One::Correlation],
            Self::Propagate => &[One::Propagate],
            Self::Verbose => &[One::Verbose],
            Self::Capture => &[One::Capture],
            Self::Client => &[One::Client],
            Self::ClientInDashcam => &[One::DashcamObserving, One::Client],
            Self::OffInCapture => &[One::Capture, One::Off],
            Self::CaptureInHeads => &[One::Heads, One::Capture],
            Self::Dashcam => &[One::Dashcam],
            Self::DashcamObserving => &[One::DashcamObserving],
            Self::CorrelationInDashcam => &[One::DashcamObserving, One::Correlation],
            Self::DashcamInCorrelation => &[One::Correlation, One::DashcamObserving],
            Self::VerboseInDashcam => &[One::DashcamObserving, One::Verbose],
            Self::DashcamInVerbose => &[One::Verbose, One::DashcamObserving],
            Self::PropagateInDashcam => &[One::DashcamObserving, One::Propagate],
            Self::DashcamInPropagate => &[One::Propagate, One::DashcamObserving],
            Self::CaptureTwice => &[One::Capture, One::Capture],
            Self::DashcamTwice => &[One::Dashcam, One::Dashcam],
        }
    }

    /// Returns whether a panic becomes a response instead of propagating.
    pub(crate) fn answers_panics(self) -> bool {
        self.layers().contains(&One::Dashcam)
    }
}

/// The layers, and what they keep: everything, healthy requests too.
pub(crate) struct Rig {
    dashcam: TestDashcam,
    capture: CaptureLayer,
    captured: Memory,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Limits)) -> Self {
        let mut limits = Limits::default();
        change(&mut limits);
        let mut storm = StormLimits::default();
        storm.full = u64::MAX;
        storm.per_second = u64::MAX;
        let captured = Memory::new(10_000);
        // However slow the machine is, no request counts as slow.
        let slow = Duration::from_secs(100_000);
        Self {
            dashcam: TestDashcam::with(|builder| {
                let builder = builder.baseline(1.0).slow(slow);
                builder.limits(limits).storm(storm)
            }),
            capture: CaptureLayer::builder("test", "0.0.0")
                .baseline(1.0)
                .slow(slow)
                .limits(limits)
                .storm(storm)
                .build(captured.clone())
                .unwrap(),
            captured,
        }
    }

    pub(crate) fn dashcam(&self) -> &TestDashcam {
        &self.dashcam
    }

    pub(crate) fn wrap(&self, kind: Kind, probe: Probe) -> Erased {
        self.wrap_in(kind.layers(), probe)
    }

    /// Wraps in these layers, the outermost first.
    pub(crate) fn wrap_in(&self, layers: &[One], probe: Probe) -> Erased {
        let probe = Erased::new(probe);
        layers.iter().rev().fold(probe, |inner, one| match one {
            One::Correlation => Erased::new(CorrelationIdLayer::new().layer(inner)),
            One::Propagate => Erased::new(PropagateCorrelationIdLayer::new().layer(inner)),
            One::Verbose => Erased::new(VerboseLayer::new().layer(inner)),
            One::Capture => Erased::new(self.capture.layer(inner)),
            One::Client => Erased::new(self.capture.client().layer(inner)),
            One::Off => Erased::new(CaptureOptions::off().layer(inner)),
            One::Heads => Erased::new(CaptureOptions::heads().layer(inner)),
            One::Dashcam => Erased::new(self.dashcam.layer().layer(inner)),
            One::DashcamObserving => {
                Erased::new(self.dashcam.layer().propagate_panics().layer(inner))
            }
        })
    }

    /// Returns everything kept so far.
    pub(crate) fn kept(&self) -> Vec<Exchange> {
        assert!(self.capture.flush(Duration::from_secs(60)));
        let mut kept = self.dashcam.kept();
        kept.extend(self.captured.exchanges());
        kept
    }

    /// Returns the one exchange that was kept, after which nothing is in flight.
    #[track_caller]
    pub(crate) fn only(&self) -> Exchange {
        let mut kept = self.kept();
        assert_eq!(kept.len(), 1, "exchanges kept: {kept:#?}");
        self.assert_nothing_in_flight();
        kept.remove(0)
    }

    /// Asserts that as many requests have ended as exchanges were kept, and that none is
    /// unfinished.
    #[track_caller]
    pub(crate) fn assert_nothing_in_flight(&self) {
        let status = self.dashcam.status();
        assert_eq!(status.in_flight, 0, "in flight");
        assert_eq!(status.finished, status.kept, "all are kept");
        assert_eq!(status.dropped, Default::default());
        assert_eq!(self.capture.dropped(), Default::default());
        // The capturing layer counts too, and reports it in the next exchange.
        let before = self.captured.len();
        let mut service = self.wrap(Kind::Capture, Probe::answering(Script::empty));
        let response = resolve(send(&mut service, Request::new(Script::empty())));
        transcript(response.unwrap().into_body(), 1);
        assert!(self.capture.flush(Duration::from_secs(60)));
        let kept = self.captured.take();
        assert_eq!(kept.len(), before + 1);
        assert_eq!(kept[before].in_flight, 1, "in flight before the last");
    }
}
