use crate::exchange::Exchange;
use std::io::{self, Write};

pub(super) enum LineError {
    TooLong,
    Json(serde_json::Error),
}

/// Writes the exchange and a newline into `line`, which is empty, up to `max` bytes of
/// content.
pub(super) fn serialise(
    exchange: &Exchange,
    line: &mut Vec<u8>,
    max: usize,
) -> Result<(), LineError> {
    let mut bounded = Bounded {
        line,
        left: max,
        full: false,
    };
    let result = serde_json::to_writer(&mut bounded, exchange);
    if result.is_ok() {
        let _ = bounded.write_all(b"\n");
    }
    if bounded.full {
        return Err(LineError::TooLong);
    }
    result.map_err(LineError::Json)
}

struct Bounded<'a> {
    line: &'a mut Vec<u8>,
    left: usize,
    full: bool,
}

impl Write for Bounded<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(left) = self.left.checked_sub(bytes.len()) else {
            self.full = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        };
        self.left = left;
        self.line.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::sample::sample;

    #[test]
    fn one_line_within_the_limit() {
        let mut line = Vec::new();
        assert!(serialise(&sample("a"), &mut line, usize::MAX).is_ok());
        assert_eq!(line.iter().position(|&b| b == b'\n'), Some(line.len() - 1));
        let exact = line.len();
        let mut line = Vec::new();
        assert!(serialise(&sample("a"), &mut line, exact).is_ok());
        for max in [exact - 1, 1, 0] {
            let mut line = Vec::new();
            let result = serialise(&sample("a"), &mut line, max);
            assert!(matches!(result, Err(LineError::TooLong)));
            assert!(line.len() <= max);
        }
    }
}
