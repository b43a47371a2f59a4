//! The guide's examples, chapter by chapter: tests/data/guide has their requests, and what their responses show.
//!
//! A file is a list of examples, each of exchanges: a request line, headers, a body, `=>` with the statuses that may come,
//! and what the answer has to hold (`tree.rs` says how), with `eventually` as soon as it does. What is read is read as JSON too.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;

use crate::engine::{Answer, Caller, Engine, PASSWORD, fast};
use crate::tree::{Node, Variables, filled};

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// How lines begin that say where an example is not as it was printed.
const NOTES: [&str; 2] = ["Mended: ", "Left out: "];

/// A request and what its answer has to show.
struct Exchange<'a> {
    method: &'a str,
    path: &'a str,
    headers: Vec<(&'a str, &'a str)>,
    body: String,
    statuses: &'a str,
    eventually: bool,
    shown_headers: Vec<(&'a str, &'a str)>,
    shown: String,
}

impl<'a> Exchange<'a> {
    /// The exchanges of an example.
    fn all(example: &'a str) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        let mut answered = true;
        for line in example.lines().skip(1).filter(|line| !line.is_empty() && !NOTES.iter().any(|note| line.starts_with(note))) {
            let header = line.split_once(": ").filter(|(name, _)| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
            match (line.split_once(' '), all.last_mut()) {
                (Some(("=>", statuses)), Some(one)) => {
                    one.eventually = statuses.ends_with(" eventually");
                    one.statuses = statuses.trim_end_matches(" eventually");
                    answered = true;
                }
                (Some((method, path)), _) if answered && method.bytes().all(|b| b.is_ascii_uppercase()) => {
                    let (headers, shown_headers) = (Vec::new(), Vec::new());
                    let (body, shown) = (String::new(), String::new());
                    all.push(Self { method, path, headers, body, statuses: "", eventually: false, shown_headers, shown });
                    answered = false;
                }
                (_, Some(one)) if answered => match header.filter(|_| one.shown.is_empty()) {
                    Some(header) => one.shown_headers.push(header),
                    None => one.shown.push_str(line),
                },
                (_, Some(one)) => match header.filter(|_| one.body.is_empty()) {
                    Some(header) => one.headers.push(header),
                    None => one.body.push_str(line),
                },
                (_, None) => panic!("{line} stands before a request"),
            }
        }
        all
    }

    async fn ask(&self, engine: &Engine, variables: &Variables, accept: Option<&str>) -> Answer {
        let named = |name: &str| self.headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));
        let caller = if named("authorization") || named("cookie") { engine.anonymous() } else { engine.admin() };
        let caller = accept.into_iter().fold(caller, |caller, accept| caller.with("accept", accept));
        let caller: Caller = self
            .headers
            .iter()
            .filter(|(_, value)| *value != "-")
            .fold(caller, |caller, (name, value)| caller.with(name, &filled(value, variables)));
        let body = Some(filled(&self.body, variables)).filter(|body| !body.is_empty());
        caller.ask(Method::from_bytes(self.method.as_bytes()).unwrap(), &filled(self.path, variables), body).await
    }

    /// What is missing in an answer; it gives the variables their values.
    fn missing(&self, answer: &Answer, shown: Option<&Node>, variables: &mut Variables) -> Option<String> {
        let status = answer.status.as_u16().to_string();
        if !self.statuses.split(' ').any(|allowed| allowed == status) {
            return Some(format!("{status} instead of {}", self.statuses));
        }
        for (name, value) in &self.shown_headers {
            let (before, variable) = value.split_once('?').unwrap_or((value, ""));
            let Some(rest) = answer.header(name).strip_prefix(&filled(before, variables)) else {
                return Some(format!("{name} is '{}'", answer.header(name)));
            };
            if !variable.is_empty() {
                variables.insert(variable.to_owned(), rest.split(';').next().unwrap_or_default().to_owned());
            }
        }
        let shown = shown?;
        let json = answer.header("content-type").starts_with("application/json");
        let read = if json {
            serde_json::from_str(&answer.body).map(|value| Node::json(&shown.name, &value)).map_err(|error| error.to_string())
        } else {
            Node::xml(&answer.body)
        };
        read.and_then(|read| shown.is_within(&read, variables)).err()
    }

    /// Sends the request, again and again where its answer may take time, and says what its answer lacks.
    async fn hold(&self, engine: &Engine, variables: &mut Variables) -> Result<(), String> {
        let shown = (!self.shown.is_empty()).then(|| Node::xml(&self.shown)).transpose()?;
        let end = Instant::now() + PATIENCE;
        loop {
            let answer = self.ask(engine, variables, None).await;
            match self.missing(&answer, shown.as_ref(), variables) {
                None => break,
                Some(_) if self.eventually && Instant::now() < end => tokio::task::yield_now().await,
                Some(why) => return Err(format!("{why}\n{}", answer.body)),
            }
        }
        if let (Some(shown), "GET", false) = (&shown, self.method, self.headers.iter().any(|(name, _)| *name == "Accept")) {
            let answer = self.ask(engine, variables, Some("application/json")).await;
            if let Some(why) = self.missing(&answer, Some(shown), &mut variables.clone()) {
                return Err(format!("as JSON: {why}\n{}", answer.body));
            }
        }
        Ok(())
    }
}

/// Goes through a chapter on an engine; what does not hold is told for every example.
pub async fn chapter(engine: &Engine, examples: &str) {
    let mut variables = Variables::new();
    variables.insert("basic".into(), format!("Basic {}", STANDARD.encode(format!("admin@internal:{PASSWORD}"))));
    let mut wrong = Vec::new();
    for example in examples.split("## ").skip(1) {
        let title = example.lines().next().unwrap_or_default();
        for exchange in Exchange::all(example) {
            if let Err(why) = exchange.hold(engine, &mut variables).await {
                wrong.push(format!("{title}: {} {}: {why}", exchange.method, filled(exchange.path, &variables)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

macro_rules! chapters {
    ($($test:ident: $file:literal;)*) => {
        const CHAPTERS: &[&str] = &[$(include_str!(concat!("../data/guide/", $file))),*];

        $(
            #[tokio::test]
            async fn $test() {
                chapter(&fast().await, include_str!(concat!("../data/guide/", $file))).await;
            }
        )*
    };
}

chapters! {
    chapter_2_authentication: "02-authentication.txt";
    chapter_3_quick_start: "03-quick-start.txt";
    chapter_5_entry_point: "05-entry-point.txt";
    chapter_6_versions: "06-versions.txt";
    chapter_7_capabilities: "07-capabilities.txt";
    chapter_8_common_features: "08-common-features.txt";
    chapter_9_data_centers: "09-data-centers.txt";
    chapter_10_clusters: "10-clusters.txt";
    chapter_11_networks: "11-networks.txt";
    chapter_12_storage_domains: "12-storage-domains.txt";
    chapter_13_storage_connections: "13-storage-connections.txt";
    chapter_14_hosts: "14-hosts.txt";
    chapters_19_to_22_identity: "19-identity.txt";
    chapter_24_events: "24-events.txt";
    appendix_d_enumerated_values: "d-enumerated-values.txt";
}

/// How many examples the guide numbers in each of these chapters.
const EXAMPLES: &[(u32, u32)] = &[
    (2, 2),
    (3, 19),
    (5, 2),
    (6, 1),
    (8, 7),
    (9, 12),
    (10, 18),
    (11, 5),
    (12, 14),
    (13, 7),
    (14, 24),
    (19, 3),
    (20, 2),
    (21, 6),
    (22, 3),
    (24, 4),
];

/// The numbers of examples that a title or a note names, as in `9.1`, `14.3, 14.4` or `12.5 to 12.10`.
fn named(line: &str) -> Vec<(u32, u32)> {
    let mut named: Vec<(u32, u32)> = Vec::new();
    let mut reaches = false;
    for word in line.split([' ', ',', ':', ';']).filter(|word| !word.is_empty()) {
        let number = word.split_once('.').and_then(|(chapter, n)| Some((chapter.parse().ok()?, n.parse().ok()?)));
        match (number, named.last().copied()) {
            (Some((chapter, n)), Some((of, from))) if reaches && chapter == of => named.extend((from + 1..=n).map(|n| (of, n))),
            (Some(number), _) => named.push(number),
            (None, _) => {}
        }
        reaches = word == "to";
    }
    named
}

#[test]
fn every_example_is_a_test_or_named_with_the_reason_why_not() {
    let lines = CHAPTERS.iter().flat_map(|chapter| chapter.lines());
    let named: BTreeSet<(u32, u32)> =
        lines.filter(|line| line.starts_with("## ") || line.starts_with("Left out: ")).flat_map(named).collect();
    for (chapter, count) in EXAMPLES {
        let missing: Vec<u32> = (1..=*count).filter(|n| !named.contains(&(*chapter, *n))).collect();
        assert!(missing.is_empty(), "of chapter {chapter} the examples {missing:?} are not named");
    }
}
