//! What a client sends to get a value past the policy, or the process down.

use super::{tests::strict, *};
use crate::exchange::Content;

/// A body that nests deeper than a stack, in 53 KB: each layer of stored gzip has 15
/// bytes, and the outermost is compressed.
#[cfg(feature = "decompress")]
#[test]
fn compressed_in_compressed_does_not_overflow_the_stack() {
    use std::io::Write as _;
    let mut layers = b"x".to_vec();
    while layers.len() < 250_000 {
        let mut outer = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
        let last = layers.len().div_ceil(0xffff) - 1;
        for (n, block) in layers.chunks(0xffff).enumerate() {
            let length = u16::try_from(block.len()).unwrap();
            outer.push(u8::from(n == last));
            outer.extend(length.to_le_bytes());
            outer.extend((!length).to_le_bytes());
            outer.extend(block);
        }
        layers = outer;
    }
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&layers).unwrap();
    let body = gzip.finish().unwrap();
    assert!(body.len() < 64 * 1024);
    for kind in ["application/octet-stream", "application/json"] {
        let policy = strict();
        let content = Redactor::new(&policy).body(Some(kind), None, &body, true);
        assert!(matches!(content, Content::Opaque { .. }));
    }
}
