use super::index::Mark;
use std::collections::VecDeque;

/// The newest lines that could not be written, within a number and a size.
#[derive(Debug)]
pub(super) struct Ring {
    lines: VecDeque<(Vec<u8>, Option<Mark>)>,
    bytes: usize,
    max_lines: usize,
    max_bytes: usize,
}

impl Ring {
    pub(super) fn new(max_lines: usize, max_bytes: usize) -> Self {
        Self {
            lines: VecDeque::new(),
            bytes: 0,
            max_lines: max_lines.max(1),
            max_bytes,
        }
    }

    /// Keeps the line, which is not longer than the ring. Returns how many
    /// older ones made room for it.
    pub(super) fn push(&mut self, line: Vec<u8>, mark: Option<Mark>) -> u64 {
        self.bytes += line.len();
        self.lines.push_back((line, mark));
        let mut dropped = 0;
        while (self.lines.len() > self.max_lines || self.bytes > self.max_bytes) && self.pop_front()
        {
            dropped += 1;
        }
        dropped
    }

    pub(super) fn front(&self) -> Option<(&[u8], Option<&Mark>)> {
        let (line, mark) = self.lines.front()?;
        Some((line, mark.as_ref()))
    }

    pub(super) fn pop_front(&mut self) -> bool {
        let line = self.lines.pop_front();
        self.bytes -= line.as_ref().map_or(0, |(line, _)| line.len());
        line.is_some()
    }

    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounded_by_number_and_size() {
        let mut ring = Ring::new(2, 10);
        assert_eq!(ring.push(vec![1; 4], None), 0);
        assert_eq!(ring.push(vec![2; 4], None), 0);
        assert_eq!(ring.push(vec![3; 1], None), 1);
        assert_eq!(ring.front(), Some((&[2; 4][..], None)));
        assert_eq!(ring.push(vec![4; 10], None), 2);
        assert_eq!((ring.len(), ring.bytes), (1, 10));
        assert!(ring.pop_front() && !ring.pop_front());
        assert_eq!((ring.len(), ring.bytes), (0, 0));
    }
}
