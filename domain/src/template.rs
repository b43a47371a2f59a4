//! Templates: what VMs are made from. There is Blank; others come with snapshots of disks, which this version has not.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::fold;
use crate::ids::*;
use crate::vm::{VmConfig, named};
use crate::world::NameKind;

/// The template without disks that is always there.
pub const BLANK: TemplateId = TemplateId(Uuid::nil());

named! {
    /// Whether a template can be used.
    TemplateStatus { Ok "ok", Locked "locked", Illegal "illegal" }
}

/// A template.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Template {
    pub id: TemplateId,
    pub version: u64,
    pub config: VmConfig,
    pub created_at: Micros,
    pub status: TemplateStatus,
}

/// A template was created.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TemplateCreated {
    pub template: TemplateId,
    pub config: VmConfig,
}

fold!(TemplateCreated, Template template, |e, world, at| {
    world.take_name(NameKind::Template, &e.config.name, e.template.0);
    let value = Template {
        id: e.template, version: at.version, config: e.config.clone(), created_at: at.at, status: TemplateStatus::Ok,
    };
    world.templates.insert(e.template, value);
});
