//! Decodes bodies with a content coding, as far as possible and within limits.

use crate::foreign;
use brotli_decompressor::{
    Allocator, BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc,
};
use flate2::{Decompress, FlushDecompress, Status};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use std::{cell::Cell, io::Read, rc::Rc};

/// The most decoded bytes of one body, however small it is.
const MOST: usize = 256 * 1024;

/// The most nested codings.
const LAYERS: usize = 3;

/// How many bytes are taken from a decoder at once.
const PART: usize = 8192;

/// How many bytes a decoder gets at once, if its memory is limited.
const STEP: usize = 512;

/// The largest window of zstd in HTTP, in bytes (RFC 9659).
const WINDOW: u64 = 8 << 20;

pub(super) struct Decoded {
    pub(super) bytes: Vec<u8>,
    /// At least how many bytes were not decoded; 0 if all were.
    pub(super) left: usize,
}

/// Decodes a body. `codings` are registered names in the order in which they were applied.
/// Returns `None` if one is unknown or nothing can be decoded.
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
        // The decoders are foreign code, although safe.
        let (bytes, left) = foreign::run(|| one(coding, input)).flatten()?;
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

/// Returns the coding whose magic bytes these start with.
pub(super) fn look(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x1f, 0x8b, 8, ..] => Some("gzip"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some("zstd"),
        [0x78, 1 | 0x5e | 0x9c | 0xda, ..] => Some("deflate"),
        _ => None,
    }
}

fn one(coding: &str, mut input: &[u8]) -> Option<(Vec<u8>, usize)> {
    let (out, whole) = match coding {
        "gzip" => read(flate2::bufread::MultiGzDecoder::new(&mut input)),
        "deflate" => deflate(&mut input),
        "br" => brotli(&mut input)?,
        "zstd" => zstd(&mut input)?,
        _ => return None,
    };
    let left = if whole {
        input.len()
    } else {
        input.len().max(1)
    };
    Some((out, left))
}

/// With the coding's wrapper, or without it, as some clients send it.
fn deflate(input: &mut &[u8]) -> (Vec<u8>, bool) {
    let wrapped = match **input {
        [method, flags, ..] => {
            method & 0xf == 8 && (u16::from(method) << 8 | u16::from(flags)).is_multiple_of(31)
        }
        _ => false,
    };
    let mut decoder = Decompress::new(wrapped);
    let mut out = Vec::new();
    let mut part = [0; PART];
    loop {
        let room = part.len().min(MOST - out.len());
        let (read, written) = (decoder.total_in(), decoder.total_out());
        let place = part.get_mut(..room).unwrap_or_default();
        let status = decoder.decompress(input, place, FlushDecompress::None);
        let read = usize::try_from(decoder.total_in() - read).unwrap_or(0);
        let written = usize::try_from(decoder.total_out() - written).unwrap_or(0);
        out.extend_from_slice(part.get(..written).unwrap_or_default());
        *input = input.get(read..).unwrap_or_default();
        match status {
            Ok(Status::StreamEnd) => return (out, true),
            Ok(_) if read + written > 0 && room > 0 => {}
            _ => return (out, false),
        }
    }
}

/// The bits of a window for the most decoded bytes.
const BROTLI: u8 = 18;

/// The most bytes of tables for one body: a few bytes of input can request a megabyte of
/// them, again and again.
const TABLES: usize = 8 << 20;

/// Counts the decoder's allocations.
#[derive(Clone)]
struct Counted(Rc<Cell<usize>>);

impl<T: Clone + Default> Allocator<T> for Counted {
    type AllocatedMemory = <StandardAlloc as Allocator<T>>::AllocatedMemory;

    fn alloc_cell(&mut self, len: usize) -> Self::AllocatedMemory {
        self.0
            .set(self.0.get().saturating_add(len * size_of::<T>()));
        StandardAlloc::default().alloc_cell(len)
    }

    fn free_cell(&mut self, memory: Self::AllocatedMemory) {
        drop(memory);
    }
}

/// The decoder fills a window before it returns a byte, up to 16 MiB for a body of some 50
/// bytes. The header is rewritten to a window of the most decoded bytes, which makes no
/// difference until it is full.
fn brotli(input: &mut &[u8]) -> Option<(Vec<u8>, bool)> {
    let (first, rest) = input.split_first()?;
    // Large windows are an extension, not part of the coding.
    if first & 0x7f == 0x11 {
        return None;
    }
    // RFC 7932, section 9.1: 1, and three bits of windows from 18 on.
    let bits = first >> 1 & 7;
    let first = match bits {
        2.. if first & 1 == 1 => first & !0xe | (BROTLI - 17) << 1,
        _ => *first,
    };
    let count = Rc::new(Cell::new(0));
    let counted = || Counted(count.clone());
    let mut decoder = BrotliState::new_strict(counted(), counted(), counted());
    let mut out = Vec::new();
    let mut part = [0; PART];
    let (first, mut rest) = ([first], rest);
    let mut next: &[u8] = &first;
    // Beyond its window it would read distances as words of its dictionary.
    let most = (1 << BROTLI) - 16;
    let whole = loop {
        let room = part.len().min(most - out.len());
        let (mut unread, mut read, mut free, mut written) = (next.len(), 0, room, 0);
        let result = BrotliDecompressStream(
            &mut unread,
            &mut read,
            next,
            &mut free,
            &mut written,
            part.get_mut(..room).unwrap_or_default(),
            &mut 0,
            &mut decoder,
        );
        out.extend_from_slice(part.get(..written).unwrap_or_default());
        next = next.get(read..).unwrap_or_default();
        match result {
            BrotliResult::ResultSuccess => break true,
            BrotliResult::NeedsMoreOutput if written > 0 && out.len() < most => {}
            BrotliResult::NeedsMoreInput if count.get() <= TABLES && !rest.is_empty() => {
                let (some, others) = rest.split_at(rest.len().min(STEP));
                (next, rest) = (some, others);
            }
            _ => break false,
        }
    };
    *input = input
        .get(input.len() - rest.len() - next.len()..)
        .unwrap_or_default();
    Some((out, whole))
}

/// The most blocks of one body: each may have tables and almost no data.
const BLOCKS: usize = 1024;

/// Its decoder does not return data that is still in the window. The header is rewritten to
/// no window, so that the decoder keeps decoded data only until it is taken.
fn zstd(input: &mut &[u8]) -> Option<(Vec<u8>, bool)> {
    let frame = Frame::of(input)?;
    if frame.window > WINDOW {
        return None;
    }
    let rest = input.get(frame.head..)?;
    let mut source = frame.without_window.as_slice().chain(rest);
    let mut decoder = FrameDecoder::new();
    decoder.init(&mut source).ok()?;
    let mut whole = false;
    for _ in 0..BLOCKS {
        match decoder.decode_blocks(&mut source, BlockDecodingStrategy::UptoBlocks(1)) {
            Ok(true) => whole = true,
            Ok(false) if decoder.can_collect() <= MOST => continue,
            _ => {}
        }
        break;
    }
    *input = source.into_inner().1;
    let mut out = vec![0; decoder.can_collect().min(MOST)];
    whole &= decoder.can_collect() <= MOST;
    decoder.read_exact(&mut out).ok()?;
    Some((out, whole))
}

/// Returns the decoded bytes, and whether they are all.
fn read(mut from: impl Read) -> (Vec<u8>, bool) {
    let mut out = Vec::new();
    let mut part = [0; PART];
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

/// The head of a zstd frame (RFC 8878, section 3.1.1.1).
struct Frame {
    /// The length of the head.
    head: usize,
    window: u64,
    /// The same head for a frame of one segment of no length.
    without_window: Vec<u8>,
}

impl Frame {
    fn of(frame: &[u8]) -> Option<Self> {
        let flags = *frame.get(4)?;
        let single = flags & 0x20 != 0;
        let dictionary = 5 + usize::from(!single);
        let length = *[0, 1, 2, 4].get(usize::from(flags & 3))?;
        let size = dictionary + length;
        let width = match (flags >> 6, single) {
            (0, false) => 0,
            (n, _) => *[1, 2, 4, 8].get(usize::from(n))?,
        };
        let head = size + width;
        let content = frame.get(size..head)?;
        let content = content.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b));
        let window = if single {
            content
        } else {
            let b = u64::from(*frame.get(5)?);
            let base = 1_u64 << (10 + (b >> 3));
            base + base / 8 * (b & 7)
        };
        let mut without_window = frame.get(..4)?.to_vec();
        without_window.push(flags & 7 | 0x20);
        without_window.extend_from_slice(frame.get(dictionary..size)?);
        without_window.push(0);
        Some(Self {
            head,
            window,
            without_window,
        })
    }
}
