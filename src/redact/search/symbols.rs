//! Values without letters and digits.

/// Reports every three consecutive signs, without white space, quotes and backslashes, and
/// their positions.
pub(super) fn each(bytes: &[u8], mut tell: impl FnMut(u64, &[(usize, usize)])) {
    let (mut gram, mut count, mut places) = (0_u64, 0, [(0, 0); 3]);
    let mut at = 0;
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            let end = at + c.len_utf8();
            if c.is_alphanumeric() {
                count = 0;
            } else if !(c.is_whitespace() || c == '\0' || "\\\"'".contains(c)) {
                gram = (gram << 21 | u64::from(u32::from(c))) & ((1 << 63) - 1);
                places.rotate_left(1);
                places[2] = (at, end);
                count += 1;
                if count >= 3 {
                    tell(gram, &places);
                }
            }
            at = end;
        }
        if !chunk.invalid().is_empty() {
            count = 0;
        }
        at += chunk.invalid().len();
    }
}
