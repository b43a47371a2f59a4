//! The order of a list: by fields, each up or down; absent values come last.

use std::cmp::Ordering;

use super::filter::{Mismatch, rank_of};
use super::parse::Direction;
use super::schema::{Entity, FieldKind, Member};
use super::value::{Searchable, Value};

/// An order of one entity's rows.
#[derive(Clone, Debug)]
pub struct Order(Vec<SortKey>);

#[derive(Clone, Debug)]
struct SortKey {
    name: &'static str,
    kind: Option<FieldKind>,
    direction: Direction,
}

impl Order {
    /// The order in which an entity is listed where nobody asks for another.
    pub fn usual(entity: Entity) -> Self {
        Self::then_usual(entity, Vec::new())
    }

    /// By fields, the first of them first; what they leave equal is in the usual order.
    ///
    /// Refuses a field that the entity does not have.
    pub fn by(entity: Entity, fields: &[(&str, Direction)]) -> Result<Self, Mismatch> {
        let mut keys: Vec<SortKey> = Vec::new();
        for &(name, direction) in fields {
            let field = entity.field(name).ok_or_else(|| Mismatch::UnknownField { entity, field: name.to_owned() })?;
            if keys.iter().all(|key| key.name != field.name) {
                keys.push(SortKey { name: field.name, kind: Some(field.kind), direction });
            }
        }
        Ok(Self::then_usual(entity, keys))
    }

    fn then_usual(entity: Entity, mut keys: Vec<SortKey>) -> Self {
        for &(name, direction) in entity.default_sort() {
            if keys.iter().all(|key| key.name != name) {
                keys.push(SortKey { name, kind: entity.field(name).map(|field| field.kind), direction });
            }
        }
        Self(keys)
    }

    /// Which of two rows comes first. Absent values come last, in either direction.
    pub fn compare(&self, one: &dyn Searchable, other: &dyn Searchable) -> Ordering {
        self.0.iter().map(|key| key.compare(one, other)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }

    /// The fields and directions that [`compare`](Self::compare) goes by.
    pub fn keys(&self) -> impl Iterator<Item = (&'static str, Direction)> {
        self.0.iter().map(|key| (key.name, key.direction))
    }

    /// Whether it goes by any of some fields.
    pub fn asks(&self, fields: &[&str]) -> bool {
        self.0.iter().any(|key| fields.contains(&key.name))
    }
}

/// The first place that a value has in an enumeration's order.
fn least_rank(members: &[Member], value: &Value<'_>) -> Option<usize> {
    match value {
        Value::Text(text) => rank_of(members, text),
        Value::Texts(texts) => texts.iter().filter_map(|text| rank_of(members, text)).min(),
        _ => None,
    }
}

impl SortKey {
    fn compare(&self, one: &dyn Searchable, other: &dyn Searchable) -> Ordering {
        let (one, other) = (one.field(self.name), other.field(self.name));
        match (one.is_absent(), other.is_absent()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => {
                let order = self.compare_present(&one, &other);
                if self.direction == Direction::Desc { order.reverse() } else { order }
            }
        }
    }

    fn compare_present(&self, one: &Value<'_>, other: &Value<'_>) -> Ordering {
        match self.kind {
            Some(FieldKind::Enum(members)) => least_rank(members, one).cmp(&least_rank(members, other)),
            _ => one.order(other),
        }
    }
}
