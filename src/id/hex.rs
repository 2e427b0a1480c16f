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

/// Writes two digits for each byte until `out` is full. Works on four bytes at a time,
/// because every log line has 24 bytes of IDs.
pub(super) fn encode(bytes: &[u8], digits: &mut [u8]) {
    let (places, rest) = digits.as_chunks_mut::<8>();
    let (words, last) = bytes.as_chunks::<4>();
    for (place, word) in places.iter_mut().zip(words) {
        *place = eight(u32::from_be_bytes(*word));
    }
    for (place, byte) in rest.chunks_exact_mut(2).zip(last) {
        let [.., high, low] = eight(u32::from(*byte));
        place.copy_from_slice(&[high, low]);
    }
}

fn eight(word: u32) -> [u8; 8] {
    const EACH: u64 = 0x0101_0101_0101_0101;
    // Spread each digit's four bits into a byte of its own.
    let mut bits = u64::from(word);
    bits = (bits | bits << 16) & 0x0000_ffff_0000_ffff;
    bits = (bits | bits << 8) & 0x00ff_00ff_00ff_00ff;
    bits = (bits | bits << 4) & (0x0f * EACH);
    // Adding six makes a digit of ten or more carry into the fifth bit.
    let letters = (bits + 6 * EACH) >> 4 & EACH;
    let to_letter = u64::from(b'a' - b'0' - 10);
    (bits + u64::from(b'0') * EACH + letters * to_letter).to_be_bytes()
}

/// Writes text that is ASCII by construction.
pub(super) fn show(text: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.pad(std::str::from_utf8(text).unwrap_or_default())
}
