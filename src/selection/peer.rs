use super::Address;
use http::Extensions;
use std::net::IpAddr;

/// The address at the other end of the connection, for [`When::client`](super::When::client).
///
/// With the feature `axum` it is the address of `ConnectInfo<SocketAddr>`, which
/// `into_make_service_with_connect_info` adds to requests. Other servers add this type to the
/// extensions of requests, which takes precedence over `ConnectInfo`. Without either, no
/// condition on the client holds.
///
/// It is not what a header such as `x-forwarded-for` claims. Behind a proxy it is the proxy: let
/// the service state the address of the client as a fact, and use
/// [`Text::network`](super::Text::network) for the fact.
///
/// Peers (IPv6: /64s) also share the places for failures, and work: see
/// [`StormLimits`](crate::capture::StormLimits). If all have the address of the proxy, or none
/// is known, they are one peer. A layer outside of dashcam's may add this type from a header
/// that only the proxy can set.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Peer(pub IpAddr);

pub(crate) fn peer(extensions: &Extensions) -> Option<Address> {
    if let Some(Peer(address)) = extensions.get() {
        return Some((*address).into());
    }
    #[cfg(feature = "axum")]
    if let Some(axum::extract::ConnectInfo(address)) =
        extensions.get::<axum::extract::ConnectInfo<std::net::SocketAddr>>()
    {
        return Some(address.ip().into());
    }
    None
}

/// Returns the peer as a number, by which places are shared; zero if it is not known.
pub(crate) fn site(extensions: &Extensions) -> u128 {
    peer(extensions).map_or(0, Address::site)
}
