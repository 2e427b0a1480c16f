//! What is captured of a request.

use super::{CaptureOptions, HeaderFields, Tee};
use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Instant,
};

/// The captured request head.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestHead {
    pub(crate) method: http::Method,
    pub(crate) uri: http::Uri,
    pub(crate) version: http::Version,
    pub(crate) fields: HeaderFields,
}

impl RequestHead {
    fn reset(&mut self) {
        let Self {
            method,
            uri,
            version,
            fields,
        } = self;
        *method = http::Method::GET;
        *uri = http::Uri::default();
        *version = http::Version::default();
        fields.reset();
    }
}

/// The captured response head.
#[derive(Clone, Debug, Default)]
pub(crate) struct ResponseHead {
    pub(crate) status: http::StatusCode,
    pub(crate) version: http::Version,
    pub(crate) fields: HeaderFields,
    pub(crate) at: Option<Instant>,
}

impl ResponseHead {
    fn reset(&mut self) {
        let Self {
            status,
            version,
            fields,
            at,
        } = self;
        *status = http::StatusCode::default();
        *version = http::Version::default();
        fields.reset();
        *at = None;
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct CaptureHeads {
    pub(crate) request: RequestHead,
    pub(crate) response: ResponseHead,
    pub(crate) options: CaptureOptions,
    /// Whether its path is that of a gRPC method that the service is known to have.
    pub(crate) names_method: bool,
    /// Whether it is a call of an RPC, and whether such a call ends with a status.
    pub(crate) is_call: bool,
    pub(crate) ends_with_status: bool,
    /// Its peer; zero if that is not known.
    pub(crate) client: u128,
    /// How many bytes of a body and of a head are captured by default.
    pub(crate) limits: (usize, usize),
}

impl CaptureHeads {
    fn reset(&mut self) {
        let Self {
            request,
            response,
            options,
            names_method,
            is_call,
            ends_with_status,
            client,
            limits,
        } = self;
        request.reset();
        response.reset();
        *options = CaptureOptions::new();
        (*names_method, *is_call, *ends_with_status) = (false, false, false);
        *client = 0;
        *limits = (0, 0);
    }
}

/// Heads and bodies of one request. Each lock is held only briefly.
#[derive(Debug, Default)]
pub(crate) struct Captured {
    /// The key of the keeper that captures the request; zero if none does.
    by: AtomicUsize,
    heads: Mutex<CaptureHeads>,
    request_body: Mutex<Tee>,
    response_body: Mutex<Tee>,
}

/// Locks. It ignores poison, because foreign panics cannot leave the value inconsistent.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn get_mut<T>(mutex: &mut Mutex<T>) -> &mut T {
    mutex.get_mut().unwrap_or_else(PoisonError::into_inner)
}

impl Captured {
    /// Returns the key of the keeper that captures the request; zero if none does.
    pub(crate) fn by(&self) -> usize {
        self.by.load(Relaxed)
    }

    /// Claims the capture for the keeper with this key, unless another has it.
    pub(crate) fn claim(&self, key: usize) -> bool {
        self.by.compare_exchange(0, key, Relaxed, Relaxed).is_ok()
    }

    pub(crate) fn heads(&self) -> MutexGuard<'_, CaptureHeads> {
        lock(&self.heads)
    }

    pub(crate) fn request_body(&self) -> MutexGuard<'_, Tee> {
        lock(&self.request_body)
    }

    pub(crate) fn response_body(&self) -> MutexGuard<'_, Tee> {
        lock(&self.response_body)
    }

    /// Returns about how much memory it keeps alive. The log layer calls it, so it waits for no
    /// body: a foreign buffer may log while it is copied.
    pub(crate) fn weight(&self) -> usize {
        const BUSY: usize = 64 * 1024;
        let kept = |body: &Mutex<Tee>| body.try_lock().map_or(BUSY, |tee| tee.kept());
        let heads = {
            let heads = self.heads();
            heads.request.uri.path().len()
                + heads.request.uri.query().map_or(0, str::len)
                + heads.request.fields.len()
                + heads.response.fields.len()
        };
        heads + kept(&self.request_body) + kept(&self.response_body)
    }

    /// Nothing was captured if no keeper claimed it, so nothing needs a reset.
    pub(crate) fn reset(&mut self) {
        let Self {
            by,
            heads,
            request_body,
            response_body,
        } = self;
        if std::mem::take(by.get_mut()) != 0 {
            get_mut(heads).reset();
            get_mut(request_body).reset();
            get_mut(response_body).reset();
        }
    }
}
