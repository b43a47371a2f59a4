//! Which rows match: conditions on their fields and on what they refer to, made of a search's text or of typed values.
//!
//! The rules are those of a relational database: nothing compares with an absent value, so `!=` is false for it too,
//! and only `= null` (or `= ""`) finds it. An empty text counts as absent. A condition on a related object holds if it
//! holds for at least one of them, `!=` included: `vms.status != up` finds hosts with some virtual machine not up.

use std::cmp::Ordering;

use uuid::Uuid;

use super::parse::Operator;
use super::pattern::Pattern;
use super::schema::{Entity, FieldKind, Member, SearchField, same_spelling};
use super::value::{Searchable, Value};

/// Something that every match satisfies, by which a read model can seek instead of scanning.
#[derive(Clone, Debug, PartialEq)]
pub struct Hint {
    /// The related entity whose field it is: at least one related row satisfies it. `None` is the searched entity.
    pub reference: Option<Entity>,
    /// The field.
    pub field: &'static str,
    /// What its value is.
    pub seek: Seek,
    /// Whether the texts are in lower case and stand for every case.
    pub fold_case: bool,
}

/// What a [`Hint`] says of a value.
#[derive(Clone, Debug, PartialEq)]
pub enum Seek {
    /// It is one of these texts; the members of an enumeration as its table spells them.
    Texts(Vec<String>),
    /// It begins with this text.
    Prefix(String),
    /// It is this number.
    Int(i64),
    /// It is this UUID.
    Uuid(Uuid),
    /// It is a number or a moment from the first on and before the second.
    Within(i64, i64),
}

/// What every match satisfies, as far as indices could answer it.
#[derive(Clone, Debug, PartialEq)]
pub enum Sought {
    /// One condition.
    Hint(Hint),
    /// All of these.
    All(Vec<Sought>),
    /// One of these at least.
    Any(Vec<Sought>),
}

/// What rows of an entity have to satisfy.
#[derive(Clone, Debug)]
pub struct Filter {
    entity: Entity,
    node: Option<Node>,
}

/// A value that a field is compared with, as it is rather than as a search writes it.
#[derive(Clone, Debug)]
pub enum Operand<'a> {
    /// No value at all.
    Absent,
    /// This text in its case, a member of an enumeration in either spelling, or the tag of this name alone.
    Text(&'a str),
    /// Any text of this pattern.
    Matching(Pattern),
    /// One of these texts, members or tags.
    OneOf(&'a [&'a str]),
    /// A whole number.
    Int(i64),
    /// A number.
    Decimal(f64),
    /// A truth.
    Bool(bool),
    /// A moment, in microseconds since the epoch.
    Micros(i64),
    /// A duration.
    Seconds(i64),
    /// A UUID.
    Uuid(Uuid),
}

/// Why rows cannot be asked for that.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The entity has no field of that name.
    #[error("a {} has no field {field}", entity.object_name())]
    UnknownField {
        /// What was asked.
        entity: Entity,
        /// For which field.
        field: String,
    },
    /// The entity does not refer to the other.
    #[error("a {} refers to no {}", entity.object_name(), reference.object_name())]
    UnknownReference {
        /// What was asked.
        entity: Entity,
        /// For what it refers to.
        reference: Entity,
    },
    /// The field does not compare so with such a value.
    #[error("the field {field} does not compare by {} with such a value", operator.as_str())]
    Unsuitable {
        /// The field.
        field: &'static str,
        /// The operator.
        operator: Operator,
    },
    /// An enumeration has no such member.
    #[error("the field {field} is never {member}")]
    UnknownMember {
        /// The field.
        field: &'static str,
        /// What is no member.
        member: String,
    },
}

impl Filter {
    /// Lets every row pass.
    pub fn everything(entity: Entity) -> Self {
        Self { entity, node: None }
    }

    pub(super) fn of(entity: Entity, node: Option<Node>) -> Self {
        Self { entity, node }
    }

    /// Rows whose field compares so with a value.
    ///
    /// Refuses a field that the entity does not have, and a comparison that the field does not know.
    pub fn field(entity: Entity, name: &str, operator: Operator, with: &Operand<'_>) -> Result<Self, Mismatch> {
        Ok(Self { entity, node: Some(Node::Test(test(entity, name, operator, with)?)) })
    }

    /// Rows that refer to at least one row of another entity whose field compares so with a value.
    ///
    /// Refuses what [`Filter::field`] refuses of the other entity, and another that the entity does not refer to.
    pub fn related(
        entity: Entity,
        reference: Entity,
        name: &str,
        operator: Operator,
        with: &Operand<'_>,
    ) -> Result<Self, Mismatch> {
        if !entity.references().contains(&reference) {
            return Err(Mismatch::UnknownReference { entity, reference });
        }
        Ok(Self { entity, node: Some(Node::Related(reference, test(reference, name, operator, with)?)) })
    }

    /// Rows that pass both; the other filter has to be of the same entity.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        debug_assert_eq!(self.entity, other.entity);
        let node = match (self.node, other.node) {
            (Some(one), Some(other)) => Some(Node::All(vec![one, other])),
            (one, other) => one.or(other),
        };
        Self { node, ..self }
    }

    /// Rows that pass one of both; the other filter has to be of the same entity.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        debug_assert_eq!(self.entity, other.entity);
        let node = self.node.zip(other.node).map(|(one, other)| Node::Any(vec![one, other]));
        Self { node, ..self }
    }

    /// Whose rows it is for.
    pub fn entity(&self) -> Entity {
        self.entity
    }

    /// Whether every row matches.
    pub fn matches_all(&self) -> bool {
        self.node.is_none()
    }

    /// Whether a row matches.
    pub fn matches(&self, row: &dyn Searchable) -> bool {
        self.node.as_ref().is_none_or(|node| node.matches(row))
    }

    /// Whether it asks for any of some fields of its rows, as a free text does, or for anything that they refer to.
    pub fn asks(&self, fields: &[&str]) -> bool {
        self.node.as_ref().is_some_and(|node| node.asks(fields))
    }

    /// What every match satisfies, as far as an index could answer it: of several conditions of which one suffices, all have to be such.
    pub fn sought(&self) -> Option<Sought> {
        self.node.as_ref().and_then(Node::sought)
    }

    /// The conditions on related entities of a kind. Each holds where one of them satisfies it, no matter which.
    pub fn conditions_on(&self, entity: Entity) -> Vec<Condition<'_>> {
        let mut found = Vec::new();
        if let Some(node) = &self.node {
            node.collect_conditions(entity, &mut found);
        }
        found
    }

    /// The conditions that every match satisfies, as far as an index could answer them.
    pub fn index_hint(&self) -> Vec<Hint> {
        match self.sought() {
            Some(Sought::Hint(hint)) => vec![hint],
            Some(Sought::All(parts)) => parts.into_iter().filter_map(Sought::hint).collect(),
            Some(Sought::Any(_)) | None => Vec::new(),
        }
    }
}

fn test(entity: Entity, name: &str, operator: Operator, with: &Operand<'_>) -> Result<Test, Mismatch> {
    let field = entity.field(name).ok_or_else(|| Mismatch::UnknownField { entity, field: name.to_owned() })?;
    Ok(Test::Field { name: field.name, check: check(field, operator, with)? })
}

/// The check that a value of a field has to pass to compare so.
fn check(field: &SearchField, operator: Operator, with: &Operand<'_>) -> Result<Check, Mismatch> {
    use FieldKind as Kind;
    let negated = operator == Operator::NotEqual;
    let equality = negated || operator == Operator::Equal;
    let rank = |members: &'static [Member], text: &str| {
        let rank = members.iter().position(|member| member.is_spelled(text));
        rank.ok_or_else(|| Mismatch::UnknownMember { field: field.name, member: text.to_owned() })
    };
    Ok(match (field.kind, with) {
        (_, Operand::Absent) if equality => Check::Absent { negated },
        (Kind::Text | Kind::Substring, Operand::Text(text)) if equality => {
            Check::Text { pattern: Pattern::exactly(text), negated }
        }
        (Kind::Text | Kind::Substring, Operand::Matching(pattern)) if equality => {
            Check::Text { pattern: pattern.clone(), negated }
        }
        (Kind::Text | Kind::Substring | Kind::Tag, Operand::OneOf(texts)) if operator == Operator::Equal => {
            Check::OneOf { names: texts.iter().map(|&text| text.to_owned()).collect() }
        }
        (Kind::Tag, Operand::Text(tag)) if operator == Operator::Equal => Check::OneOf { names: vec![(*tag).to_owned()] },
        (Kind::Enum(members), Operand::Text(text)) => match rank(members, text)? {
            rank if equality => Check::Enum { spellings: spellings_of(members, rank, text), negated },
            rank => Check::Rank { members, operator, rank },
        },
        (Kind::Enum(members), Operand::OneOf(texts)) if equality => {
            let ranked = texts.iter().map(|text| Ok(spellings_of(members, rank(members, text)?, text)));
            Check::Enum { spellings: ranked.collect::<Result<Vec<_>, _>>()?.concat(), negated }
        }
        (Kind::Int, Operand::Int(number))
        | (Kind::Date, Operand::Micros(number))
        | (Kind::TimeSpan, Operand::Seconds(number)) => Check::Int(operator, *number),
        (Kind::Decimal, Operand::Decimal(number)) if number.is_finite() => Check::Decimal(operator, *number),
        (Kind::Bool, Operand::Bool(truth)) if equality => Check::Bool { wanted: *truth != negated },
        (Kind::Uuid, Operand::Uuid(id)) if equality => Check::Uuid { id: *id, negated },
        _ => return Err(Mismatch::Unsuitable { field: field.name, operator }),
    })
}

#[derive(Clone, Debug)]
pub(super) enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Test(Test),
    Related(Entity, Test),
}

#[derive(Clone, Debug)]
pub(super) enum Test {
    Field { name: &'static str, check: Check },
    FreeText { entity: Entity, pattern: Pattern, negated: bool },
}

/// What is asked of one value. `negated` asks for the opposite of a value that is there.
#[derive(Clone, Debug)]
pub(super) enum Check {
    Absent { negated: bool },
    Text { pattern: Pattern, negated: bool },
    OneOf { names: Vec<String> },
    Enum { spellings: Vec<&'static str>, negated: bool },
    Rank { members: &'static [Member], operator: Operator, rank: usize },
    Int(Operator, i64),
    Decimal(Operator, f64),
    Bool { wanted: bool },
    Uuid { id: Uuid, negated: bool },
    Within { from: i64, until: i64, negated: bool },
}

/// What a search asks of a related entity.
#[derive(Clone, Copy, Debug)]
pub struct Condition<'p>(&'p Test);

/// How rows may spell the member of a rank that a text names.
///
/// A member named by the spelling of the query language is that one alone, but a row may know only what the API
/// calls it; named by the spelling of the API, it is every member that shares the spelling.
pub(super) fn spellings_of(members: &'static [Member], rank: usize, text: &str) -> Vec<&'static str> {
    let mut spellings = vec![members[rank].rest];
    let named = members.iter().filter(|member| {
        if same_spelling(members[rank].internal, text) {
            member.internal == members[rank].internal
        } else {
            member.rest == members[rank].rest
        }
    });
    for member in named {
        if !spellings.contains(&member.internal) {
            spellings.push(member.internal);
        }
    }
    spellings
}

impl Node {
    fn matches(&self, row: &dyn Searchable) -> bool {
        match self {
            Node::All(parts) => parts.iter().all(|part| part.matches(row)),
            Node::Any(parts) => parts.iter().any(|part| part.matches(row)),
            Node::Test(test) => test.passes(row),
            Node::Related(entity, test) => {
                let mut found = false;
                row.related(*entity, &mut |related| {
                    found = found || test.passes(related);
                    found
                });
                found
            }
        }
    }

    fn asks(&self, fields: &[&str]) -> bool {
        match self {
            Node::All(parts) | Node::Any(parts) => parts.iter().any(|part| part.asks(fields)),
            Node::Test(test) => test.asks(fields),
            Node::Related(..) => true,
        }
    }

    fn collect_conditions<'p>(&'p self, entity: Entity, found: &mut Vec<Condition<'p>>) {
        match self {
            Node::All(parts) | Node::Any(parts) => parts.iter().for_each(|part| part.collect_conditions(entity, found)),
            Node::Related(of, test) if *of == entity => found.push(Condition(test)),
            Node::Related(..) | Node::Test(_) => {}
        }
    }

    fn sought(&self) -> Option<Sought> {
        match self {
            Node::All(parts) => {
                let mut known = Vec::new();
                for part in parts.iter().filter_map(Node::sought) {
                    match part {
                        Sought::All(parts) => known.extend(parts),
                        part => known.push(part),
                    }
                }
                (!known.is_empty()).then_some(Sought::All(known))
            }
            Node::Any(parts) => parts.iter().map(Node::sought).collect::<Option<_>>().map(Sought::Any),
            Node::Test(test) => test.hint(None).map(Sought::Hint),
            Node::Related(entity, test) => test.hint(Some(*entity)).map(Sought::Hint),
        }
    }
}

impl Condition<'_> {
    /// Whether a related row satisfies it.
    pub fn is_satisfied_by(&self, row: &dyn Searchable) -> bool {
        self.0.passes(row)
    }

    /// Whether it asks for any of some fields, as a free text does for all that have texts.
    pub fn asks(&self, fields: &[&str]) -> bool {
        self.0.asks(fields)
    }

    /// What every row that satisfies it has, as far as an index of those rows could answer it.
    pub fn hint(&self) -> Option<Hint> {
        self.0.hint(None)
    }
}

impl Sought {
    fn hint(self) -> Option<Hint> {
        match self {
            Sought::Hint(hint) => Some(hint),
            _ => None,
        }
    }
}

impl Test {
    fn passes(&self, row: &dyn Searchable) -> bool {
        match self {
            Test::Field { name, check } => check.passes(&row.field(name)),
            Test::FreeText { entity, pattern, negated } => {
                let mut columns = entity.fields().iter().filter(|field| field.free_text);
                columns.any(|field| row.field(field.name).any_text(|text| pattern.matches(text))) != *negated
            }
        }
    }

    fn asks(&self, fields: &[&str]) -> bool {
        match self {
            Test::Field { name, .. } => fields.contains(name),
            Test::FreeText { .. } => true,
        }
    }

    fn hint(&self, reference: Option<Entity>) -> Option<Hint> {
        let Test::Field { name, check } = self else {
            return None;
        };
        let (seek, fold_case) = match check {
            Check::Text { pattern, negated: false } => match pattern.exact() {
                Some(text) => (Seek::Texts(vec![text.to_owned()]), pattern.folds_case()),
                None if pattern.prefix().is_empty() => return None,
                None => (Seek::Prefix(pattern.prefix().to_owned()), pattern.folds_case()),
            },
            Check::OneOf { names } => (Seek::Texts(names.clone()), false),
            Check::Enum { spellings, negated: false } => {
                (Seek::Texts(spellings.iter().map(|&spelling| spelling.to_owned()).collect()), false)
            }
            Check::Rank { members, operator, rank } => {
                let fitting = members.iter().enumerate().filter(|(n, _)| operator.holds(n.cmp(rank)));
                (Seek::Texts(fitting.map(|(_, member)| member.internal.to_owned()).collect()), false)
            }
            Check::Int(Operator::Equal, number) => (Seek::Int(*number), false),
            Check::Int(Operator::Greater | Operator::GreaterOrEqual, number) => (Seek::Within(*number, i64::MAX), false),
            Check::Int(Operator::Less | Operator::LessOrEqual, number) => {
                (Seek::Within(i64::MIN, number.saturating_add(1)), false)
            }
            Check::Within { from, until, negated: false } => (Seek::Within(*from, *until), false),
            Check::Uuid { id, negated: false } => (Seek::Uuid(*id), false),
            _ => return None,
        };
        Some(Hint { reference, field: name, seek, fold_case })
    }
}

impl Check {
    fn passes(&self, value: &Value<'_>) -> bool {
        if let Check::Absent { negated } = self {
            return *value != Value::Unknown && value.is_absent() != *negated;
        }
        if value.is_absent() {
            return false;
        }
        match self {
            Check::Absent { .. } => false,
            Check::Text { pattern, negated } => value.any_text(|text| pattern.matches(text)) != *negated,
            Check::OneOf { names } => value.any_text(|text| names.iter().any(|name| name == text)),
            Check::Enum { spellings, negated } => {
                value.any_text(|text| spellings.iter().any(|spelling| same_spelling(spelling, text))) != *negated
            }
            Check::Rank { members, operator, rank } => {
                value.any_text(|text| rank_of(members, text).is_some_and(|own| operator.holds(own.cmp(rank))))
            }
            Check::Int(operator, number) => value.compare_int(*number).is_some_and(|order| operator.holds(order)),
            Check::Decimal(operator, number) => value.compare_decimal(*number).is_some_and(|order| operator.holds(order)),
            Check::Bool { wanted } => *value == Value::Bool(*wanted),
            Check::Uuid { id, negated } => match value {
                Value::Uuid(own) => (own == id) != *negated,
                other => other.any_text(|text| Uuid::parse_str(text).is_ok_and(|own| own == *id)) != *negated,
            },
            Check::Within { from, until, negated } => match value {
                Value::Micros(moment) => (from..until).contains(&moment) != *negated,
                _ => false,
            },
        }
    }
}

impl Operator {
    /// Whether two values in this order stand in the relation.
    fn holds(self, order: Ordering) -> bool {
        match self {
            Operator::Equal => order.is_eq(),
            Operator::NotEqual => order.is_ne(),
            Operator::Less => order.is_lt(),
            Operator::LessOrEqual => order.is_le(),
            Operator::Greater => order.is_gt(),
            Operator::GreaterOrEqual => order.is_ge(),
        }
    }
}

/// The place of a member in its enumeration's order.
pub(super) fn rank_of(members: &[Member], text: &str) -> Option<usize> {
    members.iter().position(|member| member.is_spelled(text))
}
