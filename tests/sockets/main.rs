//! `Dashcam` under a real server: byte by byte, in storms, and with clients that cause work on
//! purpose.

#[macro_use]
#[path = "../support_alone/mod.rs"]
mod support_alone;

mod http1;
mod http2;
mod storm;
#[path = "../support_net/mod.rs"]
mod support_net;
mod wire;
mod work;
