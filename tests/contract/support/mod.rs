//! Shared by the contract tests: a service and a body that follow a script, and every layer of the
//! crate behind one type.

mod body;
mod rig;
mod service;

pub(crate) use self::{
    body::{AnyBody, Broken, Log, Script, Seen, Step, same, transcript},
    rig::{Kind, One, Rig},
    service::{Answer, Erased, Failure, Probe, Readiness, answer, poll_once, resolve, send},
};

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
};

/// The payload that the tests panic with: neither text nor `Clone`.
#[derive(Debug, PartialEq)]
pub(crate) struct Marked(pub(crate) u32);

/// The code of an error without a text: its `Display` panics.
pub(crate) const UNPRINTABLE: u32 = u32::MAX;

fn refuse(code: u32) {
    if code == UNPRINTABLE {
        resume_unwind(Box::new(Marked(code)));
    }
}

/// Runs `f`, which must panic, and returns the payload.
#[track_caller]
pub(crate) fn caught<R>(f: impl FnOnce() -> R) -> Box<dyn Any + Send> {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(_) => panic!("it did not panic"),
        Err(payload) => payload,
    }
}

/// Returns the ID of the current request.
pub(crate) fn current_id() -> Option<String> {
    dashcam::current().map(|context| context.correlation_id().to_string())
}

/// One test per layer for every check: `each_layer!(check in bare, recorded)`.
///
/// `bare` are the layers alone; `with_context` those of them that give the
/// request a context; `recorded` are stacks that keep the exchange.
#[macro_export]
macro_rules! each_layer {
    ($($check:ident: $set:ident;)*) => {
        $($crate::each_layer!(@$set $check);)*
    };
    (@bare $check:ident) => {
        $crate::each_layer!(@make $check
            correlation Correlation, propagate Propagate, verbose Verbose,
            capture Capture, dashcam Dashcam, dashcam_observing DashcamObserving,
            client Client, client_in_dashcam ClientInDashcam,
            off_in_capture OffInCapture, capture_in_heads CaptureInHeads
        );
    };
    (@with_context $check:ident) => {
        $crate::each_layer!(@make $check
            correlation Correlation, verbose Verbose, capture Capture,
            dashcam Dashcam, dashcam_observing DashcamObserving,
            propagate_in_dashcam PropagateInDashcam
        );
    };
    (@recorded $check:ident) => {
        $crate::each_layer!(@make $check
            capture Capture, client Client,
            dashcam Dashcam, dashcam_observing DashcamObserving,
            correlation_in_dashcam CorrelationInDashcam,
            dashcam_in_correlation DashcamInCorrelation,
            verbose_in_dashcam VerboseInDashcam, dashcam_in_verbose DashcamInVerbose,
            propagate_in_dashcam PropagateInDashcam,
            dashcam_in_propagate DashcamInPropagate,
            capture_twice CaptureTwice, dashcam_twice DashcamTwice
        );
    };
    (@make $check:ident $($name:ident $kind:ident),*) => {
        mod $check {
            $(#[test]
            fn $name() {
                super::$check($crate::support::Kind::$kind);
            })*
        }
    };
}
