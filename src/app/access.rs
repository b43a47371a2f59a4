//! Users and groups: those of the internal directory are made and kept here, others are known to directories outside, which are asked.

use evirt_domain::access::{Account, AddGroup, AddUser, INTERNAL, ImportUser};
use evirt_domain::ids::{GroupId, RoleId, UserId};
use evirt_domain::{Decide, World};
use uuid::Uuid;

use super::{App, Done, OpContext, Refused, Wait};
use crate::directory::ldap::{Failed, LdapDirectory};
use crate::directory::search::{Fields, GROUP_FIELDS, USER_FIELDS, attribute_of, read};
use crate::directory::{domain_id, passwords};

pub use crate::directory::ldap::DirectoryGroup;

impl From<Failed> for Refused {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Search(why) => Self::BadSearch(why),
            Failed::Unavailable(why) => Self::Unavailable(why),
        }
    }
}

/// A directory of users and groups, by the name of its domain.
#[derive(Clone, Copy, Debug)]
pub enum DirectoryRef<'a> {
    /// The internal one.
    Internal,
    /// One outside.
    Other(&'a LdapDirectory),
}

impl<'a> DirectoryRef<'a> {
    /// The name of its domain.
    pub fn domain(&self) -> &'a str {
        match self {
            Self::Internal => INTERNAL,
            Self::Other(other) => &other.domain,
        }
    }
}

/// All directories, the internal one first.
pub fn directories(app: &App) -> impl Iterator<Item = DirectoryRef<'_>> {
    std::iter::once(DirectoryRef::Internal).chain(app.directory.others().iter().map(DirectoryRef::Other))
}

/// The directory of an identifier.
pub fn directory(app: &App, id: Uuid) -> Option<DirectoryRef<'_>> {
    directories(app).find(|directory| match directory {
        DirectoryRef::Internal => id == domain_id(INTERNAL),
        DirectoryRef::Other(other) => id == other.id,
    })
}

/// Adds a user with roles on the system: a new one of the internal directory, or one whom another directory knows. Without a password
/// nobody can log in as a new user until one is set.
///
/// Refused as the command is, and without asking a directory where the caller may add nobody; `Unknown` where the directory does not
/// know the user, `Unavailable` where it does not answer.
pub async fn add_user(
    app: &App,
    cx: &OpContext,
    domain: &str,
    name: String,
    password: Option<&str>,
    roles: Vec<RoleId>,
) -> Result<Done, Refused> {
    cx.may(ImportUser::least())?;
    if domain == INTERNAL {
        let password = match password {
            Some(password) => passwords::hash(password).await,
            None => passwords::hash(&passwords::generate()).await,
        };
        return app.carry_out(cx, Wait::Decision, AddUser { name, password, roles }).await;
    }
    let unknown = || Refused::Unknown(format!("No such user: {name} in domain {domain}"));
    let other = app.directory.other(domain).ok_or_else(unknown)?;
    let account = other.user_named(&name).await?.ok_or_else(unknown)?;
    app.carry_out(cx, Wait::Decision, ImportUser { account, roles }).await
}

/// Adds a group with roles on the system: a new one of the internal directory, or one that another directory knows.
///
/// Refused as [`add_user`] is.
pub async fn add_group(app: &App, cx: &OpContext, domain: &str, name: String, roles: Vec<RoleId>) -> Result<Done, Refused> {
    cx.may(AddGroup::least())?;
    let command = if domain == INTERNAL {
        AddGroup { name, of: None, roles }
    } else {
        let unknown = || Refused::Unknown(format!("No such group: {name} in domain {domain}"));
        let other = app.directory.other(domain).ok_or_else(unknown)?;
        let found = other.group_named(&name).await?.ok_or_else(unknown)?;
        AddGroup { name: found.name, of: Some((found.id, other.domain.clone())), roles }
    };
    app.carry_out(cx, Wait::Decision, command).await
}

/// The users of a directory that a search finds, by name.
///
/// `BadSearch`, and `Unavailable` where the directory does not answer.
pub async fn users(world: &World, directory: DirectoryRef<'_>, search: &str) -> Result<Vec<Account>, Refused> {
    let DirectoryRef::Other(other) = directory else {
        let all = world.users.values().filter(|user| user.domain == INTERNAL).map(|user| user.account());
        return own(search, USER_FIELDS, all, |account| account.name.clone(), attribute_of);
    };
    Ok(other.users(search).await?)
}

/// A user of a directory; refused where it does not answer.
pub async fn user(world: &World, directory: DirectoryRef<'_>, id: UserId) -> Result<Option<Account>, Refused> {
    match directory {
        DirectoryRef::Internal => Ok(world.users.get(&id).filter(|user| user.domain == INTERNAL).map(|user| user.account())),
        DirectoryRef::Other(other) => Ok(other.user(id).await?),
    }
}

/// The groups of a directory that a search finds, by name: identifiers and names. Refused as [`users`] is.
pub async fn groups(world: &World, directory: DirectoryRef<'_>, search: &str) -> Result<Vec<DirectoryGroup>, Refused> {
    let DirectoryRef::Other(other) = directory else {
        let attribute = |group: &DirectoryGroup, field: &str| if field == "cn" { group.name.clone() } else { String::new() };
        let all = world.groups.values().filter(|group| group.domain == INTERNAL);
        let all = all.map(|group| DirectoryGroup { id: group.id, name: group.name.clone() });
        return own(search, GROUP_FIELDS, all, |group| group.name.clone(), attribute);
    };
    Ok(other.groups(search).await?)
}

/// A group of a directory; refused where it does not answer.
pub async fn group(world: &World, directory: DirectoryRef<'_>, id: GroupId) -> Result<Option<DirectoryGroup>, Refused> {
    match directory {
        DirectoryRef::Internal => {
            let own = world.groups.get(&id).filter(|group| group.domain == INTERNAL);
            Ok(own.map(|group| DirectoryGroup { id: group.id, name: group.name.clone() }))
        }
        DirectoryRef::Other(other) => Ok(other.group(id).await?),
    }
}

/// What is searched for among what the internal directory knows, by name.
fn own<T>(
    search: &str,
    fields: Fields,
    all: impl Iterator<Item = T>,
    name: impl Fn(&T) -> String,
    attribute: impl Fn(&T, &str) -> String,
) -> Result<Vec<T>, Refused> {
    let wanted = read(INTERNAL, search, fields).map_err(Refused::BadSearch)?;
    let mut found: Vec<T> = all.filter(|one| wanted.is(&|field| attribute(one, field))).collect();
    found.sort_by_cached_key(name);
    Ok(found)
}
