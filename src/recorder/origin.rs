//! Determines whether a text is the program's own: a literal of its source.

use std::{fs, ops::Range, sync::LazyLock};

/// The addresses of the program's literals. They are read once, before requests come.
static LITERALS: LazyLock<Literals> = LazyLock::new(|| Literals {
    range: fs::read_to_string("/proc/self/maps")
        .ok()
        .and_then(|maps| around(&maps, ANCHOR.as_ptr().addr()))
        .unwrap_or_default(),
});

/// A literal like any other, to find the memory that holds them.
static ANCHOR: &str = "dashcam looks for its own literals";

/// The addresses of the program's literals, or none if they are not known.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Literals {
    range: Range<usize>,
}

impl Literals {
    #[inline]
    pub(super) fn get() -> Self {
        LITERALS.clone()
    }

    /// Returns whether this text is one of them. A text lies in one mapping, so its start
    /// suffices.
    #[inline]
    pub(super) fn have(&self, text: &str) -> bool {
        self.range.contains(&text.as_ptr().addr())
    }
}

/// Finds the literals, so that no request has to.
pub(crate) fn find_literals() {
    LazyLock::force(&LITERALS);
}

/// Returns the read-only memory of one file around an address, without gaps.
///
/// Other mappings of the file do not count: they may be unmapped, and other data may then have
/// their addresses. The program's own stays as long as its code runs.
fn around(maps: &str, address: usize) -> Option<Range<usize>> {
    let mut found: Option<(Range<usize>, u64, &str)> = None;
    for line in maps.lines() {
        let mut next = mapping(line);
        if let (Some((before, offset, file)), Some((after, later, same))) = (&found, &mut next)
            && before.end == after.start
            && *offset < *later
            && *file == *same
        {
            after.start = before.start;
        } else if found.as_ref().is_some_and(|(r, ..)| r.contains(&address)) {
            break;
        }
        found = next;
    }
    let (range, ..) = found?;
    range.contains(&address).then_some(range)
}

/// Returns the addresses, the offset and the file name of a line, if it is a read-only mapping.
fn mapping(line: &str) -> Option<(Range<usize>, u64, &str)> {
    let mut rest = line;
    let mut part = || {
        let (part, more) = rest.split_once(' ')?;
        rest = more.trim_start_matches(' ');
        Some(part)
    };
    let (start, end) = part()?.split_once('-')?;
    let access = part()?;
    let offset = u64::from_str_radix(part()?, 16).ok()?;
    let (_device, _inode) = (part()?, part()?);
    let number = |text| usize::from_str_radix(text, 16).ok();
    let file = rest.starts_with('/') && matches!(access, "r--p" | "r-xp");
    file.then_some((number(start)?..number(end)?, offset, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPS: &str = "\
3000-4000 r--p 00000000 fe:00 77                                 /srv/my service (deleted)
8000-9000 r--p 00000000 fe:00 77                                 /srv/my service (deleted)
9000-b000 r-xp 00001000 fe:00 77                                 /srv/my service (deleted)
b000-c000 r--p 00003000 fe:00 77                                 /srv/my service (deleted)
c000-d000 rw-p 00004000 fe:00 77                                 /srv/my service (deleted)
d000-e000 r--p 00005000 fe:00 77                                 /srv/my service (deleted)
f000-10000 rw-p 00000000 00:00 0                                  [heap]
20000-21000 r--p 00000000 fe:00 78                               /lib/libc.so.6
21000-22000 r--p 00001000 fe:00 77                               /srv/my service (deleted)
22000-23000 r--p 00000000 fe:00 77                               /srv/my service (deleted)
30000-31000 r--p 00000000 00:00 0
ffff0000-ffff1000 r-xp 00000000 00:00 0                          [vdso]
";

    #[test]
    fn neighbours_of_one_file_are_one() {
        for address in [0x8000, 0x9fff, 0xbfff] {
            assert_eq!(around(MAPS, address), Some(0x8000..0xc000), "{address:x}");
        }
    }

    #[test]
    fn other_mappings_of_the_file_do_not_count() {
        assert_eq!(around(MAPS, 0x3000), Some(0x3000..0x4000));
        assert_eq!(around(MAPS, 0xd000), Some(0xd000..0xe000));
        assert_eq!(around(MAPS, 0x21000), Some(0x21000..0x22000));
        assert_eq!(around(MAPS, 0x22fff), Some(0x22000..0x23000));
    }

    #[test]
    fn what_can_be_written_or_has_no_file_does_not_count() {
        for address in [0xc000, 0xf000, 0x30000, 0xffff_0000, 0x7fff, 0x1_0000] {
            assert_eq!(around(MAPS, address), None, "{address:x}");
        }
        for nonsense in [
            "",
            "\n",
            "x",
            "1-2 r--p",
            "1-2 r--p 0 0 0",
            "z-y r--p 0 0:0 1 /a",
        ] {
            assert_eq!(around(nonsense, 1), None, "{nonsense}");
        }
    }

    #[test]
    fn texts_made_at_run_time_are_nobodys() {
        let literals = Literals::get();
        let made = String::from("made");
        let here = [b'x'];
        static BUILT_IN: &[u8] = b"bytes";
        let known = cfg!(target_os = "linux");
        assert!(!literals.have(&made));
        assert!(!literals.have(std::str::from_utf8(&here).unwrap()));
        assert_eq!(literals.have("a literal"), known);
        assert_eq!(literals.have(concat!("ma", "de")), known);
        assert_eq!(literals.have(std::str::from_utf8(BUILT_IN).unwrap()), known);
        assert_eq!(literals.have(std::any::type_name::<Literals>()), known);
        static WRITTEN: std::sync::Mutex<[u8; 4]> = std::sync::Mutex::new(*b"made");
        assert!(!literals.have(std::str::from_utf8(&*WRITTEN.lock().unwrap()).unwrap()));
    }
}
