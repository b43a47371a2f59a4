//! The grammar: from a search text to a [`Search`], and back by `Display`.
//!
//! ```text
//! search  := [ any { any } ] [ "sortby" NAME [ "asc" | "desc" ] ] [ "page" DIGITS ]
//! any     := all { "or" all }
//! all     := term { "and" term }
//! term    := "(" any { any } ")" | [ NAME "." ] NAME operator value | value
//! value   := word | '"' anything but a quote '"'
//! ```
//!
//! A missing connector means AND and binds last: `a=1 or b=2 c=3` is `(a=1 or b=2) and c=3`. Parentheses, and a page
//! after a sort without direction, are extensions. A word with an operator behind it is always meant as a field, never
//! as free text.

use std::fmt::{self, Display, Formatter};

use super::error::{SearchError, SearchErrorKind};

/// The longest text accepted, in bytes.
pub const MAX_QUERY_LENGTH: usize = 4096;
/// The most criteria in one text.
pub const MAX_TERMS: usize = 64;
/// The deepest nesting of parentheses.
pub const MAX_DEPTH: usize = 16;

const KEYWORDS: [&str; 6] = ["and", "or", "sortby", "asc", "desc", "page"];

/// A place in the text. All places are equal, so that comparing searches compares what they say.
#[derive(Clone, Copy, Debug, Default)]
pub struct At(pub usize);

impl PartialEq for At {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for At {}

/// A whole search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// What must hold; everything matches without it.
    pub filter: Option<Expr>,
    /// The field to sort by before the default order.
    pub sort: Option<(Name, Direction)>,
    /// The page wanted, from 1.
    pub page: Option<u32>,
}

/// A condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expr {
    /// All of two or more hold.
    All(Vec<Expr>),
    /// One of two or more holds.
    Any(Vec<Expr>),
    /// A field compares so with a value.
    Relation(Relation),
    /// Some field of the object contains the text.
    FreeText(Literal),
}

/// One comparison. Whether a lone name is a field or a related object is for the schema to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    /// The related object whose field it is, if it is not the searched object's.
    pub reference: Option<Name>,
    /// The field.
    pub field: Name,
    /// How to compare.
    pub operator: Operator,
    /// Where the operator stands.
    pub operator_at: At,
    /// What to compare with.
    pub value: Literal,
}

/// A name in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The name.
    pub text: String,
    /// Where it stands.
    pub at: At,
}

/// A value as written, without its quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Literal {
    /// The value.
    pub text: String,
    /// Where it stands.
    pub at: At,
}

/// A relation between a field and a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Operator {
    /// Every operator, the longer spellings first so that the first that fits is the one meant.
    pub const ALL: [Operator; 6] =
        [Operator::NotEqual, Operator::LessOrEqual, Operator::GreaterOrEqual, Operator::Equal, Operator::Less, Operator::Greater];

    /// How it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Operator::Equal => "=",
            Operator::NotEqual => "!=",
            Operator::Less => "<",
            Operator::LessOrEqual => "<=",
            Operator::Greater => ">",
            Operator::GreaterOrEqual => ">=",
        }
    }
}

/// Which way to sort.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Smallest first.
    #[default]
    Asc,
    /// Largest first.
    Desc,
}

impl Direction {
    /// How it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Direction::Asc => "asc",
            Direction::Desc => "desc",
        }
    }
}

/// Reads a search text: what follows the object and its colon.
pub fn parse(text: &str) -> Result<Search, SearchError> {
    if text.len() > MAX_QUERY_LENGTH {
        return Err(SearchError::new(
            SearchErrorKind::QueryTooLong,
            MAX_QUERY_LENGTH,
            format_args!("search of {} bytes", text.len()),
            format_args!("at most {MAX_QUERY_LENGTH} bytes"),
        ));
    }
    if let Some((position, character)) = text.char_indices().find(|(_, character)| matches!(character, '\'' | ';')) {
        return Err(SearchError::new(
            SearchErrorKind::InvalidCharacter,
            position,
            format_args!("invalid character `{character}`"),
            "none of ' and ;",
        ));
    }
    Parser { text, position: 0, depth: 0, terms: 0 }.search()
}

/// Whether `text` can be the name of a field or an object.
fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

struct Parser<'t> {
    text: &'t str,
    position: usize,
    depth: usize,
    terms: usize,
}

impl<'t> Parser<'t> {
    fn search(mut self) -> Result<Search, SearchError> {
        let filter = if self.at_end_of_filter() { None } else { Some(self.sequence()?) };
        let sort = if self.take_keyword("sortby") { Some(self.sort()?) } else { None };
        let page = if self.take_keyword("page") { Some(self.page()?) } else { None };
        self.skip_spaces();
        if self.rest().is_empty() {
            return Ok(Search { filter, sort, page });
        }
        Err(if page.is_some() {
            self.error(SearchErrorKind::TrailingText, "nothing after the page")
        } else if sort.is_some() {
            self.error(SearchErrorKind::ExpectedSortDirection, "asc, desc or page")
        } else {
            self.error(SearchErrorKind::UnbalancedParenthesis, "no `)` without its `(`")
        })
    }

    /// Terms with nothing between them: these AND last.
    fn sequence(&mut self) -> Result<Expr, SearchError> {
        let mut parts = vec![self.any()?];
        while !self.at_end_of_filter() {
            parts.push(self.any()?);
        }
        Ok(unwrap_single(parts, Expr::All))
    }

    fn any(&mut self) -> Result<Expr, SearchError> {
        let mut parts = vec![self.all()?];
        while self.take_keyword("or") {
            parts.push(self.all()?);
        }
        Ok(unwrap_single(parts, Expr::Any))
    }

    fn all(&mut self) -> Result<Expr, SearchError> {
        let mut parts = vec![self.term()?];
        while self.take_keyword("and") {
            parts.push(self.term()?);
        }
        Ok(unwrap_single(parts, Expr::All))
    }

    fn term(&mut self) -> Result<Expr, SearchError> {
        self.skip_spaces();
        if self.rest().starts_with('(') {
            return self.group();
        }
        let word = self.peek_word();
        let is_term = (!word.is_empty() && !KEYWORDS.iter().any(|keyword| word.eq_ignore_ascii_case(keyword)))
            || self.rest().starts_with(['"', '!']) && self.peek_operator(self.position).is_none();
        if !is_term {
            return Err(self.error(SearchErrorKind::ExpectedTerm, "a criterion such as name=value"));
        }
        self.terms += 1;
        if self.terms > MAX_TERMS {
            return Err(self.error(SearchErrorKind::TooManyTerms, format_args!("at most {MAX_TERMS} criteria")));
        }
        let after_word = self.position + word.len();
        let operator_at = after_word + leading_spaces(&self.text[after_word..]);
        match self.peek_operator(operator_at) {
            Some(operator) if !word.is_empty() => {
                let (reference, field) = self.subject(word)?;
                self.position = operator_at + operator.as_str().len();
                self.skip_spaces();
                let value = self.value()?;
                Ok(Expr::Relation(Relation { reference, field, operator, operator_at: At(operator_at), value }))
            }
            _ => self.value().map(Expr::FreeText),
        }
    }

    fn group(&mut self) -> Result<Expr, SearchError> {
        let opening = self.position;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error(SearchErrorKind::TooDeep, format_args!("at most {MAX_DEPTH} nested parentheses")));
        }
        self.position += 1;
        let inner = self.sequence()?;
        self.skip_spaces();
        if !self.rest().starts_with(')') {
            return Err(self.error(SearchErrorKind::UnbalancedParenthesis, format_args!("`)` for the `(` at position {opening}")));
        }
        self.position += 1;
        self.depth -= 1;
        Ok(inner)
    }

    /// The field that a word with an operator behind it names.
    fn subject(&self, word: &str) -> Result<(Option<Name>, Name), SearchError> {
        let name = |text: &str, at: usize| Name { text: text.to_ascii_lowercase(), at: At(at) };
        let (reference, field) = match word.split_once('.') {
            Some((reference, field)) => (Some(reference), field),
            None => (None, word),
        };
        if !is_name(field) || !reference.is_none_or(is_name) {
            return Err(SearchError::new(
                SearchErrorKind::UnknownField,
                self.position,
                format_args!("unknown field `{word}`"),
                "the name of a field before the operator",
            ));
        }
        let field_at = self.position + word.len() - field.len();
        Ok((reference.map(|reference| name(reference, self.position)), name(field, field_at)))
    }

    /// A quoted text, or a word up to a space or to the parenthesis that closes an open group.
    fn value(&mut self) -> Result<Literal, SearchError> {
        let start = self.position;
        let at = At(start);
        if let Some(quoted) = self.rest().strip_prefix('"') {
            let Some(length) = quoted.find('"') else {
                return Err(self.error(SearchErrorKind::UnterminatedQuote, "a closing quote"));
            };
            self.position += length + 2;
            return Ok(Literal { text: quoted[..length].to_owned(), at });
        }
        let mut open = 0_usize;
        let mut length = self.rest().len();
        for (offset, character) in self.rest().char_indices() {
            match character {
                '"' => {
                    self.position += offset;
                    return Err(self.error(SearchErrorKind::InvalidCharacter, "a space before a quoted value"));
                }
                '(' => open += 1,
                ')' if open > 0 => open -= 1,
                ')' if self.depth == 0 => {}
                _ if !character.is_whitespace() && character != ')' => {}
                _ => {
                    length = offset;
                    break;
                }
            }
        }
        if length == 0 {
            return Err(self.error(SearchErrorKind::ExpectedValue, "a value"));
        }
        self.position += length;
        Ok(Literal { text: self.text[start..self.position].to_owned(), at })
    }

    fn sort(&mut self) -> Result<(Name, Direction), SearchError> {
        self.skip_spaces();
        let word = self.peek_word();
        if !is_name(word) {
            return Err(self.error(SearchErrorKind::ExpectedSortField, "a field to sort by"));
        }
        let name = Name { text: word.to_ascii_lowercase(), at: At(self.position) };
        self.position += word.len();
        let direction = if self.take_keyword("desc") {
            Direction::Desc
        } else {
            self.take_keyword("asc");
            Direction::Asc
        };
        Ok((name, direction))
    }

    fn page(&mut self) -> Result<u32, SearchError> {
        self.skip_spaces();
        let word = self.peek_word();
        let digits = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
        match word.parse() {
            Ok(page) if digits && page > 0 => {
                self.position += word.len();
                Ok(page)
            }
            _ => Err(self.error(SearchErrorKind::InvalidPage, "a page number from 1")),
        }
    }

    fn rest(&self) -> &'t str {
        &self.text[self.position..]
    }

    fn skip_spaces(&mut self) {
        self.position += leading_spaces(self.rest());
    }

    /// The characters up to a space, an operator, a quote or a parenthesis.
    fn peek_word(&self) -> &'t str {
        let rest = self.rest();
        let ends = |character: char| character.is_whitespace() || "=<>!()\"".contains(character);
        &rest[..rest.find(ends).unwrap_or(rest.len())]
    }

    fn peek_operator(&self, position: usize) -> Option<Operator> {
        let rest = &self.text[position..];
        Operator::ALL.into_iter().find(|operator| rest.starts_with(operator.as_str()))
    }

    /// Steps over a keyword if it comes next.
    fn take_keyword(&mut self, keyword: &str) -> bool {
        self.skip_spaces();
        let word = self.peek_word();
        let found = word.eq_ignore_ascii_case(keyword);
        if found {
            self.position += word.len();
        }
        found
    }

    fn at_end_of_filter(&mut self) -> bool {
        self.skip_spaces();
        let word = self.peek_word();
        self.rest().is_empty()
            || self.rest().starts_with(')')
            || word.eq_ignore_ascii_case("sortby")
            || word.eq_ignore_ascii_case("page")
    }

    fn error(&self, kind: SearchErrorKind, expected: impl Display) -> SearchError {
        let found = match self.peek_word() {
            "" => match self.rest().chars().next() {
                Some(character) => format!("found `{character}`"),
                None => "the search ends".to_owned(),
            },
            word => format!("found `{word}`"),
        };
        SearchError::new(kind, self.position, found, expected)
    }
}

fn leading_spaces(text: &str) -> usize {
    text.len() - text.trim_start().len()
}

fn unwrap_single(mut parts: Vec<Expr>, join: fn(Vec<Expr>) -> Expr) -> Expr {
    if parts.len() == 1 { parts.remove(0) } else { join(parts) }
}

impl Display for Search {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let mut space = "";
        if let Some(filter) = &self.filter {
            write!(out, "{filter}")?;
            space = " ";
        }
        if let Some((field, direction)) = &self.sort {
            write!(out, "{space}sortby {} {}", field.text, direction.as_str())?;
            space = " ";
        }
        if let Some(page) = self.page {
            write!(out, "{space}page {page}")?;
        }
        Ok(())
    }
}

impl Display for Expr {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let (parts, connector) = match self {
            Expr::All(parts) => (parts, " and "),
            Expr::Any(parts) => (parts, " or "),
            Expr::Relation(relation) => return write!(out, "{relation}"),
            Expr::FreeText(text) => return write!(out, "{text}"),
        };
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                out.write_str(connector)?;
            }
            match part {
                Expr::All(_) | Expr::Any(_) => write!(out, "({part})")?,
                Expr::Relation(_) | Expr::FreeText(_) => write!(out, "{part}")?,
            }
        }
        Ok(())
    }
}

impl Display for Relation {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        if let Some(reference) = &self.reference {
            write!(out, "{}.", reference.text)?;
        }
        write!(out, "{}{}{}", self.field.text, self.operator.as_str(), self.value)
    }
}

impl Display for Literal {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let plain = !self.text.is_empty()
            && self.text.chars().all(|character| character.is_alphanumeric() || "_-.*/:,".contains(character))
            && !KEYWORDS.iter().any(|keyword| self.text.eq_ignore_ascii_case(keyword));
        if plain { out.write_str(&self.text) } else { write!(out, "\"{}\"", self.text) }
    }
}
