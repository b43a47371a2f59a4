//! evirt's benchmarks: each figure beside a raw baseline of the same run, and what it should be at least.
//!
//! usage: evirt-bench [SECONDS]. SECONDS is how long each figure over HTTP is taken; 3 unless said.
//! `evirt-bench build DIR VMS` makes a data directory like those that are measured, to look at with other tools;
//! `evirt-bench size EVENTS` says what so many mixed events take on the disk,
//! `evirt-bench load ADDRESS PATH [CLIENTS]` asks a running server for a path again and again; `evirt-bench create ADDRESS [CLIENTS]` creates VMs.

mod baseline;
mod child;
mod client;
mod estate;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use client::{Client, always, create, get, get_own, log_in, log_in_as, measure};

use crate::child::{Running, time_to_first_answer};

// As the engine's own binary has it.
#[global_allocator]
static GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SMALL: usize = 1_000;
const LARGE: usize = 100_000;
const READERS: usize = 16;
const WRITERS: usize = 64;
/// How often a log is replayed.
const REPLAYS: usize = 3;
/// How often two take turns.
const TURNS: u32 = 4;
/// How many events a VM's life is, about.
const EVENTS_PER_VM: usize = 15;
/// What an event may take on the disk, log and audit log together.
const BYTES_PER_EVENT: f64 = 500.0;
const KIB: f64 = 1024.0;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["serve", data] => child::serve(data).await,
        ["replay", data] => child::replay(Path::new(data)).await,
        ["ready-made", directory, lengths @ ..] => baseline::serve_ready_made(directory, lengths).await,
        ["build", data, vms] => estate::build(Path::new(data), vms.parse()?).await.map(|events| println!("{events} events")),
        ["size", events] => size(events.parse()?).await,
        ["load", address, path, clients @ ..] => load(address, path, clients).await,
        ["create", address, clients @ ..] => create_many(address, clients).await,
        [] => figures(Duration::from_secs(3)).await,
        [seconds] => figures(Duration::from_secs(seconds.parse().context("usage: evirt-bench [SECONDS]")?)).await,
        _ => bail!("usage: evirt-bench [SECONDS]"),
    }
}

/// How often a running server answers a GET; for what is not ours, there is no session.
async fn load(address: &str, path: &str, clients: &[&str]) -> Result<()> {
    let clients = clients.first().map_or(Ok(READERS), |clients| clients.parse())?;
    let cookie = log_in(address).await.unwrap_or_default();
    let figure = measure(address, clients, Duration::from_secs(3), 200, always(get(path, &cookie))).await?;
    println!("{:.0}/s, p99 {:.1?}", figure.rate, figure.p99);
    Ok(())
}

/// What mixed events take on the disk once their engine has stopped.
async fn size(events: usize) -> Result<()> {
    let data = tempfile::tempdir()?;
    let recorded = estate::build(data.path(), events.div_ceil(EVENTS_PER_VM)).await?;
    let each = |name: &str| std::fs::metadata(data.path().join(name)).map(|found| found.len() as f64 / recorded as f64);
    let (log, audit) = (each("events.db")?, each("audit.db")?);
    let seen = format!("{:.0} bytes: {log:.0} in the log, {audit:.0} in the audit log", log + audit);
    say(&format!("an event of {recorded}"), seen, "at most 500", log + audit <= BYTES_PER_EVENT);
    Ok(())
}

/// How fast a running engine creates VMs.
async fn create_many(address: &str, clients: &[&str]) -> Result<()> {
    let clients = clients.first().map_or(Ok(1), |clients| clients.parse())?;
    let cookie = log_in(address).await?;
    let prefix = std::process::id();
    let make = Arc::new(move |n| create(&format!("vm{prefix}-{n}"), &cookie));
    let figure = measure(address, clients, Duration::from_secs(3), 201, make).await?;
    println!("{:.0}/s, p99 {:.1?}", figure.rate, figure.p99);
    Ok(())
}

/// A line of the table: a figure, what it should be, and whether it is. Only ratios and sizes are judged: times and rates are the machine's.
fn say(what: &str, seen: String, wanted: &str, holds: bool) {
    println!("{} {what}: {seen} (wanted: {wanted})", if holds { "ok  " } else { "MISS" });
}

async fn figures(time: Duration) -> Result<()> {
    let place = tempfile::tempdir_in(".")?;
    let fsyncs = baseline::fsyncs(place.path(), time)?;
    let group = baseline::group_commits(place.path(), time, WRITERS).await?;
    println!("     raw: {fsyncs:.0} fsyncs/s; {group:.0} rows/s in durable groups of {WRITERS}");
    writes(&place.path().join("empty"), time, fsyncs, group).await?;

    let (small, large, own) = (place.path().join("small"), place.path().join("large"), place.path().join("own"));
    estate::build(&own, estate::OWN).await?;
    let few = estate::build(&small, SMALL).await?;
    let began = Instant::now();
    let many = estate::build(&large, LARGE).await?;
    println!("     a log of {many} events was written in {:.0} s", began.elapsed().as_secs_f64());
    replay(&large, many).await?;
    reads(&small, few, &large, many, time).await?;
    own_reads(&own, &large, time).await
}

/// Starting on an empty log, and creating VMs there.
async fn writes(data: &Path, time: Duration, fsyncs: f64, group: f64) -> Result<()> {
    time_to_first_answer(data).await?.1.stop().await?;
    std::fs::remove_dir_all(data)?;
    let (start, engine) = time_to_first_answer(data).await?;
    println!("     start to first answer, empty log: {start:.2?}");

    let cookie = log_in(&engine.address).await?;
    let named = |prefix: &'static str| {
        let cookie = cookie.clone();
        Arc::new(move |n| create(&format!("{prefix}{n}"), &cookie))
    };
    let one = measure(&engine.address, 1, time, 201, named("one")).await?;
    // The disk's pace changes with the minute.
    let fsyncs = f64::midpoint(fsyncs, baseline::fsyncs(data, time)?);
    let part = one.rate / fsyncs;
    let bare = bare_post(time).await?;
    let of_bare = one.rate / bare;
    let seen = format!("{:.0}/s, {of_bare:.2} of a POST that only adds a row ({bare:.0}/s)", one.rate);
    say("POST /api/vms, 1 client", seen, "0.6", of_bare >= 0.6);
    println!("     that is {part:.2} of the fsync rate, and the POST that only adds a row {:.2}", bare / fsyncs);
    let many = measure(&engine.address, WRITERS, time, 201, named("many")).await?;
    let part = many.rate / group;
    say(
        "POST /api/vms, 64 clients",
        format!("{:.0}/s, p99 {:.1?}, {part:.2} of the raw group commits", many.rate, many.p99),
        "0.25",
        part >= 0.25,
    );
    engine.stop().await
}

/// How often a second one client has a row made durable by a server that does nothing else.
async fn bare_post(time: Duration) -> Result<f64> {
    let place = tempfile::tempdir_in(".")?;
    let server = Running::ready_made(place.path(), &[]).await?;
    Ok(measure(&server.address, 1, time, 201, always(create("bare", "none"))).await?.rate)
}

/// Folding a log whole, and starting on it by its snapshot.
async fn replay(data: &Path, events: u64) -> Result<()> {
    let mut times = Vec::new();
    for _ in 0..REPLAYS {
        times.push(child::time_to_replay(data).await?);
    }
    times.sort();
    // The one in the middle: what was written before may still be on its way to the disk during the first.
    let rate = events as f64 / times[REPLAYS / 2].as_secs_f64();
    let raw = baseline::rows_read(&data.join("events.db")).await?;
    let seen = format!("{rate:.0} events/s, {:.2} of reading their rows ({raw:.0}/s)", rate / raw);
    say("replay", seen, "0.9", rate / raw >= 0.9);
    let (start, engine) = time_to_first_answer(data).await?;
    println!("     start to first answer, {events} events: {start:.2?}");
    engine.stop().await
}

/// Reading from a small and a large inventory.
async fn reads(small: &Path, few: u64, large: &Path, many: u64, time: Duration) -> Result<()> {
    let (small, large) = (Running::engine(small).await?, Running::engine(large).await?);
    let (in_small, in_large) = (log_in(&small.address).await?, log_in(&large.address).await?);
    let page = ask(&large, "/api/vms", &in_large).await?;
    let found = ask(&large, "/api/vms?search=name%3Dvm543", &in_large).await?;
    let id = found.body.split("id=\"").nth(1).and_then(|rest| rest.split('"').next()).context("the VM has no id")?;
    let one = ask(&large, &format!("/api/vms/{id}"), &in_large).await?;
    let place = tempfile::tempdir_in(".")?;
    let ready_made = Running::ready_made(place.path(), &[one.length, page.length]).await?;
    let ready = |length: usize| Asked::new(&ready_made, &format!("/{length}"), "");
    let of_large = |path: &str| Asked::new(&large, path, &in_large);
    let of_small = |path: &str| Asked::new(&small, path, &in_small);

    let a_vm = of_large(&format!("/api/vms/{id}"));
    compared("GET /api/vms/ID", in_turn([&a_vm, &ready(one.length)], time).await?, 0.7);
    let a_page = of_large("/api/vms");
    compared("GET /api/vms, 100 of 100,000", in_turn([&a_page, &ready(page.length)], time).await?, 0.5);
    grown("GET /api/vms, 100 of 100,000 against of 1,000", in_turn([&a_page, &of_small("/api/vms")], time).await?, 1.2);
    let search = |n: u32| format!("/api/vms?search=name%3Dvm{n}");
    let found = in_turn([&of_large(&search(54_321)), &of_small(&search(543))], time).await?;
    grown("GET /api/vms?search=name%3Dvm54321 against among 1,000", found, 1.5);
    let near_end = |events: u64| format!("/api/events;from={}", events - 100);
    let newest = in_turn([&of_large(&near_end(many)), &of_small(&near_end(few))], time).await?;
    grown(&format!("GET /api/events;from=N near the end of {many} events against of {few}"), newest, 1.2);
    let each = large.resident()? as f64 / LARGE as f64 / KIB;
    say("memory for each of 100,000 VMs, all included", format!("{each:.1} KiB"), "8 KiB", each <= 8.0);
    small.stop().await?;
    large.stop().await
}

/// What a user sees who may see a hundred VMs: of that many, and of many more.
async fn own_reads(own: &Path, large: &Path, time: Duration) -> Result<()> {
    let (large, own) = (Running::engine(large).await?, Running::engine(own).await?);
    let mut asked = Vec::new();
    for engine in [&large, &own] {
        let request = get_own("/api/vms", &log_in_as(&engine.address, estate::USER).await?);
        let seen = Client::connect(&engine.address).await?.ask(request.as_bytes()).await?;
        if seen.status != 200 || seen.length < estate::OWN * 1_000 {
            bail!("a user sees {} bytes: {} {}", seen.length, seen.status, seen.body);
        }
        asked.push(Asked { address: engine.address.clone(), request });
    }
    grown("GET /api/vms, a user's 100 of 100,000 against of 100", in_turn([&asked[0], &asked[1]], time).await?, 2.0);
    large.stop().await?;
    own.stop().await
}

/// A request that is sent again and again, and where to.
struct Asked {
    address: String,
    request: String,
}

impl Asked {
    fn new(server: &Running, path: &str, cookie: &str) -> Self {
        Self { address: server.address.clone(), request: get(path, cookie) }
    }
}

/// How often a second each of two is answered, a time for each. They take turns, since a machine's pace changes with the minute.
async fn in_turn(two: [&Asked; 2], time: Duration) -> Result<[f64; 2]> {
    let mut rates = [0.0; 2];
    for _ in 0..TURNS {
        for (rate, Asked { address, request }) in rates.iter_mut().zip(two) {
            let seen = measure(address, READERS, time / TURNS, 200, always(request.clone())).await?;
            *rate += seen.rate / f64::from(TURNS);
        }
    }
    Ok(rates)
}

/// Asks once; the answer has to be good.
async fn ask(engine: &Running, path: &str, cookie: &str) -> Result<client::Answer> {
    let answer = Client::connect(&engine.address).await?.ask(get(path, cookie).as_bytes()).await?;
    if answer.status != 200 {
        bail!("{path}: {} {}", answer.status, answer.body);
    }
    Ok(answer)
}

/// A rate as a part of that of a ready-made answer of the same length.
fn compared(what: &str, [seen, ready]: [f64; 2], wanted: f64) {
    let part = seen / ready;
    say(what, format!("{seen:.0}/s, {part:.2} of a ready-made answer ({ready:.0}/s)"), &format!("{wanted}"), part >= wanted);
}

/// How many times as long something takes where there is more.
fn grown(what: &str, [large, small]: [f64; 2], wanted: f64) {
    let times = small / large;
    say(what, format!("{large:.0}/s, {times:.2} times as long"), &format!("{wanted}"), times <= wanted);
}
