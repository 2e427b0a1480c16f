//! A router for a private port.
