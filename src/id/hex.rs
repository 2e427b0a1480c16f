//! Lower-case hexadecimal, as trace headers have it.

use std::fmt;

/// Reads exactly `2 * N` lower-case digits.
pub(super) fn decode<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    if text.len() != 2 * N {
        return None;
    }
    let digit = |b: u8| match b {
        b'0'..=b'9' => Some(b - b'0'),
        // Upper case is not allowed on the wire.
        b'a'..=b'f' => Some(b - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

/// Writes two digits for each byte, as far as there is room.
pub(super) fn encode(bytes: &[u8], digits: &mut [u8]) {
    for (place, byte) in digits.chunks_exact_mut(2).zip(bytes) {
        let digit = |n: u8| if n < 10 { b'0' + n } else { b'a' - 10 + n };
        place.copy_from_slice(&[digit(byte >> 4), digit(byte & 0xf)]);
    }
}

/// Shows text that is ASCII by construction.
pub(super) fn show(text: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.pad(std::str::from_utf8(text).unwrap_or_default())
}
