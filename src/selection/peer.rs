use super::Address;
use http::Extensions;
use std::net::IpAddr;

/// The address at the other end of the connection, which conditions on the
/// client look at.
///
/// With the feature `axum` it is that of `ConnectInfo<SocketAddr>`, which
/// `into_make_service_with_connect_info` puts into requests. Other servers put
/// this type into the request's extensions, which wins over `ConnectInfo`. Where
/// there is neither, no such condition holds.
///
/// It is the peer, not what a header such as `x-forwarded-for` claims. Behind a
/// proxy that is the proxy: there the service states the client's address as a
/// fact, and rules look at the fact with [`Text::network`](super::Text::network).
///
/// Places for what failed, and work, are shared between peers, too (of IPv6 between
/// /64s): see [`StormLimits`](crate::capture::StormLimits). Where all have the proxy's
/// address, or none is known, they are one. A layer in front of dashcam's may put this type
/// into requests, from a header that the proxy sets and nobody else can.
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

/// Whose request it is, by what shares are of; zero where that is not known.
pub(crate) fn site(extensions: &Extensions) -> u128 {
    peer(extensions).map_or(0, Address::site)
}
