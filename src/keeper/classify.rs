use crate::{
    exchange::Failure,
    recorder::{grpc_status, is_server_fault},
};
use http::{HeaderMap, StatusCode};
use std::fmt;

/// Classifies responses as failures.
///
/// Closures over the response head implement it. It runs on the request path: it must be
/// fast and must not block.
pub trait Classify: Send + Sync + 'static {
    /// Returns the failure that the response head reports, if any.
    fn head(&self, status: StatusCode, headers: &HeaderMap) -> Option<Failure>;

    /// Returns the failure that the trailers report, if any. Called if the head is not a
    /// failure. Trailers of gRPC-Web come from the last frame of the body; those of a
    /// Connect stream are `grpc-status` alone, with the number of its code in gRPC.
    /// Default: none.
    fn trailers(&self, trailers: &HeaderMap) -> Option<Failure> {
        let _ = trailers;
        None
    }
}

impl<F> Classify for F
where
    F: Fn(StatusCode, &HeaderMap) -> Option<Failure> + Send + Sync + 'static,
{
    fn head(&self, status: StatusCode, headers: &HeaderMap) -> Option<Failure> {
        self(status, headers)
    }
}

/// The default classifier. Failures are HTTP status 5xx, a final status 1xx other than 101
/// (servers send 500 or a reset instead), and the gRPC status codes for server faults
/// (UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS), as in
/// OpenTelemetry's conventions for server spans. An invalid gRPC status counts as UNKNOWN,
/// as in gRPC clients. If there are several, a server fault takes precedence.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServerErrors;

impl Classify for ServerErrors {
    fn head(&self, status: StatusCode, headers: &HeaderMap) -> Option<Failure> {
        // An interim status announces a final one.
        let interim = status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS;
        if status.is_server_error() || interim {
            return Some(Failure::Status(status.as_u16()));
        }
        self.trailers(headers)
    }

    fn trailers(&self, trailers: &HeaderMap) -> Option<Failure> {
        let code = grpc_status(trailers)?;
        is_server_fault(code).then_some(Failure::Grpc(code))
    }
}

impl fmt::Debug for dyn Classify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Classify")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn server_faults_only() {
        let none = HeaderMap::new();
        assert_eq!(
            ServerErrors.head(StatusCode::BAD_GATEWAY, &none),
            Some(Failure::Status(502))
        );
        assert_eq!(ServerErrors.head(StatusCode::NOT_FOUND, &none), None);
        assert_eq!(
            ServerErrors.head(StatusCode::SWITCHING_PROTOCOLS, &none),
            None
        );
        for (code, failed) in [
            ("0", false),
            ("5", false),
            ("13", true),
            ("14", true),
            ("x", true),
            ("99", true),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-status", HeaderValue::from_static(code));
            assert_eq!(ServerErrors.trailers(&headers).is_some(), failed, "{code}");
            assert_eq!(
                ServerErrors.head(StatusCode::OK, &headers).is_some(),
                failed
            );
        }
    }
}
