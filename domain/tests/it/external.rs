//! What systems outside report and do.

use evirt_domain::Intent;
use evirt_domain::Key;
use evirt_domain::external::*;
use evirt_domain::external_step::ExternalStep;
use evirt_domain::host::DeactivateHost;
use evirt_domain::ids::*;
use evirt_domain::job::{ClearJobs, EndJob, JobOpened, KEEP_FINISHED, Task};
use evirt_domain::tag::{CreateTag, TagConfig};
use uuid::Uuid;

use crate::harness::*;

fn report(origin: &str, custom_id: i64, flood_rate: Option<i64>) -> ReportExternalEvent {
    ReportExternalEvent(Report {
        severity: EventSeverity::Error,
        description: "The disk is hot".into(),
        origin: origin.into(),
        custom_id,
        flood_rate,
        custom_data: String::new(),
        about: Vec::new(),
        user: None,
    })
}

fn begun() -> (Story, JobId) {
    let mut story = Story::installed();
    story.does(AddExternalJob { description: "Backup".into(), auto_cleared: true });
    let job = story.world.external_jobs.values().next().unwrap().id;
    (story, job)
}

fn step(job: JobId, parent: Option<Uuid>) -> AddExternalStep {
    AddExternalStep { job, parent, kind: "executing".into(), description: "Copying".into() }
}

fn newest(story: &Story, job: JobId) -> Uuid {
    story.world.external_jobs.get(&job).unwrap().steps.last().unwrap().id
}

#[test]
fn a_number_is_reported_once_until_its_time_is_over_or_it_is_removed() {
    let mut story = Story::installed();
    story.when(report("oVirt", 1, None)).refused(Key::ExternalOrigin);
    story.when(report("nagios", -1, None)).refused(Key::OutOfRange);
    story.does(report("nagios", 1, Some(60)));
    story.when(report("nagios", 1, Some(60))).refused(Key::ExternalEventExists);
    story.when(report("zabbix", 1, None)).then(&["ExternalEventReported"]);
    story.now += 60_000_000;
    story.does(report("nagios", 1, None));
    let event = story.world.position;
    story.now += 600_000_000;
    story.when(report("nagios", 1, None)).refused(Key::ExternalEventExists);
    story.does(RemoveExternalEvent { event });
    story.when(RemoveExternalEvent { event }).refused(Key::ExternalOrigin);
    story.when(RemoveExternalEvent { event: 1 }).refused(Key::ExternalOrigin);
    story.when(report("nagios", 1, None)).then(&["ExternalEventReported"]);
    assert_eq!(story.world.external_events.hidden(), 1);
}

#[test]
fn steps_are_within_steps_and_end_with_them() {
    let (mut story, job) = begun();
    story.does(step(job, None));
    let outer = newest(&story, job);
    story.does(step(job, Some(outer)));
    let inner = newest(&story, job);
    story.when(step(job, Some(nowhere()))).refused(Key::StepWithoutParent);
    story.when(step(nowhere(), None)).refused(Key::EntityNotFound);
    story.does(EndExternalStep { job, step: outer, status: WorkStatus::Failed });
    let at = |story: &Story, id| story.world.external_jobs.get(&job).unwrap().step(id).unwrap().status;
    assert_eq!((at(&story, outer), at(&story, inner)), (WorkStatus::Failed, WorkStatus::Failed));
    story.when(EndExternalStep { job, step: inner, status: WorkStatus::Finished }).refused(Key::JobEnded);
    story.when(EndExternalStep { job, step: nowhere(), status: WorkStatus::Finished }).refused(Key::StepUnknown);
    story.when(step(job, Some(outer))).refused(Key::StepWithoutParent);
}

#[test]
fn an_external_job_ends_and_is_cleared() {
    let (mut story, job) = begun();
    let end = |force| EndExternalJob { job, status: WorkStatus::Finished, force };
    story.when(ClearExternalJob { job }).then(&["ExternalJobEnded", "ExternalJobsCleared"]);
    story.does(end(false));
    story.when(end(false)).refused(Key::JobEnded);
    story.when(step(job, None)).refused(Key::JobEnded);
    story.when(ClearExternalJob { job }).then(&["ExternalJobsCleared"]);
    story.when(ClearJobs).then(&[]);
    story.now += KEEP_FINISHED + 1;
    story.when(ClearJobs).then(&["ExternalJobsCleared"]);
    let own = JobId(Uuid::from_u128(1));
    story.given(vec![JobOpened { job: own, description: "Starting".into(), task: Task::StartVm { vm: nowhere() } }.into()]);
    story.when(ClearExternalJob { job: own }).refused(Key::NotExternal);
    story.when(ClearExternalJob { job: nowhere() }).refused(Key::EntityNotFound);
}

#[test]
fn an_event_is_reported_by_who_may_report_on_all_that_it_is_about() {
    use evirt_domain::Actor;
    use evirt_domain::access::{AddUser, EntityRef, GrantPermission, Holder, SUPER_USER};
    let mut estate = estate();
    let (vm, host) = (EntityRef::Vm(estate.vm), EntityRef::Host(estate.host));
    let added = estate.does(AddUser { name: "eve".into(), password: "hash".into(), roles: Vec::new() });
    let eve = UserId(added[0].as_fold().stream().id);
    estate.does(GrantPermission { holder: Holder::User(eve), role: SUPER_USER, object: vm });
    let about = |objects: &[EntityRef]| {
        let ReportExternalEvent(report) = report("nagios", 1, None);
        ReportExternalEvent(Report { about: objects.to_vec(), ..report })
    };
    estate.story.actor = Actor::User(eve);
    estate.when(about(&[vm])).then(&["ExternalEventReported"]);
    for objects in [[vm, host], [host, vm]] {
        estate.when(about(&objects)).refused(Key::NotAuthorized);
    }
}

fn tag() -> CreateTag {
    CreateTag { config: TagConfig { name: "one".into(), description: String::new(), parent: None } }
}

fn as_step(command: impl Into<Intent>, job: Option<JobId>, parent: Option<Uuid>) -> Intent {
    command.into().as_step(Some(ExternalStep { job, parent, description: "update clusters".into() }))
}

#[test]
fn a_command_is_a_step_of_an_external_job_and_ends_with_the_job_that_it_opened() {
    let (mut story, job) = begun();
    story.does(step(job, None));
    let outer = newest(&story, job);
    let of = |story: &Story, id| story.world.external_jobs.get(&job).unwrap().step(id).unwrap().clone();

    // What is done at once is a step that is done.
    story.does(as_step(tag(), Some(job), None));
    let done = of(&story, newest(&story, job));
    assert_eq!((done.parent, done.status, done.description.as_str()), (None, WorkStatus::Finished, "update clusters"));

    // What takes time is a step, here within another that alone says which job it is, until its job ends.
    let host = story.host("one");
    story.does(as_step(DeactivateHost { host }, None, Some(outer)));
    let step = of(&story, newest(&story, job));
    let own = step.carries.unwrap();
    assert_eq!((step.parent, step.status), (Some(outer), WorkStatus::Started));
    assert_eq!(step.description, story.world.job(own).unwrap().description);
    story.when(EndJob { job: own, failure: Some("no".into()) }).then(&["JobEnded", "ExternalStepEnded"]);
    story.does(EndJob { job: own, failure: Some("no".into()) });
    assert_eq!(of(&story, step.id).status, WorkStatus::Failed);
}

#[test]
fn a_command_is_no_step_of_what_has_ended_or_is_not_there() {
    let (mut story, job) = begun();
    story.does(step(job, None));
    let of_job = newest(&story, job);
    let mut other = story.clone();
    story.does(AddExternalJob { description: "Restore".into(), auto_cleared: true });
    let elsewhere = story.world.external_jobs.values().map(|job| job.id).find(|id| *id != job).unwrap();
    story.when(as_step(tag(), Some(nowhere()), None)).refused(Key::EntityNotFound);
    story.when(as_step(tag(), None, Some(nowhere()))).refused(Key::StepUnknown);
    story.when(as_step(tag(), Some(elsewhere), Some(of_job))).refused(Key::StepUnknown);
    story.does(EndExternalStep { job, step: of_job, status: WorkStatus::Finished });
    story.when(as_step(tag(), None, Some(of_job))).refused(Key::StepWithoutParent);
    story.does(EndExternalJob { job, status: WorkStatus::Finished, force: false });
    story.when(as_step(tag(), Some(job), None)).refused(Key::JobEnded);

    // What ends while a command's work goes on ends without it.
    let host = other.host("one");
    other.does(as_step(DeactivateHost { host }, Some(job), None));
    let own = other.world.external_jobs.get(&job).unwrap().steps.last().unwrap().carries.unwrap();
    other.does(ClearExternalJob { job });
    other.when(EndJob { job: own, failure: None }).then(&["JobEnded"]);
}

#[test]
fn what_has_no_description_or_no_end_is_refused() {
    let (mut story, job) = begun();
    story.when(AddExternalJob { description: " ".into(), auto_cleared: true }).refused(Key::DescriptionEmpty);
    for _ in 0..MAX_EXTERNAL_STEPS {
        story.does(step(job, None));
    }
    story.when(step(job, None)).refused(Key::TooMany);
}
