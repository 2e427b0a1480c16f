use crate::{
    exchange::Failure,
    recorder::{grpc_status, is_server_fault},
};
use http::{HeaderMap, StatusCode};
use std::fmt;

/// Decides which responses are failures.
///
/// Called on the request path: it must be fast and must not block.
pub trait Classify: Send + Sync + 'static {
    /// Looks at the response head.
    fn head(&self, status: StatusCode, headers: &HeaderMap) -> Option<Failure>;

    /// Looks at the trailers of a response whose head was no failure. Of gRPC-Web they
    /// are those in the last frame of the body; of a stream of Connect they are
    /// `grpc-status` alone, with the number that its code has in gRPC.
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

/// The default: HTTP status 5xx, a final status 1xx but 101 (in place of which servers send
/// 500 or a reset), and the gRPC status codes that mean the server's fault (UNKNOWN,
/// DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS), as OpenTelemetry's
/// conventions for server spans have it. A status that is none of gRPC's is UNKNOWN, as
/// clients have it; of several the server's fault counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServerErrors;

impl Classify for ServerErrors {
    fn head(&self, status: StatusCode, headers: &HeaderMap) -> Option<Failure> {
        // It announces a final one, and is none itself.
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
