//! Many records in one piece of text: how a store hands them over without a cost per row and per column.
//!
//! Each record is its numbers, each ended by a separator, the lengths of its texts, and the texts. The lengths make it sound whatever
//! the texts hold; the store's query that writes it stands beside the store's other queries.

use super::chain::{Hash, Link};
use super::{Cause, Unavailable};

/// What ends a field.
const SEPARATOR: u8 = 0x1f;

/// The length of a hash in hexadecimal digits.
const HASH_DIGITS: usize = 64;

/// Consecutive records.
#[derive(Clone, Debug, Default)]
pub struct Chunk {
    text: String,
    spans: Vec<Span>,
}

/// A record within a chunk's text: its numbers, and where its texts are.
#[derive(Clone, Debug)]
struct Span {
    position: u64,
    version: u64,
    schema: u32,
    recorded_at: i64,
    causation: Option<u64>,
    start: usize,
    stream: usize,
    kind: usize,
    actor: usize,
    correlation_id: usize,
    payload: usize,
    hash: Option<Hash>,
}

/// A record that borrows its texts from a chunk.
#[derive(Clone, Copy, Debug)]
pub struct RecordRef<'a> {
    /// Everything that the hash covers.
    pub link: Link<'a>,
    /// The hash, where it was asked for.
    pub hash: Option<Hash>,
}

impl<'a> std::ops::Deref for RecordRef<'a> {
    type Target = Link<'a>;

    fn deref(&self) -> &Self::Target {
        &self.link
    }
}

/// Takes fields off the front of a chunk's bytes.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn unsigned(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        let start = self.at;
        loop {
            match *self.bytes.get(self.at)? {
                digit @ b'0'..=b'9' => number = number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?,
                SEPARATOR if self.at > start => break,
                _ => return None,
            }
            self.at += 1;
        }
        self.at += 1;
        Some(number)
    }

    fn optional(&mut self) -> Option<Option<u64>> {
        if *self.bytes.get(self.at)? == SEPARATOR {
            self.at += 1;
            return Some(None);
        }
        self.unsigned().map(Some)
    }

    fn signed(&mut self) -> Option<i64> {
        if *self.bytes.get(self.at)? == b'-' {
            self.at += 1;
            return 0_i64.checked_sub_unsigned(self.unsigned()?);
        }
        i64::try_from(self.unsigned()?).ok()
    }

    fn length(&mut self) -> Option<usize> {
        usize::try_from(self.unsigned()?).ok()
    }

    /// Passes over a text and its separator, which the last one of a chunk has not.
    fn text(&mut self, length: usize) -> Option<()> {
        let end = self.at.checked_add(length)?;
        match self.bytes.get(end) {
            Some(&SEPARATOR) => self.at = end + 1,
            None if end == self.bytes.len() => self.at = end,
            _ => return None,
        }
        Some(())
    }

    fn hash(&mut self) -> Option<Hash> {
        let digits = self.bytes.get(self.at..self.at + HASH_DIGITS)?;
        let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
        }
        self.text(HASH_DIGITS)?;
        Some(hash)
    }

    fn record(&mut self, with_hash: bool) -> Option<Span> {
        let span = Span {
            position: self.unsigned()?,
            version: self.unsigned()?,
            schema: u32::try_from(self.unsigned()?).ok()?,
            recorded_at: self.signed()?,
            causation: self.optional()?,
            stream: self.length()?,
            kind: self.length()?,
            actor: self.length()?,
            correlation_id: self.length()?,
            payload: self.length()?,
            hash: if with_hash { Some(self.hash()?) } else { None },
            // Last, because it is where the texts begin.
            start: self.at,
        };
        for length in [span.stream, span.kind, span.actor, span.correlation_id, span.payload] {
            self.text(length)?;
        }
        Some(span)
    }
}

impl Chunk {
    /// Reads a chunk as a store's query wrote it.
    ///
    /// # Errors
    ///
    /// `Corrupt` where the bytes are no records.
    pub(super) fn parse(bytes: Vec<u8>, with_hashes: bool) -> Result<Self, Unavailable> {
        let corrupt = |detail: String| Unavailable { cause: Cause::Corrupt, detail };
        let mut spans: Vec<Span> = Vec::new();
        let mut cursor = Cursor { bytes: &bytes, at: 0 };
        while cursor.at < bytes.len() {
            let Some(span) = cursor.record(with_hashes) else {
                let last = spans.last().map_or(0, |span| span.position);
                return Err(corrupt(format!("the record that follows position {last} cannot be read")));
            };
            spans.push(span);
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let bad = error.utf8_error().valid_up_to();
            let position = spans.iter().rev().find(|span| span.start <= bad).map_or(0, |span| span.position);
            corrupt(format!("the record at position {position} is no UTF-8 text"))
        })?;
        let chunk = Self { text, spans };
        // Every field must begin and end between characters, or slicing it would panic.
        match chunk.spans.iter().find(|span| chunk.borrow(span).is_none()) {
            Some(span) => Err(corrupt(format!("the record at position {} is no UTF-8 text", span.position))),
            None => Ok(chunk),
        }
    }

    /// How many records it holds.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether it holds none, because there are no more.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The position of its last record.
    pub fn last_position(&self) -> Option<u64> {
        self.spans.last().map(|span| span.position)
    }

    /// The first position after `after`, up to and including `until`, that it has not.
    pub fn first_missing(&self, after: u64, until: u64) -> Option<u64> {
        let mut expected = after + 1;
        for span in &self.spans {
            if span.position != expected {
                break;
            }
            expected += 1;
        }
        (expected <= until).then_some(expected)
    }

    /// Its records in order.
    pub fn records(&self) -> impl ExactSizeIterator<Item = RecordRef<'_>> + DoubleEndedIterator {
        const NOTHING: RecordRef<'static> = RecordRef { link: Link::EMPTY, hash: None };
        // `parse` has seen that all of them can be borrowed.
        self.spans.iter().map(|span| self.borrow(span).unwrap_or(NOTHING))
    }

    fn borrow(&self, span: &Span) -> Option<RecordRef<'_>> {
        let mut at = span.start;
        let mut next = |length: usize| {
            let text = self.text.get(at..at + length);
            at += length + 1;
            text
        };
        Some(RecordRef {
            link: Link {
                position: span.position,
                stream: next(span.stream)?,
                version: span.version,
                kind: next(span.kind)?,
                schema: span.schema,
                recorded_at: span.recorded_at,
                actor: next(span.actor)?,
                correlation_id: next(span.correlation_id)?,
                causation: span.causation,
                payload: next(span.payload)?,
            },
            hash: span.hash,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "7\u{1f}2\u{1f}1\u{1f}-5\u{1f}\u{1f}4\u{1f}1\u{1f}6\u{1f}3\u{1f}2\u{1f}vm-1\u{1f}K\u{1f}system\u{1f}a\u{1f}b\u{1f}{}";

    #[test]
    fn a_separator_within_a_text_is_part_of_it() {
        let chunk = Chunk::parse(TEXT.into(), false).unwrap();
        let record = chunk.records().next().unwrap();
        assert_eq!((record.position, record.version, record.recorded_at, record.causation), (7, 2, -5, None));
        assert_eq!((record.stream, record.correlation_id, record.payload), ("vm-1", "a\u{1f}b", "{}"));
    }

    #[test]
    fn what_is_damaged_is_refused_and_never_panics() {
        for end in 1..TEXT.len() {
            assert_eq!(Chunk::parse(TEXT.as_bytes()[..end].to_vec(), false).unwrap_err().cause, Cause::Corrupt);
        }
        for at in 0..TEXT.len() {
            for byte in [0, b'9', SEPARATOR, 0xc3, 0xff] {
                let mut bytes = TEXT.as_bytes().to_vec();
                bytes[at] = byte;
                if let Ok(chunk) = Chunk::parse(bytes, false) {
                    assert_eq!(chunk.records().count(), chunk.len());
                }
            }
        }
    }
}
