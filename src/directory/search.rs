//! What a directory is searched by: `=` and `!=` over a few fields and words, with `and`, `or` and parentheses; neither an order nor pages.

use std::fmt::Display;

use evirt_domain::access::Account;
use evirt_projections::search::{Expr, Operator, Pattern, parse};

/// The longest search of a directory, in characters.
pub const MAX_DIRECTORY_SEARCH: usize = 1000;

/// Fields of a search, and the attributes that they mean.
pub type Fields = &'static [(&'static str, &'static [&'static str])];

/// Stands for the attribute that holds the login name.
pub const LOGIN: &str = "";

/// Those of users.
pub const USER_FIELDS: Fields = &[
    ("name", &["givenName", "displayName", "cn"]),
    ("firstname", &["givenName"]),
    ("lastname", &["sn"]),
    ("displayname", &["displayName", "cn"]),
    ("email", &["mail"]),
    ("department", &["departmentNumber", "department"]),
    ("title", &["title"]),
    ("allnames", &["givenName", "displayName", "cn", "sn", LOGIN]),
    ("usrname", &[LOGIN]),
    ("username", &[LOGIN]),
    ("login", &[LOGIN]),
    ("user_name", &[LOGIN]),
];
/// Those of groups.
pub const GROUP_FIELDS: Fields = &[("name", &["cn"]), ("groupname", &["cn"]), ("grpname", &["cn"]), ("allnames", &["cn"])];

/// What is searched for, in attributes.
#[derive(Clone, Debug, PartialEq)]
pub enum Wanted {
    /// All of these.
    All(Vec<Wanted>),
    /// One of these.
    Any(Vec<Wanted>),
    /// Not that.
    Not(Box<Wanted>),
    /// One of the attributes is like a pattern, in which `*` stands for anything.
    Like(&'static [&'static str], String),
}

/// Reads a search of a directory; what it makes no sense of is told.
///
/// # Errors
///
/// What it makes no sense of, for whom searches.
pub fn read(domain: &str, search: &str, fields: Fields) -> Result<Wanted, String> {
    let reader = Reader { domain, fields };
    if search.chars().count() > MAX_DIRECTORY_SEARCH {
        return Err(reader.bad("it is too long"));
    }
    let query = parse(without_object(search)).map_err(|why| reader.bad(why))?;
    if query.sort.is_some() || query.page.is_some() {
        return Err(reader.bad("a directory has neither an order nor pages"));
    }
    query.filter.map_or(Ok(Wanted::All(Vec::new())), |terms| reader.terms(&terms))
}

/// A search without what it may begin with: `ADUSER@example.org:`, `Users :` and the like.
fn without_object(search: &str) -> &str {
    let object = search.split_once(':').filter(|(object, _)| {
        let name = object.split_once('@').map_or(*object, |(name, _)| name).trim().to_lowercase();
        ["aduser", "adgroup", "user", "users", "group", "groups"].contains(&name.as_str())
    });
    object.map_or(search, |(_, rest)| rest)
}

struct Reader<'a> {
    domain: &'a str,
    fields: Fields,
}

impl Reader<'_> {
    fn bad(&self, what: impl Display) -> String {
        format!("Bad search of the directory {}: {what}", self.domain)
    }

    fn terms(&self, expr: &Expr) -> Result<Wanted, String> {
        let all = |parts: &[Expr]| parts.iter().map(|part| self.terms(part)).collect::<Result<Vec<_>, _>>();
        match expr {
            Expr::All(parts) => Ok(Wanted::All(all(parts)?)),
            Expr::Any(parts) => Ok(Wanted::Any(all(parts)?)),
            Expr::FreeText(word) => self.term("allnames", &word.text),
            Expr::Relation(term) if term.reference.is_some() => Err(self.bad(format_args!("{term} refers to something else"))),
            Expr::Relation(term) => {
                let equal = self.term(&term.field.text, &term.value.text)?;
                match term.operator {
                    Operator::Equal => Ok(equal),
                    Operator::NotEqual => Ok(Wanted::Not(Box::new(equal))),
                    _ => Err(self.bad(format_args!("{term} compares by something other than = and !="))),
                }
            }
        }
    }

    fn term(&self, field: &str, value: &str) -> Result<Wanted, String> {
        let known = self.fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(field));
        let (_, attributes) = known.ok_or_else(|| self.bad(format_args!("{field:?} is no field of it")))?;
        let value = value.strip_suffix(&format!("@{}", self.domain)).unwrap_or(value);
        if value.is_empty() {
            return Err(self.bad(format_args!("{field} is compared to nothing")));
        }
        Ok(Wanted::Like(attributes, value.to_owned()))
    }
}

impl Wanted {
    /// Whether it is what has these attributes. Like other directories this does not tell upper from lower case.
    pub fn is(&self, attribute: &dyn Fn(&str) -> String) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.is(attribute)),
            Self::Any(parts) => parts.iter().any(|part| part.is(attribute)),
            Self::Not(part) => !part.is(attribute),
            Self::Like(attributes, value) => {
                let pattern = Pattern::new(value, false);
                attributes.iter().map(|name| attribute(name)).any(|held| !held.is_empty() && pattern.matches(&held))
            }
        }
    }
}

/// An attribute of a user of the internal directory, who is called by the login name where nothing else is known.
pub fn attribute_of(account: &Account, name: &str) -> String {
    let first = if account.first_name.is_empty() { &account.name } else { &account.first_name };
    match name {
        LOGIN => account.name.clone(),
        "givenName" => first.clone(),
        "sn" => account.last_name.clone(),
        "displayName" => format!("{first} {}", account.last_name).trim_end().to_owned(),
        "mail" => account.email.clone(),
        "department" => account.department.clone(),
        "title" => account.title.clone(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joe() -> Account {
        Account {
            name: "joe".into(),
            first_name: "Joseph".into(),
            last_name: "Doe".into(),
            department: "Storage".into(),
            title: "Engineer".into(),
            ..Account::default()
        }
    }

    #[test]
    fn users_of_the_internal_directory_are_found_as_those_of_others() {
        let finds =
            |search: &str| read("internal", search, USER_FIELDS).map(|wanted| wanted.is(&|name| attribute_of(&joe(), name)));
        for search in [
            "",
            "allnames=*",
            "username=joe@internal",
            "name=jos* and lastname=doe",
            "title!=Clerk department=storage",
            "DOE",
            "name=\"Joseph Doe\"",
        ] {
            assert_eq!(finds(search), Ok(true), "{search}");
        }
        for search in ["email=*", "username=jo", "lastname!=Doe or title=Clerk"] {
            assert_eq!(finds(search), Ok(false), "{search}");
        }
        for search in ["password=x", "name=", "name>a", "vms.name=a", "name=a sortby name", "name=a page 2", "(name=a"] {
            assert!(finds(search).is_err(), "{search}");
        }
    }
}
