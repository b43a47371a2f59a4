//! Users: those of the internal directory, and those that another directory told of.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::*;
use crate::check::Act;
use crate::command::Decide;
use crate::context::{Actor, Context};
use crate::event::{Event, EventMetadata, Fold, Stream, StreamKind};
use crate::fold;
use crate::index::SessionTerm;
use crate::permit::Permit;
use crate::rejection::{Key, Rejection};
use crate::world::{NameKind, World};

/// Somebody who can log in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct User {
    /// Identifier.
    pub id: UserId,
    /// Version of the resource.
    pub version: u64,
    /// Login name without the domain.
    pub name: String,
    /// The directory that knows the user.
    pub domain: String,
    /// First name, or whatever else the directory calls the user by; empty where it is not known.
    pub first_name: String,
    /// Surname.
    pub last_name: String,
    /// Department.
    pub department: String,
    /// Title, such as a position held.
    pub title: String,
    /// E-mail address.
    pub email: String,
    /// argon2 hash in PHC form, for users of the internal directory.
    pub password: Option<Arc<str>>,
    /// Groups the user belongs to, Everyone aside.
    pub groups: Vec<GroupId>,
    /// Tags.
    pub tags: Vec<TagId>,
    /// Until when nobody can log in as this user, after too many wrong passwords.
    pub locked_until: Option<Micros>,
    /// The address that it is locked at; where it is none, it is locked wherever its user was never seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locked_from: Option<String>,
    /// Whether the directory that knew the user knows the user no more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub inactive: bool,
}

impl User {
    /// A user of whom no more is known.
    pub fn new(id: UserId, name: &str, domain: &str) -> Self {
        Self {
            id,
            version: 0,
            name: name.into(),
            domain: domain.into(),
            first_name: String::new(),
            last_name: String::new(),
            department: String::new(),
            title: String::new(),
            email: String::new(),
            password: None,
            groups: Vec::new(),
            tags: Vec::new(),
            locked_until: None,
            locked_from: None,
            inactive: false,
        }
    }

    /// What is known of the user, as a directory would tell it.
    pub fn account(&self) -> Account {
        let Self { id, name, domain, first_name, last_name, department, title, email, groups, .. } = self.clone();
        Account { id, name, domain, first_name, last_name, department, title, email, groups }
    }

    fn take_over(&mut self, account: &Account) {
        let Account { id: _, name, domain, first_name, last_name, department, title, email, groups } = account.clone();
        (self.name, self.domain, self.groups) = (name, domain, groups);
        (self.first_name, self.last_name, self.email) = (first_name, last_name, email);
        (self.department, self.title) = (department, title);
    }

    /// `admin@internal`.
    pub fn principal(&self) -> String {
        format!("{}@{}", self.name, self.domain)
    }

    /// What lists call the user: the first name, or where none is known the login name.
    pub fn called(&self) -> &str {
        called(&self.first_name, &self.name)
    }
}

fn called<'a>(first_name: &'a str, name: &'a str) -> &'a str {
    if first_name.is_empty() { name } else { first_name }
}

/// What a directory tells of a user.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// The same for the same entry of the directory, always.
    pub id: UserId,
    /// Login name without the domain.
    pub name: String,
    /// The directory.
    pub domain: String,
    /// The given name.
    pub first_name: String,
    /// The family name.
    pub last_name: String,
    /// Where the user works.
    pub department: String,
    /// What the user is called at work.
    pub title: String,
    /// An address for mail.
    pub email: String,
    /// All groups that the directory has the user in, also those that are not known here.
    pub groups: Vec<GroupId>,
}

impl Account {
    /// `joe@example.com`.
    pub fn principal(&self) -> String {
        format!("{}@{}", self.name, self.domain)
    }

    fn check(&self, act: Act) -> Result<(), Rejection> {
        let sane = |text: &str| text.chars().count() <= MAX_LOGIN_NAME && !text.chars().any(char::is_control);
        let all = [&self.name, &self.first_name, &self.last_name, &self.department, &self.title, &self.email];
        if self.name.is_empty() || !all.into_iter().all(|text| sane(text)) {
            return Err(act.no(Key::UserLoginName));
        }
        Ok(())
    }
}

/// The longest login name, and the longest of whatever else a directory tells of a user, in characters.
pub const MAX_LOGIN_NAME: usize = 255;

/// A user was added.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UserAdded {
    /// The user as added.
    pub user: User,
}

impl Fold for UserAdded {
    fn stream(&self) -> Stream {
        Stream::new(StreamKind::User, self.user.id.0)
    }

    fn fold(&self, world: &mut World, at: &EventMetadata) {
        let mut user = self.user.clone();
        user.version = at.version;
        world.take_name(NameKind::User, &user.principal(), user.id.0);
        world.take_name(NameKind::UserCalled, user.called(), user.id.0);
        world.users.insert(user.id, user);
    }
}

/// A directory tells something else of a user than before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UserRefreshed {
    /// What it tells now. Its groups are all that the user belongs to, those of the internal directory included.
    pub account: Account,
}

fold!(UserRefreshed, User account.id, |e, world, at| {
    if let Some(old) = world.users.get(&e.account.id).cloned() {
        world.rename(NameKind::User, &old.principal(), &e.account.principal(), old.id.0);
        world.rename(NameKind::UserCalled, old.called(), called(&e.account.first_name, &e.account.name), old.id.0);
    }
    world.users.update(&e.account.id, |user| {
        user.take_over(&e.account);
        user.version = at.version;
    });
});

/// A user cannot log in for a while, because of too many wrong passwords.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UserLocked {
    /// Which user.
    pub user: UserId,
    /// Until when.
    pub until: Micros,
    /// At which address; everywhere but where the user was seen before, where it is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

fold!(UserLocked, User user, |e, world, at| {
    world.users.update(&e.user, |user| { user.locked_until = Some(e.until); user.locked_from = e.from.clone(); user.version = at.version; });
});

/// A locked user was let in again before the time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UserUnlocked {
    /// Which user.
    pub user: UserId,
}

fold!(UserUnlocked, User user, |e, world, at| {
    world.users.update(&e.user, |user| { user.locked_until = None; user.locked_from = None; user.version = at.version; });
});

/// The directory that knew a user knows the user no more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UserDeactivated {
    /// Which user.
    pub user: UserId,
}

fold!(UserDeactivated, User user, |e, world, at| {
    world.users.update(&e.user, |user| { user.inactive = true; user.version = at.version; });
});

/// The directory knows a user again whom it did not know for a while.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UserReactivated {
    /// Which user.
    pub user: UserId,
}

fold!(UserReactivated, User user, |e, world, at| {
    world.users.update(&e.user, |user| { user.inactive = false; user.version = at.version; });
});

/// A user of the internal directory has a new password.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UserPasswordChanged {
    /// Whose.
    pub user: UserId,
    /// argon2 hash.
    pub password: Arc<str>,
}

impl Fold for UserPasswordChanged {
    fn stream(&self) -> Stream {
        Stream::new(StreamKind::User, self.user.0)
    }

    fn fold(&self, world: &mut World, at: &EventMetadata) {
        world.users.update(&self.user, |user| {
            user.password = Some(self.password.clone());
            user.locked_until = None;
            user.locked_from = None;
            user.version = at.version;
        });
    }
}

/// A user was removed, and the user's permissions with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UserRemoved {
    /// Which user.
    pub user: UserId,
    /// The login name, for those who read the log.
    pub name: String,
}

impl Fold for UserRemoved {
    fn stream(&self) -> Stream {
        Stream::new(StreamKind::User, self.user.0)
    }

    fn fold(&self, world: &mut World, _: &EventMetadata) {
        if let Some(user) = world.users.remove(&self.user) {
            world.drop_name(NameKind::User, &user.principal(), user.id.0);
            world.drop_name(NameKind::UserCalled, user.called(), user.id.0);
            // Another directory's user comes back under the same identifier, if at all: the stream goes on then.
            if user.domain == INTERNAL {
                world.close_stream(StreamKind::User, self.user.0);
            }
        }
    }
}

/// Adds a user of the internal directory.
#[derive(Clone, Debug)]
pub struct AddUser {
    /// Login name, without a domain.
    pub name: String,
    /// argon2 hash of the password.
    pub password: Arc<str>,
    /// Roles to grant on the system at once.
    pub roles: Vec<RoleId>,
}

const ADD_USER: Act = Act("add", "User");

/// The events that grant roles on the system to somebody who is being added.
pub(super) fn grants(world: &World, cx: &Context, holder: Holder, roles: &[RoleId]) -> Result<Vec<Event>, Rejection> {
    let mut roles = roles.to_vec();
    roles.sort();
    roles.dedup();
    let grant = |(n, role): (u64, RoleId)| {
        check_given(world, cx, role)?;
        let permission = Permission { id: cx.fresh(n), version: 0, holder, role, object: EntityRef::System };
        Ok(PermissionGranted { permission }.into())
    };
    (1..).zip(roles).map(grant).collect()
}

impl Decide for AddUser {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        crate::check::name(ADD_USER, &self.name, crate::check::VM_NAME)?;
        let user = User { password: Some(self.password.clone()), ..User::new(cx.fresh(0), &self.name, INTERNAL) };
        if world.exactly_named(NameKind::User, &user.principal()).is_some() {
            return Err(ADD_USER.no(Key::UserExists).with("name", user.principal()));
        }
        let id = user.id;
        let mut events: Vec<Event> = vec![UserAdded { user }.into()];
        events.extend(grants(world, cx, Holder::User(id), &self.roles)?);
        Ok(events)
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::ManipulateUsers, EntityRef::System))
    }
}

/// Adds a user whom another directory told of.
#[derive(Clone, Debug)]
pub struct ImportUser {
    /// What it told.
    pub account: Account,
    /// Roles to grant on the system at once.
    pub roles: Vec<RoleId>,
}

impl Decide for ImportUser {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let account = &self.account;
        account.check(ADD_USER)?;
        if world.users.contains(&account.id) || world.exactly_named(NameKind::User, &account.principal()).is_some() {
            return Err(ADD_USER.no(Key::UserExists).with("name", account.principal()));
        }
        let mut user = User::new(account.id, &account.name, &account.domain);
        user.take_over(account);
        let mut events: Vec<Event> = vec![UserAdded { user }.into()];
        events.extend(grants(world, cx, Holder::User(account.id), &self.roles)?);
        Ok(events)
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::ManipulateUsers, EntityRef::System))
    }

    fn least() -> Option<Permit> {
        Some(Permit::ManipulateUsers)
    }
}

/// Takes over what a directory tells of a user who just logged in there. One that is not known yet is added, if a group lets in; one that was not
/// known there any more is again.
#[derive(Clone, Debug)]
pub struct RefreshUser {
    /// What it tells.
    pub account: Account,
}

impl Decide for RefreshUser {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let mut account = self.account.clone();
        account.check(Act("update", "User"))?;
        // An entry that has the name of another user is not that user: one that was removed and made anew does not inherit.
        let namesake = world.exactly_named(NameKind::User, &account.principal());
        if namesake.is_some_and(|id| id != account.id.0) {
            return Err(Key::NotAuthorized.into());
        }
        let Some(user) = world.users.get(&account.id) else {
            if !lets_in(world, account.groups.iter().copied().map(Holder::Group)) {
                return Err(Key::NotAuthorized.into());
            }
            let mut user = User::new(account.id, &account.name, &account.domain);
            user.take_over(&account);
            return Ok(vec![UserAdded { user }.into()]);
        };
        let internal = |id: &GroupId| world.groups.get(id).is_some_and(|group| group.domain == INTERNAL);
        account.groups.extend(user.groups.iter().copied().filter(internal));
        account.groups.sort();
        account.groups.dedup();
        let mut known = user.account();
        known.groups.sort();
        let back = user.inactive.then(|| UserReactivated { user: user.id }.into());
        let news = (account != known).then(|| UserRefreshed { account }.into());
        Ok(back.into_iter().chain(news).collect())
    }
}

/// Records that the directory which knew a user has nobody of that identifier any more: it says so itself, and was not just silent. The
/// user's sessions end; permissions stay, for the case that the user comes back.
#[derive(Clone, Debug)]
pub struct DeactivateUser {
    /// Which user.
    pub user: UserId,
}

impl Decide for DeactivateUser {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let known = world.users.get(&self.user).filter(|user| user.domain != INTERNAL && !user.inactive);
        let gone = known.map(|user| UserDeactivated { user: user.id }.into());
        Ok(gone.into_iter().flat_map(|gone| std::iter::once(gone).chain(close_all(world, self.user))).collect())
    }
}

/// Locks a user out, or lets the user in again.
#[derive(Clone, Debug)]
pub struct LockUser {
    /// Which user.
    pub user: UserId,
    /// For how long, in seconds; 0 lets the user in again.
    pub seconds: u32,
    /// At which address; none for everywhere but where the user was seen before.
    pub from: Option<String>,
}

impl Decide for LockUser {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let user = world.user(self.user)?;
        Ok(match self.seconds {
            0 if user.locked_until.is_none() => Vec::new(),
            0 => vec![UserUnlocked { user: self.user }.into()],
            seconds => vec![
                UserLocked { user: self.user, until: cx.now + i64::from(seconds) * 1_000_000, from: self.from.clone() }.into(),
            ],
        })
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::ManipulateUsers, EntityRef::System))
    }
}

/// Gives a user of the internal directory a new password; open sessions of the user end.
#[derive(Clone, Debug)]
pub struct ChangePassword {
    /// Whose.
    pub user: UserId,
    /// argon2 hash.
    pub password: Arc<str>,
}

impl Decide for ChangePassword {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        if world.user(self.user)?.domain != INTERNAL {
            return Err(Act("update", "User").no(Key::UserElsewhere));
        }
        let mut events = vec![UserPasswordChanged { user: self.user, password: self.password.clone() }.into()];
        events.extend(close_all(world, self.user));
        Ok(events)
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::ManipulateUsers, EntityRef::System))
    }
}

fn close_all(world: &World, user: UserId) -> impl Iterator<Item = Event> {
    world
        .sessions
        .by(SessionTerm::User(user))
        .map(|s| SessionClosed { session: s.id, user: s.user, end: SessionEnd::Revoked }.into())
}

/// Removes a user, the user's permissions and sessions.
#[derive(Clone, Debug)]
pub struct RemoveUser {
    /// Which user.
    pub user: UserId,
}

const REMOVE_USER: Act = Act("remove", "User");

impl Decide for RemoveUser {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let user = world.user(self.user)?;
        if self.user == ADMIN {
            return Err(REMOVE_USER.no(Key::UserIsAdmin));
        }
        if cx.actor == Actor::User(self.user) {
            return Err(REMOVE_USER.no(Key::UserIsSelf));
        }
        let mut events: Vec<Event> = revocations_of(world, Holder::User(self.user)).collect();
        events.extend(close_all(world, self.user));
        events.push(UserRemoved { user: self.user, name: user.principal() }.into());
        Ok(events)
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::ManipulateUsers, EntityRef::System))
    }

    fn least() -> Option<Permit> {
        Some(Permit::ManipulateUsers)
    }
}
