//! `evirt group`: the groups of the internal directory. Changing needs the engine to be stopped; listing does not.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use evirt_domain::World;
use evirt_domain::access::{AddGroup, ChangeMember, EVERYONE, RemoveGroup};
use evirt_domain::ids::GroupId;
use evirt_domain::world::NameKind;

use super::output::{Output, table};
use super::user::named as user;
use super::{Data, submit};

/// What to do with groups.
#[derive(Debug, Subcommand)]
pub enum Group {
    /// Add a group; the engine has to be stopped
    Add(One),
    /// Remove a group with what it holds; the engine has to be stopped
    Remove(One),
    /// List groups
    List(List),
    /// Who belongs to a group
    #[command(subcommand)]
    Member(Member),
}

/// What to do with the members of a group.
#[derive(Debug, Subcommand)]
pub enum Member {
    /// Put a user into a group; the engine has to be stopped
    Add(Two),
    /// Take a user out of a group; the engine has to be stopped
    Remove(Two),
    /// List the users of a group
    List(One),
}

#[derive(Args, Debug)]
pub struct One {
    #[command(flatten)]
    data: Data,
    /// Name of the group
    group: String,
}

#[derive(Args, Debug)]
pub struct Two {
    #[command(flatten)]
    data: Data,
    /// Name of the group
    group: String,
    /// Login name; without @DOMAIN, that of the internal directory
    user: String,
}

#[derive(Args, Debug)]
pub struct List {
    #[command(flatten)]
    data: Data,
}

impl Group {
    /// Does it.
    pub async fn run(self) -> Result<ExitCode> {
        match self {
            Self::Add(one) => submit(&one.data, |_| Ok(AddGroup { name: one.group, of: None, roles: Vec::new() })).await,
            Self::Remove(one) => submit(&one.data, |world| Ok(RemoveGroup { group: named(world, &one.group)? })).await,
            Self::Member(Member::Add(two)) => two.change(true).await,
            Self::Member(Member::Remove(two)) => two.change(false).await,
            Self::Member(Member::List(one)) => {
                let world = one.data.world().await?;
                let group = named(&world, &one.group)?;
                print(world.members(group).map(|user| vec![user.principal(), user.id.to_string()]).collect())
            }
            Self::List(list) => {
                let world = list.data.world().await?;
                // Everybody belongs to Everyone: how many that is says nothing.
                let members = |id| if id == EVERYONE { String::new() } else { world.members(id).count().to_string() };
                let groups = world.groups.values();
                print(groups.map(|group| vec![group.name.clone(), group.id.to_string(), members(group.id)]).collect())
            }
        }
    }
}

impl Two {
    async fn change(self, belongs: bool) -> Result<ExitCode> {
        submit(&self.data, |world| {
            Ok(ChangeMember { group: named(world, &self.group)?, user: user(world, &self.user)?, belongs })
        })
        .await
    }
}

fn named(world: &World, name: &str) -> Result<GroupId> {
    world.resolve(NameKind::Group, name).map(GroupId).with_context(|| format!("there is no group {name}"))
}

fn print(mut rows: Vec<Vec<String>>) -> Result<ExitCode> {
    rows.sort();
    let mut output = Output::new();
    for line in table(&rows) {
        output.line(line)?;
    }
    output.flush()?;
    Ok(ExitCode::SUCCESS)
}
