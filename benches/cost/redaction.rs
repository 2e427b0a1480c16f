//! Redaction needs the crate's inside; it is measured through an exchange that
//! is kept, against parsing the same body.

use crate::Case;

pub(crate) fn cases() -> Vec<Case> {
    Vec::new()
}
