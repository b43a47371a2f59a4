//! From the text of a search to what it asks for: resolves its names and checks its operators and values.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::Range;

use super::dates::{DAY_MICROS, parse_date, parse_time_span, start_of_day};
use super::error::{SearchError, SearchErrorKind};
use super::filter::{Check, Condition, Filter, Hint, Node, Sought, Test, spellings_of};
use super::order::Order;
use super::parse::{At, Direction, Expr, Literal, Name, Operator, Relation, Search, parse};
use super::pattern::Pattern;
use super::schema::{Entity, FieldKind, Member, SearchField};
use super::value::Searchable;

/// Characters that no text to compare with may contain.
const FORBIDDEN_IN_TEXT: [char; 7] = ['<', '>', '&', '^', '#', '!', '\''];

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

/// A search made ready: which rows match, in which order, and which page of them is wanted.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Which rows match.
    pub filter: Filter,
    /// In which order.
    pub order: Order,
    page: u32,
}

/// Reads a search for `entity` and makes it ready. It may begin with its object and a colon, as portals and bookmarks have it.
///
/// Refuses a text that is none, one that names another object, and one that asks for what the entity does not have.
pub fn compile(entity: Entity, text: &str, env: &Env<'_>) -> Result<Plan, SearchError> {
    match with_object(text) {
        Some((object, _)) if object != entity => Err(SearchError::new(
            SearchErrorKind::UnknownObject,
            0,
            format_args!("the object of the search is `{}`", object.object_name()),
            format_args!("`{}`, or none", entity.object_name()),
        )),
        Some(_) => Plan::compile_with_object(text, env),
        None => compiled(entity, text, env),
    }
}

fn compiled(entity: Entity, text: &str, env: &Env<'_>) -> Result<Plan, SearchError> {
    let search = parse(text)?;
    Compiler { entity, env, free_texts: Vec::new() }.plan(&search)
}

/// The object that a search begins with, before a colon, and what follows that.
fn with_object(text: &str) -> Option<(Entity, &str)> {
    let (object, rest) = text.split_once(':')?;
    Entity::called(object.trim()).map(|entity| (entity, rest))
}

impl Plan {
    /// A search with its object before a colon, as bookmarks keep it: `Vms: name=web*`.
    pub fn compile_with_object(text: &str, env: &Env<'_>) -> Result<Plan, SearchError> {
        let (entity, rest) = with_object(text).ok_or_else(|| {
            SearchError::new(SearchErrorKind::UnknownObject, 0, "no object to search for", "an object such as Vms:")
        })?;
        let offset = text.len() - rest.len();
        compiled(entity, rest, env).map_err(|error| SearchError { position: error.position + offset, ..error })
    }

    /// What is searched for.
    pub fn entity(&self) -> Entity {
        self.filter.entity()
    }

    /// Whether every row matches.
    pub fn matches_all(&self) -> bool {
        self.filter.matches_all()
    }

    /// Whether a row matches.
    pub fn matches(&self, row: &dyn Searchable) -> bool {
        self.filter.matches(row)
    }

    /// Which of two rows comes first.
    pub fn compare(&self, one: &dyn Searchable, other: &dyn Searchable) -> Ordering {
        self.order.compare(one, other)
    }

    /// The fields and directions that [`compare`](Self::compare) goes by.
    pub fn order(&self) -> impl Iterator<Item = (&'static str, Direction)> {
        self.order.keys()
    }

    /// The page wanted, from 1.
    pub fn page(&self) -> u32 {
        self.page
    }

    /// Whether it asks for any of some fields of its rows or sorts by one, a free text included, or asks for anything that they refer to.
    pub fn asks(&self, fields: &[&str]) -> bool {
        self.filter.asks(fields) || self.order.asks(fields)
    }

    /// Which of the sorted matches are on the page wanted.
    pub fn range(&self, page_size: usize) -> Range<usize> {
        let page = usize::try_from(self.page).unwrap_or(usize::MAX);
        (page - 1).saturating_mul(page_size)..page.saturating_mul(page_size)
    }

    /// The conditions on related entities of a kind; see [`Filter::conditions_on`].
    pub fn conditions_on(&self, entity: Entity) -> Vec<Condition<'_>> {
        self.filter.conditions_on(entity)
    }

    /// What every match satisfies; see [`Filter::sought`].
    pub fn sought(&self) -> Option<Sought> {
        self.filter.sought()
    }

    /// The conditions that every match satisfies; see [`Filter::index_hint`].
    pub fn index_hint(&self) -> Vec<Hint> {
        self.filter.index_hint()
    }
}

struct Compiler<'e> {
    entity: Entity,
    env: &'e Env<'e>,
    /// The objects that already have their one free text.
    free_texts: Vec<Entity>,
}

impl Compiler<'_> {
    fn plan(mut self, search: &Search) -> Result<Plan, SearchError> {
        let node = search.filter.as_ref().map(|expr| self.node(expr)).transpose()?;
        let order = match &search.sort {
            None => Order::usual(self.entity),
            Some((name, direction)) => self.order(name, *direction)?,
        };
        Ok(Plan { filter: Filter::of(self.entity, node), order, page: search.page.unwrap_or(1) })
    }

    fn order(&self, name: &Name, direction: Direction) -> Result<Order, SearchError> {
        Order::by(self.entity, &[(&name.text, direction)]).map_err(|_| {
            SearchError::new(
                SearchErrorKind::UnknownSortField,
                name.at.0,
                format_args!("unknown sort field `{}`", name.text),
                field_names(self.entity),
            )
        })
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
    Ok(Check::Enum { spellings: spellings_of(members, rank, text), negated })
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
