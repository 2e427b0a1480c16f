//! What is captured of a request: this room's part of it.

use super::{CaptureOptions, HeaderFields, Tee};
use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Instant,
};

/// The request head as captured.
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

/// The response head as captured.
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
    /// Whether its path is that of a gRPC method which the service is known to have.
    pub(crate) names_method: bool,
    /// Whether it is a call of an RPC, and whether such a call ends with a status.
    pub(crate) is_call: bool,
    pub(crate) ends_with_status: bool,
    /// Whose request it is; zero where that is not known.
    pub(crate) client: u128,
    /// Bytes of a body and of a head that are captured where the options do not
    /// say otherwise.
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

/// Heads and bodies of one request, each behind a lock that is held shortly.
#[derive(Debug, Default)]
pub(crate) struct Captured {
    /// Which keeper captures the request; zero is none.
    by: AtomicUsize,
    heads: Mutex<CaptureHeads>,
    request_body: Mutex<Tee>,
    response_body: Mutex<Tee>,
}

/// Locks; a panic of somebody else while holding the lock changes nothing here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn get_mut<T>(mutex: &mut Mutex<T>) -> &mut T {
    mutex.get_mut().unwrap_or_else(PoisonError::into_inner)
}

impl Captured {
    /// The key of the keeper that captures the request; zero where none does.
    pub(crate) fn by(&self) -> usize {
        self.by.load(Relaxed)
    }

    /// Takes the capture for the keeper with this key, where nobody has it.
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

    /// About how much memory it keeps alive. Asked while the service logs, so it waits
    /// for no body: a buffer of a type that is not ours may log while it is copied.
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

    /// What nobody captured is as new.
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
