//! Finds kept exchanges.
//!
//! A [`Filter`] matches exchanges by conditions: those that [`Search`] reads from files, those
//! in [`Memory`](crate::export::Memory), or those that an
//! [`Exporter`](crate::export::Exporter) receives. The program `dashcam` (package
//! `dashcam-cli`) and the [admin router](crate::admin) use both.
//!
//! ```
//! use dashcam::{export::Memory, find::Filter};
//!
//! # let kept = Memory::new(100);
//! let mut filter = Filter::new();
//! filter.add("route", "/orders/*")?;
//! filter.add("status", "5xx")?;
//! let found = kept.exchanges().into_iter().filter(|exchange| filter.matches(exchange));
//! for exchange in found {
//!     println!("{}: {}", exchange.id, exchange.error_text().unwrap_or_default());
//! }
//! # Ok::<(), dashcam::find::InvalidFilter>(())
//! ```

mod filter;
mod search;
mod value;

pub use self::{
    filter::{Filter, InvalidFilter},
    search::Search,
};
