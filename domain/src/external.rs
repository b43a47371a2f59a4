//! What systems outside tell of their own work: events in the audit log, and jobs with steps that they begin and end themselves.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::access::EntityRef;
use crate::check::{self, Act};
use crate::command::Decide;
use crate::context::{Actor, Context};
use crate::event::{Event, EventMetadata, Fold, Stream, StreamKind};
use crate::fold;
use crate::ids::*;
use crate::index::not_indexed;
use crate::permit::Permit;
use crate::rejection::{Key, Rejection};
use crate::world::World;

/// How many external events are kept; beyond, the oldest are hidden.
pub const MAX_EXTERNAL_EVENTS: usize = 100_000;
/// How many external jobs there may be at a time.
pub const MAX_EXTERNAL_JOBS: usize = 10_000;
/// How many steps an external job may have.
pub const MAX_EXTERNAL_STEPS: usize = 1_000;
/// The longest name of a system outside, in characters.
pub const MAX_ORIGIN: usize = 255;
/// The origin of the engine's own events, in lower case: nobody else may claim it.
pub const OWN_ORIGIN: &str = "ovirt";

/// How grave an external event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum EventSeverity {
    Normal,
    Warning,
    Error,
    Alert,
}

impl EventSeverity {
    /// Every severity with its name.
    pub const ALL: [(Self, &'static str); 4] =
        [(Self::Normal, "normal"), (Self::Warning, "warning"), (Self::Error, "error"), (Self::Alert, "alert")];
}

/// What a system outside reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// How grave it is.
    pub severity: EventSeverity,
    /// What happened, in words.
    pub description: String,
    /// Which system says so.
    pub origin: String,
    /// The number that it gave the event.
    pub custom_id: i64,
    /// After how many seconds it may give the same number to another; never where there is none.
    pub flood_rate: Option<i64>,
    /// Whatever else it wants to keep.
    pub custom_data: String,
    /// What the event is about.
    pub about: Vec<EntityRef>,
    /// The user that it is about.
    pub user: Option<UserId>,
}

/// An external event that is still shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExternalEvent {
    /// The origin and the number there.
    pub name: Arc<str>,
    /// When it was reported.
    pub at: Micros,
    /// After how many seconds the number may be used again.
    pub flood_rate: Option<i64>,
    /// Whatever else its origin wants to keep.
    pub custom_data: Arc<str>,
}

/// The external events that are shown, by the position of their report.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ExternalEvents {
    shown: imbl::OrdMap<Position, ExternalEvent>,
    /// The newest of each origin and number.
    named: imbl::OrdMap<Arc<str>, Position>,
    /// How many are not shown any more.
    hidden: u64,
}

impl ExternalEvents {
    /// An event that is still shown.
    pub fn get(&self, position: Position) -> Option<&ExternalEvent> {
        self.shown.get(&position)
    }

    /// The position of the newest.
    pub fn newest(&self) -> Option<Position> {
        self.shown.get_max().map(|(position, _)| *position)
    }

    /// How many were removed, or were the oldest of too many.
    pub fn hidden(&self) -> u64 {
        self.hidden
    }

    fn named(&self, name: &str) -> Option<&ExternalEvent> {
        self.named.get(name).and_then(|position| self.shown.get(position))
    }

    fn insert(&mut self, position: Position, event: ExternalEvent) {
        self.named.insert(event.name.clone(), position);
        self.shown.insert(position, event);
        if self.shown.len() > MAX_EXTERNAL_EVENTS
            && let Some(oldest) = self.shown.get_min().map(|(position, _)| *position)
        {
            self.hide(oldest);
        }
    }

    fn hide(&mut self, position: Position) {
        let Some(event) = self.shown.remove(&position) else { return };
        if self.named.get(&event.name) == Some(&position) {
            self.named.remove(&event.name);
        }
        self.hidden += 1;
    }
}

fn event_name(origin: &str, custom_id: i64) -> Arc<str> {
    format!("{custom_id} {origin}").into()
}

/// A system outside reported an event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExternalEventReported(pub Report);

impl Fold for ExternalEventReported {
    fn stream(&self) -> Stream {
        Stream::new(StreamKind::System, Uuid::nil())
    }

    fn fold(&self, world: &mut World, at: &EventMetadata) {
        let what = &self.0;
        let name = event_name(&what.origin, what.custom_id);
        let custom_data = what.custom_data.as_str().into();
        world.external_events.insert(at.position, ExternalEvent { name, at: at.at, flood_rate: what.flood_rate, custom_data });
    }
}

/// An external event was removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExternalEventRemoved {
    /// The position of its report.
    pub event: Position,
}

impl Fold for ExternalEventRemoved {
    fn stream(&self) -> Stream {
        Stream::new(StreamKind::System, Uuid::nil())
    }

    fn fold(&self, world: &mut World, _: &EventMetadata) {
        world.external_events.hide(self.event);
    }
}

/// Refuses what an event is about and is not there.
fn exists(world: &World, object: EntityRef) -> Result<(), Rejection> {
    match object {
        EntityRef::DataCenter(id) => world.data_center(id).map(|_| ()),
        EntityRef::Cluster(id) => world.cluster(id).map(|_| ()),
        EntityRef::Host(id) => world.host(id).map(|_| ()),
        EntityRef::StorageDomain(id) => world.storage_domain(id).map(|_| ()),
        EntityRef::Template(id) => world.template(id).map(|_| ()),
        EntityRef::Vm(id) => world.vm(id).map(|_| ()),
        _ => Ok(()),
    }
}

/// Reports an external event.
#[derive(Clone, Debug)]
pub struct ReportExternalEvent(pub Report);

impl Decide for ReportExternalEvent {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("add", "External Event");
        let what = &self.0;
        if what.description.is_empty() {
            return Err(act.no(Key::DescriptionEmpty));
        }
        if what.origin.is_empty() || what.origin.eq_ignore_ascii_case(OWN_ORIGIN) {
            return Err(act.no(Key::ExternalOrigin));
        }
        check::text(act, "description", &what.description, check::MAX_TEXT)?;
        check::text(act, "origin", &what.origin, MAX_ORIGIN)?;
        check::text(act, "custom_data", &what.custom_data, check::MAX_TEXT)?;
        check::range(act, "custom_id", what.custom_id, 0, i32::MAX.into())?;
        check::range(act, "flood_rate", what.flood_rate.unwrap_or(0), 0, i32::MAX.into())?;
        what.about.iter().try_for_each(|object| exists(world, *object))?;
        if let Some(user) = what.user {
            world.user(user)?;
        }
        let again =
            |earlier: &ExternalEvent| earlier.flood_rate.is_some_and(|s| cx.now - earlier.at >= s.saturating_mul(1_000_000));
        if world.external_events.named(&event_name(&what.origin, what.custom_id)).is_some_and(|earlier| !again(earlier)) {
            return Err(act.no(Key::ExternalEventExists).with("origin", &what.origin).with("id", what.custom_id));
        }
        Ok(vec![ExternalEventReported(what.clone()).into()])
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::InjectExternalEvents, self.0.about.first().copied().unwrap_or(EntityRef::System)))
    }

    fn further_permits(&self, _: &World) -> Vec<(Permit, EntityRef)> {
        self.0.about.iter().skip(1).map(|object| (Permit::InjectExternalEvents, *object)).collect()
    }

    fn least() -> Option<Permit> {
        Some(Permit::InjectExternalEvents)
    }
}

/// Removes an external event; the engine's own stay.
#[derive(Clone, Debug)]
pub struct RemoveExternalEvent {
    /// The position of its report.
    pub event: Position,
}

impl Decide for RemoveExternalEvent {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        match world.external_events.get(self.event) {
            Some(_) => Ok(vec![ExternalEventRemoved { event: self.event }.into()]),
            None => Err(Act("remove", "External Event").no(Key::ExternalOrigin)),
        }
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some((Permit::InjectExternalEvents, EntityRef::System))
    }

    fn least() -> Option<Permit> {
        Some(Permit::InjectExternalEvents)
    }
}

/// How external work stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum WorkStatus {
    Started,
    Finished,
    Failed,
    Aborted,
    Unknown,
}

impl WorkStatus {
    /// How it may end, with the name.
    pub const ENDS: [(Self, &'static str); 4] =
        [(Self::Finished, "FINISHED"), (Self::Failed, "FAILED"), (Self::Aborted, "ABORTED"), (Self::Unknown, "UNKNOWN")];

    /// The name.
    pub fn name(self) -> &'static str {
        Self::ENDS.into_iter().find(|(status, _)| *status == self).map_or("STARTED", |(_, name)| name)
    }
}

/// The names of kinds of steps.
pub const STEP_TYPES: [&str; 4] = ["validating", "executing", "finalizing", "unknown"];

/// A job that is carried out elsewhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExternalJob {
    /// Identifier.
    pub id: JobId,
    /// Version of the resource.
    pub version: u64,
    /// What it does, in words.
    pub description: String,
    /// Whether it is forgotten some time after its end.
    pub auto_cleared: bool,
    /// How it stands.
    pub status: WorkStatus,
    /// Who began it.
    pub owner: Actor,
    /// When it began.
    pub started_at: Micros,
    /// When something last changed.
    pub updated_at: Micros,
    /// When it ended.
    pub ended_at: Option<Micros>,
    /// Its steps, in the order in which they began.
    pub steps: Vec<ExternalStep>,
    /// The request that began it.
    pub correlation_id: Arc<str>,
}

not_indexed!(ExternalJob);

/// A step of an external job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExternalStep {
    /// Identifier.
    pub id: Uuid,
    /// The step that it is part of.
    pub parent: Option<Uuid>,
    /// One of [`STEP_TYPES`].
    pub kind: String,
    /// What it does, in words.
    pub description: String,
    /// Its place among those of the same parent, from 0.
    pub number: u32,
    /// How it stands.
    pub status: WorkStatus,
    /// When it began.
    pub started_at: Micros,
    /// When it ended.
    pub ended_at: Option<Micros>,
    /// The engine's own job that is carried out as this step.
    #[serde(default)]
    pub carries: Option<JobId>,
}

impl ExternalStep {
    fn end(&mut self, status: WorkStatus, at: Micros) {
        if self.status == WorkStatus::Started {
            self.status = status;
            self.ended_at = Some(at);
        }
    }
}

impl ExternalJob {
    /// The step.
    pub fn step(&self, id: Uuid) -> Option<&ExternalStep> {
        self.steps.iter().find(|step| step.id == id)
    }

    /// Whether a step is another, or a part of it at any depth.
    fn within(&self, mut step: Uuid, whole: Uuid) -> bool {
        // A parent was there before its parts, so that this comes to an end.
        loop {
            if step == whole {
                return true;
            }
            match self.step(step).and_then(|step| step.parent) {
                Some(parent) if parent != step => step = parent,
                _ => return false,
            }
        }
    }
}

/// An external job began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExternalJobAdded {
    /// Identifier.
    pub job: JobId,
    /// What it does, in words.
    pub description: String,
    /// Whether it is forgotten some time after its end.
    pub auto_cleared: bool,
}

fold!(ExternalJobAdded, Job job, |e, world, at| {
    world.external_jobs.insert(
        e.job,
        ExternalJob {
            id: e.job,
            version: at.version,
            description: e.description.clone(),
            auto_cleared: e.auto_cleared,
            status: WorkStatus::Started,
            owner: at.actor,
            started_at: at.at,
            updated_at: at.at,
            ended_at: None,
            steps: Vec::new(),
            correlation_id: at.correlation_id.clone(),
        },
    );
});

/// A step of an external job began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExternalStepAdded {
    /// Which job.
    pub job: JobId,
    /// The step's identifier.
    pub step: Uuid,
    /// The step that it is part of.
    pub parent: Option<Uuid>,
    /// One of [`STEP_TYPES`].
    pub kind: String,
    /// What it does, in words.
    pub description: String,
    /// The engine's own job that is carried out as this step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carries: Option<JobId>,
}

fold!(ExternalStepAdded, Job job, |e, world, at| {
    world.external_steps.insert(e.step, e.job);
    if let Some(own) = e.carries {
        world.jobs.update(&own, |own| own.carried_as = Some((e.job, e.step)));
    }
    world.external_jobs.update(&e.job, |job| {
        let number = job.steps.iter().filter(|step| step.parent == e.parent).count() as u32;
        job.steps.push(ExternalStep {
            id: e.step,
            parent: e.parent,
            kind: e.kind.clone(),
            description: e.description.clone(),
            number,
            status: WorkStatus::Started,
            started_at: at.at,
            ended_at: None,
            carries: e.carries,
        });
        job.updated_at = at.at;
        job.version = at.version;
    });
});

/// A step of an external job ended, and with it the steps within it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExternalStepEnded {
    /// Which job.
    pub job: JobId,
    /// Which step.
    pub step: Uuid,
    /// How.
    pub status: WorkStatus,
}

fold!(ExternalStepEnded, Job job, |e, world, at| {
    world.external_jobs.update(&e.job, |job| {
        let within: Vec<bool> = job.steps.iter().map(|step| job.within(step.id, e.step)).collect();
        job.steps.iter_mut().zip(within).filter(|(_, within)| *within).for_each(|(step, _)| step.end(e.status, at.at));
        job.updated_at = at.at;
        job.version = at.version;
    });
});

/// An external job ended, and with it its steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExternalJobEnded {
    /// Which.
    pub job: JobId,
    /// How.
    pub status: WorkStatus,
    /// Whether it is forgotten some time after, whatever was said at its beginning.
    pub auto_cleared: bool,
}

fold!(ExternalJobEnded, Job job, |e, world, at| {
    world.external_jobs.update(&e.job, |job| {
        job.steps.iter_mut().for_each(|step| step.end(e.status, at.at));
        job.status = e.status;
        job.auto_cleared = e.auto_cleared;
        job.updated_at = at.at;
        job.ended_at = Some(at.at);
        job.version = at.version;
    });
});

/// External jobs were forgotten.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExternalJobsCleared {
    /// Which.
    pub jobs: Vec<JobId>,
}

impl Fold for ExternalJobsCleared {
    fn stream(&self) -> Stream {
        Stream::new(StreamKind::System, Uuid::nil())
    }

    fn fold(&self, world: &mut World, _: &EventMetadata) {
        for job in &self.jobs {
            for step in world.external_jobs.remove(job).iter().flat_map(|job| &job.steps) {
                world.external_steps.remove(&step.id);
            }
            world.close_stream(StreamKind::Job, job.0);
        }
    }
}

/// The external job; one of the engine's own is refused.
fn external(world: &World, act: Act, id: JobId) -> Result<&Arc<ExternalJob>, Rejection> {
    match world.external_jobs.get(&id) {
        Some(job) => Ok(job),
        None => world.job(id).and(Err(act.no(Key::NotExternal))),
    }
}

/// The external job, which must not have ended.
fn open(world: &World, act: Act, id: JobId) -> Result<&Arc<ExternalJob>, Rejection> {
    let job = external(world, act, id)?;
    if job.status == WorkStatus::Started { Ok(job) } else { Err(act.no(Key::JobEnded)) }
}

/// Refuses steps that a job cannot take: it has ended, has too many, or what they are to be part of is not there any more.
pub(crate) fn has_room(world: &World, act: Act, id: JobId, parent: Option<Uuid>, more: usize) -> Result<(), Rejection> {
    let job = open(world, act, id)?;
    if job.steps.len() + more > MAX_EXTERNAL_STEPS {
        return Err(act.no(Key::TooMany).with("limit", MAX_EXTERNAL_STEPS));
    }
    let is_open = |id| job.step(id).is_some_and(|step| step.status == WorkStatus::Started);
    if parent.is_some_and(|parent| !is_open(parent)) { Err(act.no(Key::StepWithoutParent)) } else { Ok(()) }
}

/// What a caller has to hold to tell of external work.
pub(crate) const INJECT: (Permit, EntityRef) = (Permit::InjectExternalTasks, EntityRef::System);

fn described(act: Act, description: &str) -> Result<(), Rejection> {
    if description.trim().is_empty() {
        return Err(act.no(Key::DescriptionEmpty));
    }
    check::text(act, "description", description, check::MAX_TEXT)
}

/// Begins an external job.
#[derive(Clone, Debug)]
pub struct AddExternalJob {
    /// What it does, in words.
    pub description: String,
    /// Whether it is forgotten some time after its end.
    pub auto_cleared: bool,
}

impl Decide for AddExternalJob {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("add", "External Job");
        described(act, &self.description)?;
        if world.external_jobs.len() >= MAX_EXTERNAL_JOBS {
            return Err(act.no(Key::TooMany).with("limit", MAX_EXTERNAL_JOBS));
        }
        let (description, auto_cleared) = (self.description.clone(), self.auto_cleared);
        Ok(vec![ExternalJobAdded { job: cx.fresh(0), description, auto_cleared }.into()])
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some(INJECT)
    }

    fn least() -> Option<Permit> {
        Some(Permit::InjectExternalTasks)
    }
}

/// Begins a step of an external job.
#[derive(Clone, Debug)]
pub struct AddExternalStep {
    /// Which job.
    pub job: JobId,
    /// The step that it is part of.
    pub parent: Option<Uuid>,
    /// One of [`STEP_TYPES`].
    pub kind: String,
    /// What it does, in words.
    pub description: String,
}

impl Decide for AddExternalStep {
    fn decide(&self, world: &World, cx: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("add", "External Step");
        has_room(world, act, self.job, self.parent, 1)?;
        described(act, &self.description)?;
        let (kind, description) = (self.kind.clone(), self.description.clone());
        let (step, parent) = (cx.fresh(0), self.parent);
        Ok(vec![ExternalStepAdded { job: self.job, step, parent, kind, description, carries: None }.into()])
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some(INJECT)
    }

    fn least() -> Option<Permit> {
        Some(Permit::InjectExternalTasks)
    }
}

/// Ends a step of an external job.
#[derive(Clone, Debug)]
pub struct EndExternalStep {
    /// Which job.
    pub job: JobId,
    /// Which step.
    pub step: Uuid,
    /// How.
    pub status: WorkStatus,
}

impl Decide for EndExternalStep {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let act = Act("end", "External Step");
        let job = open(world, act, self.job)?;
        match job.step(self.step) {
            None => Err(act.no(Key::StepUnknown)),
            Some(step) if step.status != WorkStatus::Started => Err(act.no(Key::JobEnded)),
            Some(_) => Ok(vec![ExternalStepEnded { job: self.job, step: self.step, status: self.status }.into()]),
        }
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some(INJECT)
    }

    fn least() -> Option<Permit> {
        Some(Permit::InjectExternalTasks)
    }
}

/// Ends an external job.
#[derive(Clone, Debug)]
pub struct EndExternalJob {
    /// Which.
    pub job: JobId,
    /// How.
    pub status: WorkStatus,
    /// Whether it is forgotten some time after, whatever was said at its beginning.
    pub force: bool,
}

impl Decide for EndExternalJob {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let job = open(world, Act("end", "External Job"), self.job)?;
        let auto_cleared = job.auto_cleared || self.force;
        Ok(vec![ExternalJobEnded { job: self.job, status: self.status, auto_cleared }.into()])
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some(INJECT)
    }

    fn least() -> Option<Permit> {
        Some(Permit::InjectExternalTasks)
    }
}

/// Forgets an external job; one that has not ended is aborted first.
#[derive(Clone, Debug)]
pub struct ClearExternalJob {
    /// Which.
    pub job: JobId,
}

impl Decide for ClearExternalJob {
    fn decide(&self, world: &World, _: &Context) -> Result<Vec<Event>, Rejection> {
        let job = external(world, Act("clear", "External Job"), self.job)?;
        let aborted = ExternalJobEnded { job: job.id, status: WorkStatus::Aborted, auto_cleared: true };
        let ended = (job.status == WorkStatus::Started).then(|| aborted.into());
        Ok(ended.into_iter().chain([ExternalJobsCleared { jobs: vec![job.id] }.into()]).collect())
    }

    fn permit(&self, _: &World) -> Option<(Permit, EntityRef)> {
        Some(INJECT)
    }

    fn least() -> Option<Permit> {
        Some(Permit::InjectExternalTasks)
    }
}
