//! Templates. Blank is built in; others come from virtual machines.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::fold;
use crate::ids::*;
use crate::vm::VmConfig;
use crate::world::NameKind;

/// The template that every installation has.
pub const BLANK: TemplateId = TemplateId(Uuid::nil());

crate::vm::named! {
    /// How a template stands.
    TemplateStatus { Ok "ok", Locked "locked", Illegal "illegal" }
}

/// What VMs are made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Template {
    /// Identifier.
    pub id: TemplateId,
    /// Version of the resource.
    pub version: u64,
    /// What a user says of it.
    pub config: VmConfig,
    /// Whether it can be used.
    pub status: TemplateStatus,
    /// When it was made.
    pub created_at: Micros,
}

/// A template was created.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TemplateCreated {
    /// Which template.
    pub template: TemplateId,
    /// What a user says of it.
    pub config: VmConfig,
}

fold!(TemplateCreated, new Template template, |e, world, at| {
    world.take_name(NameKind::Template, &e.config.name, e.template.0);
    let template = Template {
        id: e.template, version: at.version, config: e.config.clone(), status: TemplateStatus::Ok, created_at: at.at,
    };
    world.templates.insert(e.template, template);
});
