//! Calls: of gRPC and Connect, of clients to other services, of protocols.

mod calls;
mod clients;
mod grpc;
mod protocols;
#[path = "../support_grpc/mod.rs"]
mod support_grpc;
#[path = "../support_net/mod.rs"]
mod support_net;
