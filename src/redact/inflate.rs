//! Bodies with a content coding, decoded as far as they go.

use std::{
    io::Read,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// The most bytes that are decoded of one body, however small it came.
const MOST: usize = 256 * 1024;

/// The most codings on top of each other.
const LAYERS: usize = 3;

/// The largest window of zstd in HTTP, in bytes (RFC 9659).
const WINDOW: u64 = 8 << 20;

pub(super) struct Decoded {
    pub(super) bytes: Vec<u8>,
    /// Bytes, at least, that were not decoded: 0 where all of it was.
    pub(super) left: usize,
}

/// Decodes what codings, in the order in which they were applied, made of a
/// body. `None` where one is not known or nothing comes out.
pub(super) fn decode(codings: &[&str], bytes: &[u8]) -> Option<Decoded> {
    if codings.len() > LAYERS {
        return None;
    }
    let mut decoded = Decoded {
        bytes: Vec::new(),
        left: 0,
    };
    for (n, coding) in codings.iter().rev().enumerate() {
        let input = if n == 0 { bytes } else { &decoded.bytes };
        // The decoders are safe code, but not ours.
        let (bytes, left) = catch_unwind(AssertUnwindSafe(|| one(coding, input)))
            .ok()
            .flatten()?;
        if bytes.is_empty() {
            return None;
        }
        decoded = Decoded {
            bytes,
            left: decoded.left.max(left),
        };
    }
    Some(decoded)
}

/// The coding of bytes that start as its do.
pub(super) fn look(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x1f, 0x8b, 8, ..] => Some("gzip"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some("zstd"),
        [0x78, 1 | 0x5e | 0x9c | 0xda, ..] => Some("deflate"),
        _ => None,
    }
}

fn one(coding: &str, mut input: &[u8]) -> Option<(Vec<u8>, usize)> {
    let known = ["gzip", "x-gzip", "deflate", "br", "zstd"];
    let coding = known.iter().find(|k| k.eq_ignore_ascii_case(coding))?;
    let (out, whole) = match *coding {
        "gzip" | "x-gzip" => read(flate2::bufread::MultiGzDecoder::new(&mut input)),
        "deflate" => deflate(&mut input),
        "br" => {
            // Large windows are an extension, and no part of the coding.
            if input.first().is_some_and(|b| b & 0x7f == 0x11) {
                return None;
            }
            read(brotli_decompressor::Decompressor::new(&mut input, 4096))
        }
        _ => {
            if window(input)? > WINDOW {
                return None;
            }
            let decoder = ruzstd::decoding::StreamingDecoder::new(&mut input);
            read(decoder.ok()?)
        }
    };
    let left = if whole && input.is_empty() {
        0
    } else {
        input.len().max(1)
    };
    Some((out, left))
}

/// With the wrapper that the coding has, or without, as some send it.
fn deflate(input: &mut &[u8]) -> (Vec<u8>, bool) {
    let wrapped = match **input {
        [method, flags, ..] => {
            method & 0xf == 8 && (u16::from(method) << 8 | u16::from(flags)).is_multiple_of(31)
        }
        _ => false,
    };
    let (out, _) = if wrapped {
        read(flate2::bufread::ZlibDecoder::new(&mut *input))
    } else {
        read(flate2::bufread::DeflateDecoder::new(&mut *input))
    };
    // Its decoder does not tell an end from one that was cut off.
    (out, false)
}

/// What comes out, and whether that is all.
fn read(mut from: impl Read) -> (Vec<u8>, bool) {
    let mut out = Vec::new();
    let mut part = [0; 8192];
    loop {
        let room = part.len().min(MOST - out.len());
        if room == 0 {
            return (out, false);
        }
        match from.read(part.get_mut(..room).unwrap_or_default()) {
            Ok(0) => return (out, true),
            Ok(n) => out.extend_from_slice(part.get(..n).unwrap_or_default()),
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return (out, false),
        }
    }
}

/// The window that a zstd frame asks for.
fn window(frame: &[u8]) -> Option<u64> {
    let (head, rest) = frame.split_at_checked(5)?;
    let flags = *head.get(4)?;
    if flags & 0x20 == 0 {
        let b = u64::from(*rest.first()?);
        let base = 1_u64 << (10 + (b >> 3));
        return Some(base + base / 8 * (b & 7));
    }
    // One segment: the window is the content.
    let skipped = [0, 1, 2, 4].get(usize::from(flags & 3))?;
    let length = [1, 2, 4, 8].get(usize::from(flags >> 6))?;
    let size = rest.get(*skipped..skipped + length)?;
    let size = size.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b));
    Some(if *length == 2 { size + 256 } else { size })
}
