//! `evirt group`: the groups of the internal directory.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use evirt_domain::access::EVERYONE;

use super::output::{Output, table};
use super::{Data, change};
use crate::control::{Change, group_named};

/// What to do with groups.
#[derive(Debug, Subcommand)]
pub enum Group {
    /// Add a group
    Add(One),
    /// Remove a group with what it holds
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
    /// Put a user into a group
    Add(Two),
    /// Take a user out of a group
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
            Self::Add(one) => change(&one.data, Change::AddGroup { group: one.group }).await,
            Self::Remove(one) => change(&one.data, Change::RemoveGroup { group: one.group }).await,
            Self::Member(Member::Add(two)) => two.change(true).await,
            Self::Member(Member::Remove(two)) => two.change(false).await,
            Self::Member(Member::List(one)) => {
                let world = one.data.world().await?;
                let group = group_named(&world, &one.group)?;
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
        change(&self.data, Change::ChangeMember { group: self.group, user: self.user, belongs }).await
    }
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
