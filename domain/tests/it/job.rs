//! Jobs: their steps, their end, and how long they are kept.

use evirt_domain::Key::EntityNotFound;
use evirt_domain::ids::*;
use evirt_domain::job::*;
use evirt_domain::vm_run::*;
use evirt_domain::{Event, StreamKind};
use uuid::Uuid;

use crate::harness::*;

fn job(n: u128) -> JobId {
    JobId(Uuid::from_u128(n))
}

fn opened(n: u128) -> Event {
    JobOpened { job: job(n), description: "Starting".into(), task: Task::StartVm { vm: nowhere() } }.into()
}

fn ended(n: u128, failure: Option<&str>) -> Event {
    JobEnded { job: job(n), failure: failure.map(Into::into) }.into()
}

#[test]
fn steps_and_end() {
    let mut story = Story::installed();
    story.given(vec![opened(1)]);
    let at = |story: &Story| {
        let job = story.world.jobs.get(&job(1)).expect("the job");
        (job.steps_done, job.step_times.len(), job.status.clone())
    };
    let step = |done| FinishStep { job: job(1), done };
    let end = || EndJob { job: job(1), failure: None };
    story.does(step(1));
    assert_eq!(at(&story), (1, 1, JobStatus::Started));
    story.when(step(1)).then(&[]);
    story.does(end());
    assert_eq!(at(&story), (2, 2, JobStatus::Finished));
    story.when(step(2)).then(&[]);
    story.when(end()).then(&[]);
    story.when(EndJob { job: nowhere(), failure: None }).refused(EntityNotFound);
    story.given(vec![opened(2), ended(2, Some("no host"))]);
    let failed = story.world.jobs.get(&job(2)).expect("the job");
    assert_eq!((failed.status.clone(), failed.steps_done), (JobStatus::Failed("no host".into()), 0));
    assert!(story.world.open_jobs.is_empty());
}

#[test]
fn a_job_that_has_failed_stays_failed() {
    let mut story = estate();
    let vm = story.vm;
    story.up(vm);
    story.does(SuspendVm { vm });
    let job = story.job();
    story.does(EndJob { job, failure: Some("no space".into()) });
    let failed = story.world.jobs.get(&job).expect("the job").clone();
    // Its host refused to save it: it goes on, and is heard of once more.
    story.when(ReportVm { vm, generation: None, observed: Observed::Up(Guest::default()) }).then(&["VmUp"]);
    story.observe(vm, Observed::Up(Guest::default()));
    story.given(vec![JobEnded { job, failure: None }.into()]);
    let after = story.world.jobs.get(&job).expect("the job");
    assert_eq!((&after.status, after.ended_at), (&JobStatus::Failed("no space".into()), failed.ended_at));
}

#[test]
fn ended_jobs_are_cleared_after_their_time() {
    let mut story = Story::installed();
    story.given(vec![opened(1), opened(2), opened(3), ended(1, None), ended(2, Some("no host"))]);
    let end = story.world.jobs.get(&job(1)).and_then(|j| j.ended_at).expect("the end");
    let cleared = |story: &Story, after| {
        let mut later = story.clone();
        later.now = end + after;
        match later.when(ClearJobs).accepted().as_slice() {
            [] => Vec::new(),
            [Event::JobsCleared(e)] => e.jobs.clone(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(cleared(&story, KEEP_FINISHED), []);
    assert_eq!(cleared(&story, KEEP_FINISHED + 1), [job(1)]);
    assert_eq!(cleared(&story, KEEP_FAILED), [job(1)]);
    assert_eq!(cleared(&story, KEEP_FAILED + 1), [job(1), job(2)]);
    story.now = end + KEEP_FAILED + 1;
    story.does(ClearJobs);
    assert_eq!(story.world.jobs.values().map(|j| j.id).collect::<Vec<_>>(), [job(3)]);
    let streams = story.world.streams.keys().filter(|s| s.kind == StreamKind::Job).count();
    assert_eq!(streams, 1);
    story.when(ClearJobs).then(&[]);
}

#[test]
fn too_many_ended_jobs_go_sooner() {
    let mut story = Story::installed();
    let many = MAX_ENDED_JOBS as u128 + 3;
    story.given((0..many).flat_map(|n| [opened(n), ended(n, None)]).collect());
    let events = story.when(ClearJobs).then(&["JobsCleared"]);
    assert!(matches!(&events[0], Event::JobsCleared(e) if e.jobs.len() == 3));
}

#[test]
fn every_task_has_steps() {
    let estate = estate();
    assert!(estate.log.iter().all(|r| match &r.event {
        Event::JobOpened(e) => !e.task.steps().is_empty(),
        _ => true,
    }));
    assert!(estate.world.open_jobs.is_empty());
}
