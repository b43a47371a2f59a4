//! Snapshots of the World, which shorten the next start. They are disposable, and one that does not fit the log is passed over.
//!
//! The World is kept as MessagePack with field names: unlike JSON it has maps whose keys are not text.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use evirt_domain::FOLDING;
use evirt_domain::ids::Position;
use evirt_domain::world::World;
use ring::digest;
use serde::Serialize;

use super::Stores;
use crate::log::{EventLog, Hash, Snapshot, Snapshots};

/// What the World's snapshots are called.
const NAME: &str = "world";

/// The newest World up to a position that was written down by these rules, whole, and of this log.
pub(super) async fn newest(data: &Path, log: &dyn EventLog, mut until: Position) -> Option<World> {
    while let Some(snapshot) = latest(data.to_owned(), until).await {
        until = snapshot.position.checked_sub(1)?;
        match read(&snapshot, log).await {
            Ok(world) => return Some(world),
            Err(error) => {
                let error = format!("{error:#}");
                tracing::warn!(position = snapshot.position, error, "a snapshot of the World is passed over");
            }
        }
    }
    None
}

async fn latest(data: PathBuf, until: u64) -> Option<Snapshot> {
    tokio::task::spawn_blocking(move || Snapshots::open(&data).ok()?.latest(NAME, &rules(), until)).await.ok()?
}

async fn read(snapshot: &Snapshot, log: &dyn EventLog) -> anyhow::Result<World> {
    let hash = log.hash_at(snapshot.position).await?;
    anyhow::ensure!(hash == Some(snapshot.hash), "it is of another log");
    let world: World = rmp_serde::from_slice(&snapshot.bytes)?;
    anyhow::ensure!(world.position == snapshot.position, "it holds another position");
    Ok(world)
}

/// Writes a World down. What goes wrong is told and changes nothing: the next start takes longer.
pub(super) async fn write(data: PathBuf, stores: Stores, world: Arc<World>) {
    if let Err(error) = try_write(data, &stores, world).await {
        tracing::warn!(error = format!("{error:#}"), "a snapshot of the World could not be written");
    }
}

async fn try_write(data: PathBuf, stores: &Stores, world: Arc<World>) -> anyhow::Result<()> {
    // A start goes on from a World that the audit log has reached.
    stores.audit.make_durable().await?;
    let hash = stores.log.hash_at(world.position).await?.context("the log has no such position")?;
    tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        world.serialize(&mut rmp_serde::Serializer::new(&mut bytes).with_struct_map())?;
        let snapshot = Snapshot { rules: rules(), position: world.position, hash, bytes };
        anyhow::Ok(Snapshots::open(&data)?.put(NAME, &snapshot)?)
    })
    .await?
}

/// Names the rules by which Worlds are folded from records and written down now.
fn rules() -> Hash {
    rules_of(&[FOLDING, include_str!("codec.rs"), include_str!("snapshot.rs")])
}

fn rules_of(parts: &[&str]) -> Hash {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(&part.len().to_be_bytes());
        context.update(part.as_bytes());
    }
    let mut hash = Hash::default();
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use evirt_domain::Actor;
    use evirt_domain::event::RecordedEvent;
    use evirt_domain::ids::TagId;
    use evirt_domain::install::Install;
    use evirt_domain::tag::{TagConfig, TagCreated};
    use evirt_domain::world::NameKind;
    use evirt_domain::{Event, Stream, StreamKind};
    use uuid::Uuid;

    use super::*;
    use crate::engine::{Engine, Options, Request};
    use crate::hypervisor::estate::Estate;
    use crate::hypervisor::simulator::Simulator;

    async fn start(data: &Path) -> Engine {
        let driver = Arc::new(Simulator::new(Estate::builtin(), None).unwrap());
        let options = Options { snapshots: Some(data.to_owned()), ..Options::default() };
        Engine::start(Stores::open(data).await.unwrap(), driver, options).await.unwrap()
    }

    /// Whether an engine starts from a snapshot that was made by some rules: one that holds a tag of which the log knows nothing.
    async fn is_started_from(rules: Hash) -> bool {
        let data = tempfile::tempdir().unwrap();
        let engine = start(data.path()).await;
        engine.submit(&Request::system("test"), Install { admin_password: "hash".into() }).await.unwrap();
        let mut world = World::clone(&engine.world());
        engine.shutdown().await;
        let hash = engine.log().hash_at(world.position).await.unwrap().unwrap();
        engine.stores().close().await;
        let tag = TagId(Uuid::from_u128(7));
        let config = TagConfig { name: "only there".into(), description: String::new(), parent: None };
        world.evolve(&RecordedEvent {
            position: world.position,
            stream: Stream::new(StreamKind::Tag, tag.0),
            version: 1,
            recorded_at: 0,
            actor: Actor::System,
            correlation_id: "test".into(),
            causation: None,
            event: Event::from(TagCreated { tag, config }),
        });
        let mut bytes = Vec::new();
        world.serialize(&mut rmp_serde::Serializer::new(&mut bytes).with_struct_map()).unwrap();
        let snapshots = Snapshots::open(data.path()).unwrap();
        snapshots.delete(NAME).unwrap();
        snapshots.put(NAME, &Snapshot { rules, position: world.position, hash, bytes }).unwrap();
        start(data.path()).await.world().exactly_named(NameKind::Tag, "only there").is_some()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_version_that_folds_alike_starts_from_the_snapshot() {
        assert!(is_started_from(rules()).await);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_version_that_could_fold_otherwise_starts_from_the_log() {
        let otherwise = rules_of(&["0123456789abcdef", include_str!("codec.rs"), include_str!("snapshot.rs")]);
        assert!(!is_started_from(otherwise).await);
    }

    #[test]
    fn each_part_of_the_rules_counts() {
        let rules = rules_of(&["a", "b", "c"]);
        for others in [["x", "b", "c"], ["a", "x", "c"], ["a", "b", "x"], ["ab", "", "c"]] {
            assert_ne!(rules_of(&others), rules, "{others:?}");
        }
        assert_eq!(rules_of(&["a", "b", "c"]), rules);
    }
}
