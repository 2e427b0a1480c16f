//! Content codings.

use crate::leaks::{
    encode::{brotli, gzip, raw_deflate, zlib, zstd},
    make::Make,
};

impl Make<'_> {
    pub(super) fn compressed(&mut self, body: &[u8]) -> (Option<&'static str>, Vec<u8>) {
        match self.random.below(12) {
            0 => (Some("br"), brotli(body)),
            1 => (Some("zstd"), zstd(body)),
            2 => (Some("deflate"), zlib(body)),
            3 => (Some("deflate"), raw_deflate(body)),
            4 => (Some("identity, gzip, gzip"), gzip(&gzip(body))),
            5 => (Some("br, gzip"), gzip(&brotli(body))),
            6 => (Some("gzip, deflate, zstd"), zstd(&zlib(&gzip(body)))),
            7 => (Some("X-GZIP"), gzip(body)),
            // In two members, as concatenated files.
            8 => {
                let (a, b) = body.split_at(body.len() / 2);
                (Some("gzip"), [gzip(a), gzip(b)].concat())
            }
            9 => (Some("GZip ,"), gzip(body)),
            _ => (Some("gzip"), gzip(body)),
        }
    }

    /// Compressed without a header that names it: codings that have a signature.
    pub(super) fn unsaid(&mut self, body: &[u8]) -> Vec<u8> {
        match self.random.below(5) {
            0 => zstd(body),
            1 => zlib(body),
            2 => gzip(&zlib(body)),
            _ => gzip(body),
        }
    }
}
