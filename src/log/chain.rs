//! The hash chain: each record's hash covers the previous one's, so that an edit, a deletion or another order is found.
//!
//! hash = SHA-256(previous hash, then each column in the table's order as a 4-byte length and its bytes). Text is UTF-8, a number is
//! eight bytes, an absent causation has the length 0; lengths and numbers are big-endian. Whoever can read the table can check it with
//! twenty lines of any language.

use ring::digest::{SHA256, digest};

/// A SHA-256.
pub type Hash = [u8; 32];

/// What stands for the hash of the record before the first.
pub const GENESIS: Hash = [0; 32];

/// The columns that a hash covers.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Link<'a> {
    pub position: u64,
    pub stream: &'a str,
    pub version: u64,
    pub kind: &'a str,
    pub schema: u32,
    pub recorded_at: i64,
    pub actor: &'a str,
    pub correlation_id: &'a str,
    pub causation: Option<u64>,
    pub payload: &'a str,
}

impl Link<'static> {
    /// No record.
    pub(super) const EMPTY: Self = Self {
        position: 0,
        stream: "",
        version: 0,
        kind: "",
        schema: 0,
        recorded_at: 0,
        actor: "",
        correlation_id: "",
        causation: None,
        payload: "",
    };
}

/// Computes hashes; keeps its buffer from one record to the next.
#[derive(Debug, Default)]
pub struct Chain {
    buffer: Vec<u8>,
}

impl Chain {
    /// The hash of a record.
    pub fn hash(&mut self, previous: &Hash, link: &Link<'_>) -> Hash {
        self.buffer.clear();
        self.buffer.extend_from_slice(previous);
        self.number(link.position);
        self.text(link.stream);
        self.number(link.version);
        self.text(link.kind);
        self.number(u64::from(link.schema));
        self.number(link.recorded_at.cast_unsigned());
        self.text(link.actor);
        self.text(link.correlation_id);
        match link.causation {
            Some(position) => self.number(position),
            None => self.text(""),
        }
        self.text(link.payload);
        let mut hash = GENESIS;
        hash.copy_from_slice(digest(&SHA256, &self.buffer).as_ref());
        hash
    }

    fn number(&mut self, number: u64) {
        self.buffer.extend_from_slice(&8_u32.to_be_bytes());
        self.buffer.extend_from_slice(&number.to_be_bytes());
    }

    fn text(&mut self, text: &str) {
        // A column cannot be longer: SQLite ends at 2^30 bytes, PostgreSQL likewise.
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        self.buffer.extend_from_slice(&length.to_be_bytes());
        self.buffer.extend_from_slice(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link() -> Link<'static> {
        Link {
            position: 1,
            stream: "vm-1",
            version: 1,
            kind: "VmCreated",
            schema: 1,
            recorded_at: 5,
            actor: "system",
            correlation_id: "c",
            causation: None,
            payload: "{}",
        }
    }

    #[test]
    fn the_format_stays_as_it_was() {
        let hash = Chain::default().hash(&GENESIS, &link());
        let hex = hex::encode(hash);
        assert_eq!(hex, "0a98f805cf68999ef157a013744fd49d655003f3760d8a8c90ee79307e944b9b");
    }

    #[test]
    fn where_one_column_ends_and_the_next_begins_counts() {
        let mut chain = Chain::default();
        let one = chain.hash(&GENESIS, &Link { actor: "ab", correlation_id: "c", ..link() });
        let other = chain.hash(&GENESIS, &Link { actor: "a", correlation_id: "bc", ..link() });
        assert_ne!(one, other);
    }

    #[test]
    fn no_causation_is_not_causation_zero() {
        let mut chain = Chain::default();
        assert_ne!(chain.hash(&GENESIS, &link()), chain.hash(&GENESIS, &Link { causation: Some(0), ..link() }));
    }
}
