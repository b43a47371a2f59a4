//! A search made ready for rows: which of them match, in which order, on which page.
//!
//! The rules are those of a relational database: nothing compares with an absent value, so `!=` is false for it too,
//! and only `= null` (or `= ""`) finds it. An empty text counts as absent. A condition on a related object holds if it
//! holds for at least one of them, `!=` included: `vms.status != up` finds hosts with some virtual machine not up.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::Range;

use uuid::Uuid;

use super::dates::{DAY_MICROS, parse_date, parse_time_span, start_of_day};
use super::error::{SearchError, SearchErrorKind};
use super::parse::{At, Direction, Expr, Literal, Name, Operator, Query, Relation, parse};
use super::pattern::Pattern;
use super::schema::{Entity, FieldKind, Member, SearchField, same_spelling};

/// Characters that no text to compare with may contain.
const FORBIDDEN_IN_TEXT: [char; 7] = ['<', '>', '&', '^', '#', '!', '\''];

/// What a row answers when asked for a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// Nothing.
    Null,
    /// Whether there is one is not known: no condition holds for it, and not its opposite.
    Unknown,
    /// A text, or the spelling of an enumeration's member in the API or in the query language.
    Text(Cow<'a, str>),
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
    /// Several texts, of which any may match; with `!=`, none may.
    Texts(Vec<Cow<'a, str>>),
}

impl<'a> Value<'a> {
    /// A borrowed text.
    pub fn text(text: &'a str) -> Self {
        Value::Text(Cow::Borrowed(text))
    }

    fn is_absent(&self) -> bool {
        match self {
            Value::Null | Value::Unknown => true,
            Value::Text(text) => text.is_empty(),
            Value::Texts(texts) => texts.iter().all(|text| text.is_empty()),
            _ => false,
        }
    }

    /// Whether any text of the value passes the test; numbers count by their digits.
    fn any_text(&self, mut test: impl FnMut(&str) -> bool) -> bool {
        match self {
            Value::Null | Value::Unknown => false,
            Value::Text(text) => test(text),
            Value::Texts(texts) => texts.iter().any(|text| test(text)),
            Value::Uuid(id) => test(id.hyphenated().encode_lower(&mut Uuid::encode_buffer())),
            Value::Int(number) | Value::Micros(number) | Value::Seconds(number) => test(&number.to_string()),
            Value::Decimal(number) => test(&number.to_string()),
            Value::Bool(truth) => test(if *truth { "true" } else { "false" }),
        }
    }

    fn compare_int(&self, other: i64) -> Option<Ordering> {
        match self {
            Value::Int(number) | Value::Micros(number) | Value::Seconds(number) => Some(number.cmp(&other)),
            Value::Decimal(number) => number.partial_cmp(&(other as f64)),
            _ => None,
        }
    }

    fn compare_decimal(&self, other: f64) -> Option<Ordering> {
        match self {
            Value::Int(number) => (*number as f64).partial_cmp(&other),
            Value::Decimal(number) => number.partial_cmp(&other),
            _ => None,
        }
    }

    /// The order of two values of one field; text is ordered without regard to case first and then by its characters,
    /// so that an index of names can yield the same.
    fn order(&self, other: &Value<'_>) -> Ordering {
        match (self, other) {
            (Value::Text(one), Value::Text(other)) => order_text(one, other),
            (Value::Texts(one), Value::Texts(other)) => one.cmp(other),
            (Value::Uuid(one), Value::Uuid(other)) => one.cmp(other),
            (Value::Bool(one), Value::Bool(other)) => one.cmp(other),
            (one, Value::Int(other) | Value::Micros(other) | Value::Seconds(other)) => {
                one.compare_int(*other).unwrap_or(Ordering::Equal)
            }
            (Value::Decimal(one), Value::Decimal(other)) => one.total_cmp(other),
            (one, Value::Decimal(other)) => one.compare_decimal(*other).unwrap_or(Ordering::Equal),
            _ => Ordering::Equal,
        }
    }
}

/// The order of two texts: that of their lower case, then their own.
fn order_text(one: &str, other: &str) -> Ordering {
    let folded = if one.is_ascii() && other.is_ascii() {
        let lower = |byte: u8| byte.to_ascii_lowercase();
        one.bytes().map(lower).cmp(other.bytes().map(lower))
    } else {
        one.to_lowercase().cmp(&other.to_lowercase())
    };
    folded.then_with(|| one.cmp(other))
}

/// A row, as far as a search sees it.
pub trait Searchable {
    /// The value of a field of [`Entity::fields`] or a name of [`Entity::default_sort`].
    fn field(&self, name: &'static str) -> Value<'_>;

    /// Shows each related row to `visit` until that returns true.
    fn related(&self, reference: Entity, visit: &mut dyn FnMut(&dyn Searchable) -> bool);
}

/// What a search depends on beside its text and the rows.
#[derive(Clone, Copy)]
pub struct Env<'a> {
    /// The time now, in microseconds since the epoch: what `today` means.
    pub now_micros: i64,
    /// Whether text compares with its case.
    pub case_sensitive: bool,
    /// The names of the tags that a pattern matches and of all tags below them.
    pub tags: &'a dyn Fn(&Pattern) -> Vec<String>,
}

impl Env<'static> {
    /// An environment without tags.
    pub fn new(now_micros: i64, case_sensitive: bool) -> Self {
        Env { now_micros, case_sensitive, tags: &|_| Vec::new() }
    }
}

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

/// A search made ready for one entity's rows.
#[derive(Clone, Debug)]
pub struct Plan {
    entity: Entity,
    filter: Option<Node>,
    sort: Vec<SortKey>,
    page: u32,
}

#[derive(Clone, Debug)]
enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Test(Test),
    Related(Entity, Test),
}

#[derive(Clone, Debug)]
enum Test {
    Field { name: &'static str, check: Check },
    FreeText { entity: Entity, pattern: Pattern, negated: bool },
}

/// What is asked of one value. `negated` asks for the opposite of a value that is there.
#[derive(Clone, Debug)]
enum Check {
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

#[derive(Clone, Debug)]
struct SortKey {
    name: &'static str,
    kind: Option<FieldKind>,
    direction: Direction,
}

/// Reads a search for `entity` and makes it ready: resolves its names and checks its operators and values.
pub fn compile(entity: Entity, text: &str, env: &Env<'_>) -> Result<Plan, SearchError> {
    let query = parse(text)?;
    Compiler { entity, env, free_texts: Vec::new() }.plan(&query)
}

impl Plan {
    /// A search with its object before a colon, as bookmarks keep it: `Vms: name=web*`.
    pub fn compile_with_object(text: &str, env: &Env<'_>) -> Result<Plan, SearchError> {
        let (object, rest) = text.split_once(':').unwrap_or((text, ""));
        let entity = Entity::called(object.trim()).filter(|_| text.contains(':')).ok_or_else(|| {
            SearchError::new(SearchErrorKind::UnknownObject, 0, "no object to search for", "an object such as Vms:")
        })?;
        let offset = text.len() - rest.len();
        compile(entity, rest, env).map_err(|error| SearchError { position: error.position + offset, ..error })
    }

    /// What is searched for.
    pub fn entity(&self) -> Entity {
        self.entity
    }

    /// Whether every row matches.
    pub fn matches_all(&self) -> bool {
        self.filter.is_none()
    }

    /// Whether a row matches.
    pub fn matches(&self, row: &dyn Searchable) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.matches(row))
    }

    /// Which of two rows comes first: by the sort asked for, then by the default order. Absent values come last.
    pub fn compare(&self, one: &dyn Searchable, other: &dyn Searchable) -> Ordering {
        self.sort.iter().map(|key| key.compare(one, other)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }

    /// The fields and directions that [`compare`](Self::compare) goes by.
    pub fn order(&self) -> impl Iterator<Item = (&'static str, Direction)> {
        self.sort.iter().map(|key| (key.name, key.direction))
    }

    /// The page wanted, from 1.
    pub fn page(&self) -> u32 {
        self.page
    }

    /// Whether it asks for any of some fields of its rows or sorts by one, a free text included, or asks for anything that they refer to.
    pub fn asks(&self, fields: &[&str]) -> bool {
        self.filter.as_ref().is_some_and(|filter| filter.asks(fields)) || self.sort.iter().any(|key| fields.contains(&key.name))
    }

    /// Which of the sorted matches are on the page wanted.
    pub fn range(&self, page_size: usize) -> Range<usize> {
        let page = usize::try_from(self.page).unwrap_or(usize::MAX);
        (page - 1).saturating_mul(page_size)..page.saturating_mul(page_size)
    }

    /// What every match satisfies, as far as an index could answer it: of several conditions of which one suffices, all have to be such.
    pub fn sought(&self) -> Option<Sought> {
        self.filter.as_ref().and_then(Node::sought)
    }

    /// The conditions on related entities of a kind. Each holds where one of them satisfies it, no matter which.
    pub fn conditions_on(&self, entity: Entity) -> Vec<Condition<'_>> {
        let mut found = Vec::new();
        if let Some(filter) = &self.filter {
            filter.collect_conditions(entity, &mut found);
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

struct Compiler<'e> {
    entity: Entity,
    env: &'e Env<'e>,
    /// The objects that already have their one free text.
    free_texts: Vec<Entity>,
}

impl Compiler<'_> {
    fn plan(mut self, query: &Query) -> Result<Plan, SearchError> {
        let filter = query.filter.as_ref().map(|expr| self.node(expr)).transpose()?;
        let mut sort = Vec::new();
        if let Some((name, direction)) = &query.sort {
            let field = self.entity.field(&name.text).ok_or_else(|| {
                SearchError::new(
                    SearchErrorKind::UnknownSortField,
                    name.at.0,
                    format_args!("unknown sort field `{}`", name.text),
                    field_names(self.entity),
                )
            })?;
            sort.push(SortKey { name: field.name, kind: Some(field.kind), direction: *direction });
        }
        for &(name, direction) in self.entity.default_sort() {
            if sort.iter().all(|key| key.name != name) {
                sort.push(SortKey { name, kind: self.entity.field(name).map(|field| field.kind), direction });
            }
        }
        Ok(Plan { entity: self.entity, filter, sort, page: query.page.unwrap_or(1) })
    }

    fn node(&mut self, expr: &Expr) -> Result<Node, SearchError> {
        match expr {
            Expr::All(parts) => Ok(Node::All(self.nodes(parts)?)),
            Expr::Any(parts) => Ok(Node::Any(self.nodes(parts)?)),
            Expr::FreeText(text) => Ok(Node::Test(self.free_text(self.entity, text, text.at, false)?)),
            Expr::Relation(relation) => self.relation(relation),
        }
    }

    fn nodes(&mut self, parts: &[Expr]) -> Result<Vec<Node>, SearchError> {
        parts.iter().map(|part| self.node(part)).collect()
    }

    fn relation(&mut self, relation: &Relation) -> Result<Node, SearchError> {
        let name = &relation.field;
        if let Some(reference) = &relation.reference {
            let entity = self.reference(&reference.text).ok_or_else(|| self.unknown_reference(reference))?;
            let field = entity.field(&name.text).ok_or_else(|| unknown_field(entity, name))?;
            return Ok(Node::Related(entity, self.field_test(field, relation)?));
        }
        if let Some(field) = self.entity.field(&name.text) {
            return Ok(Node::Test(self.field_test(field, relation)?));
        }
        let entity = self.reference(&name.text).ok_or_else(|| unknown_field(self.entity, name))?;
        let negated = match relation.operator {
            Operator::Equal => false,
            Operator::NotEqual => true,
            _ => {
                return Err(operator_not_allowed(relation, &[Operator::Equal, Operator::NotEqual]));
            }
        };
        Ok(Node::Related(entity, self.free_text(entity, &relation.value, name.at, negated)?))
    }

    fn reference(&self, name: &str) -> Option<Entity> {
        self.entity.references().iter().copied().find(|entity| entity.is_called(name))
    }

    fn unknown_reference(&self, name: &Name) -> SearchError {
        let names: Vec<_> = self.entity.references().iter().map(|entity| entity.object_name()).collect();
        let expected = if names.is_empty() {
            format!("a field, since a {} refers to nothing", self.entity.object_name())
        } else {
            format!("one of {}", names.join(", "))
        };
        let problem = format!("unknown related object `{}`", name.text);
        SearchError::new(SearchErrorKind::UnknownReference, name.at.0, problem, expected)
    }

    fn free_text(&mut self, entity: Entity, text: &Literal, at: At, negated: bool) -> Result<Test, SearchError> {
        if self.free_texts.contains(&entity) {
            return Err(SearchError::new(
                SearchErrorKind::RepeatedFreeText,
                at.0,
                format_args!("second free text `{}` for {}", text.text, entity.object_name()),
                "at most one for an object",
            ));
        }
        self.free_texts.push(entity);
        Ok(Test::FreeText { entity, pattern: Pattern::anywhere(&text.text, self.env.case_sensitive), negated })
    }

    fn field_test(&self, field: &'static SearchField, relation: &Relation) -> Result<Test, SearchError> {
        if !field.operators.contains(&relation.operator) {
            return Err(operator_not_allowed(relation, field.operators));
        }
        let check = self.check(field, relation.operator, &relation.value.text).map_err(|expected| {
            SearchError::new(
                SearchErrorKind::InvalidValue,
                relation.value.at.0,
                format_args!("invalid value `{}` for {}", relation.value.text, field.name),
                expected,
            )
        })?;
        Ok(Test::Field { name: field.name, check })
    }

    /// The check that a value of the field must pass, or what kind of value was expected.
    fn check(&self, field: &SearchField, operator: Operator, text: &str) -> Result<Check, Cow<'static, str>> {
        let negated = operator == Operator::NotEqual;
        if (negated || operator == Operator::Equal) && (text.is_empty() || text.eq_ignore_ascii_case("null")) {
            return Ok(Check::Absent { negated });
        }
        if matches!(field.kind, FieldKind::Text | FieldKind::Substring | FieldKind::Tag) && text.contains(FORBIDDEN_IN_TEXT) {
            return Err("a text without any of < > & ^ # ! '".into());
        }
        let case_sensitive = self.env.case_sensitive;
        match field.kind {
            FieldKind::Text => Ok(Check::Text { pattern: Pattern::new(text, case_sensitive), negated }),
            FieldKind::Substring => Ok(Check::Text { pattern: Pattern::anywhere(text, case_sensitive), negated }),
            FieldKind::Tag => Ok(Check::OneOf { names: (self.env.tags)(&Pattern::new(text, case_sensitive)) }),
            FieldKind::Enum(members) => enum_check(members, operator, text),
            FieldKind::Int => text.parse().map(|number| Check::Int(operator, number)).map_err(|_| "a whole number".into()),
            FieldKind::Decimal => match text.parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(Check::Decimal(operator, number)),
                _ => Err("a number".into()),
            },
            FieldKind::Bool if text.eq_ignore_ascii_case("true") => Ok(Check::Bool { wanted: !negated }),
            FieldKind::Bool if text.eq_ignore_ascii_case("false") => Ok(Check::Bool { wanted: negated }),
            FieldKind::Bool => Err("true or false".into()),
            FieldKind::Uuid => text.parse().map(|id| Check::Uuid { id, negated }).map_err(|_| "a UUID".into()),
            FieldKind::Date => {
                let moment = parse_date(text, self.env.now_micros)
                    .ok_or("a date such as 2013-10-20, 10/20/2013, today, yesterday or a weekday")?;
                Ok(match operator {
                    Operator::Equal | Operator::NotEqual => {
                        let from = start_of_day(moment);
                        Check::Within { from, until: from + DAY_MICROS, negated }
                    }
                    _ => Check::Int(operator, moment),
                })
            }
            FieldKind::TimeSpan => parse_time_span(text)
                .map(|seconds| Check::Int(operator, seconds))
                .ok_or_else(|| "a time span [days.]hours:minutes:seconds".into()),
        }
    }
}

fn enum_check(members: &'static [Member], operator: Operator, text: &str) -> Result<Check, Cow<'static, str>> {
    let Some(rank) = members.iter().position(|member| member.is_spelled(text)) else {
        let names: Vec<_> = members.iter().map(|member| member.internal).collect();
        return Err(format!("one of {}", names.join(", ")).into());
    };
    let negated = operator == Operator::NotEqual;
    if !negated && operator != Operator::Equal {
        return Ok(Check::Rank { members, operator, rank });
    }
    // A member named by the spelling of the query language is that one alone, but a row may know only what the API
    // calls it; named by the spelling of the API, it is every member that shares the spelling.
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
    Ok(Check::Enum { spellings, negated })
}

fn unknown_field(entity: Entity, name: &Name) -> SearchError {
    SearchError::new(
        SearchErrorKind::UnknownField,
        name.at.0,
        format_args!("unknown field `{}` of {}", name.text, entity.object_name()),
        field_names(entity),
    )
}

fn field_names(entity: Entity) -> String {
    let names: Vec<_> = entity.fields().iter().map(|field| field.name).collect();
    format!("one of {}", names.join(", "))
}

fn operator_not_allowed(relation: &Relation, allowed: &[Operator]) -> SearchError {
    let names: Vec<_> = allowed.iter().map(|operator| operator.as_str()).collect();
    SearchError::new(
        SearchErrorKind::OperatorNotAllowed,
        relation.operator_at.0,
        format_args!("operator `{}` does not suit {}", relation.operator.as_str(), relation.field.text),
        format_args!("one of {}", names.join(" ")),
    )
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
fn rank_of(members: &[Member], text: &str) -> Option<usize> {
    members.iter().position(|member| member.is_spelled(text))
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
