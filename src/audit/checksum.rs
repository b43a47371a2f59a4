//! The checksum of everything that the audit log's file holds: a sum of each row's, so that it grows with what is written and neither
//! the order nor the portions count.

use ring::digest;

use super::{AuditRecord, FormerName};

/// The sum, modulo 2^128.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Checksum(u128);

impl Checksum {
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self(u128::from_be_bytes(bytes.try_into().ok()?)))
    }

    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// Counts an entry in, without the names that were looked up for it.
    pub fn add_entry(&mut self, entry: &AuditRecord) {
        let mut row = Row::new(b"entry");
        row.number(entry.id).number(entry.recorded_at).text(&entry.correlation_id).number(entry.code);
        row.number(entry.severity as u8).text(&entry.message).text(&entry.origin);
        row.maybe(entry.custom_id.map(i64::to_be_bytes)).maybe(entry.flood_rate.map(i64::to_be_bytes));
        let of = entry.about;
        for id in [
            of.user.map(|id| id.0),
            of.vm.map(|id| id.0),
            of.host.map(|id| id.0),
            of.template.map(|id| id.0),
            of.cluster.map(|id| id.0),
            of.data_center.map(|id| id.0),
            of.storage_domain.map(|id| id.0),
            of.quota.map(|id| id.0),
        ] {
            row.maybe(id.map(uuid::Uuid::into_bytes));
        }
        self.add(row);
    }

    /// Counts a name in that something had.
    pub fn add_former(&mut self, former: &FormerName) {
        let mut row = Row::new(b"name");
        row.number(former.reference as u8).maybe(Some(former.id.into_bytes())).number(former.until).number(former.position);
        row.text(&former.name);
        self.add(row);
    }

    fn add(&mut self, row: Row) {
        let hash = row.0.finish();
        let half = hash.as_ref().first_chunk().copied().map_or(0, u128::from_be_bytes);
        self.0 = self.0.wrapping_add(half);
    }
}

/// What a row's checksum is made of: each value with its length or its being there.
struct Row(digest::Context);

impl Row {
    fn new(table: &[u8]) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(table);
        Self(context)
    }

    fn number(&mut self, number: impl Into<i128>) -> &mut Self {
        self.0.update(&number.into().to_be_bytes());
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.0.update(&text.len().to_be_bytes());
        self.0.update(text.as_bytes());
        self
    }

    fn maybe<const N: usize>(&mut self, value: Option<[u8; N]>) -> &mut Self {
        self.0.update(&[u8::from(value.is_some())]);
        self.0.update(&value.unwrap_or([0; N]));
        self
    }
}
