//! evirt-domain: aggregates, commands, events and rejections. Pure: no I/O, no clock, no randomness.
//!
//! `command::decide` turns a command into events against a `World`; `World::evolve` folds them in. Each module holds one
//! aggregate: its state, its events with what they do, and its commands with their rules.

pub mod access;
pub mod check;
pub mod cluster;
pub mod command;
pub mod context;
pub mod creation;
pub mod custom_property;
pub mod data_center;
pub mod disk;
pub mod event;
pub mod external;
pub mod external_step;
pub mod fence;
pub mod host;
pub mod host_error;
pub mod host_net;
pub mod host_net_setup;
pub mod hotplug;
pub mod ids;
pub mod image;
pub mod index;
pub mod install;
pub mod intent;
pub mod job;
pub mod levels;
pub mod network;
mod patch;
pub mod permit;
pub mod placement;
pub mod quota;
pub mod rejection;
pub mod schedule;
pub mod service;
pub mod spm;
pub mod storage;
pub mod storage_connection;
pub mod table;
mod tables;
pub mod tag;
pub mod template;
pub mod time_zone;
pub mod upcast;
pub mod versions;
pub mod vm;
pub mod vm_run;
pub mod world;

pub use command::{Decide, decide};
pub use context::{Actor, Context};
pub use event::{Event, RecordedEvent, Stream, StreamKind};
pub use intent::Intent;
pub use rejection::{Class, Key, Rejection};
pub use world::World;

/// Names the rules by which events are folded: a fingerprint of this crate's sources and of what holds and writes down a World, computed when it
/// is built (`build.rs`). A World that was folded by other rules may differ.
pub const FOLDING: &str = env!("EVIRT_FOLDING");

/// Declares how an event folds: its stream, which it may begin (`new`), and what it does to the World.
macro_rules! fold {
    ($event:ident, new $kind:ident $($rest:tt)*) => {
        crate::fold! { @ { fn creates(&self) -> bool { true } } $event, $kind $($rest)* }
    };
    ($event:ident, $($rest:tt)*) => {
        crate::fold! { @ {} $event, $($rest)* }
    };
    (@ { $($creates:item)? } $event:ident, $kind:ident $($id:ident).+, |$self:ident, $world:ident, $at:ident| $body:block) => {
        impl crate::event::Fold for $event {
            $($creates)?

            fn stream(&self) -> crate::event::Stream {
                crate::event::Stream::new(crate::event::StreamKind::$kind, self.$($id).+.0)
            }

            #[allow(unused_variables)]
            fn fold(&self, $world: &mut crate::world::World, $at: &crate::event::EventMetadata) {
                let $self = self;
                $body
            }
        }
    };
}
pub(crate) use fold;
