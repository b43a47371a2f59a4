//! What the audit log answers, and that what was offered is there.

use std::fs;
use std::sync::Arc;

use evirt_domain::ids::*;
use sqlx::{ConnectOptions, Executor};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::*;
use crate::log::{self, fixtures::batch};
use crate::store::sqlite;

/// An audit log with its writer, beside an event log of 100 events.
struct Site {
    data: TempDir,
    log: Arc<dyn EventLog>,
    audit: Arc<AuditLog>,
    writer: JoinHandle<()>,
}

impl Drop for Site {
    fn drop(&mut self) {
        self.writer.abort();
    }
}

impl Site {
    async fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let log = log::open(data.path()).await.unwrap();
        log.append(batch(0, 100)).await.unwrap();
        let (audit, writer) = open(&data, &*log).await;
        Self { data, log, audit, writer }
    }

    /// One that was offered an entry for every second event.
    async fn told() -> Self {
        let site = Self::new().await;
        site.audit.offer(told((1..=50).map(|n| entry(n * 2))), 100);
        site
    }

    /// Ends it as a crash does, does something to its file, and opens it again.
    async fn again(&mut self, between: impl FnOnce(&Path)) {
        self.writer.abort();
        self.audit.close().await;
        between(&self.data.path().join(FILE_NAME));
        (self.audit, self.writer) = open(&self.data, &*self.log).await;
    }

    async fn ids(&self, query: AuditQuery) -> Vec<u64> {
        self.audit.find(query).await.unwrap().iter().map(|entry| entry.id).collect()
    }

    async fn execute(&self, statement: &'static str) {
        let path = self.data.path().join(FILE_NAME);
        sqlite::options(&path).connect().await.unwrap().execute(statement).await.unwrap();
    }
}

async fn open(data: &TempDir, log: &dyn EventLog) -> (Arc<AuditLog>, JoinHandle<()>) {
    let audit = Arc::new(AuditLog::open(data.path(), log).await.unwrap());
    let writing = audit.clone();
    (audit, tokio::spawn(async move { writing.write().await }))
}

fn told(entries: impl IntoIterator<Item = AuditRecord>) -> AuditBatch {
    AuditBatch { entries: entries.into_iter().collect(), ..AuditBatch::default() }
}

/// A name of the VM of every tenth entry, which an event took away.
fn former(position: u64, name: &str) -> FormerName {
    FormerName { position, reference: Reference::Vm, id: Uuid::from_u128(0), name: name.to_owned(), until: position }
}

fn entry(id: u64) -> AuditRecord {
    AuditRecord {
        id,
        recorded_at: 1_700_000_000_000_000 + id.cast_signed() * 1_000,
        correlation_id: format!("request {id}").into(),
        code: 153,
        severity: if id.is_multiple_of(4) { Severity::Error } else { Severity::Normal },
        message: format!("VM vm{} started on Host host1", id % 10),
        about: References { vm: Some(VmId(Uuid::from_u128(u128::from(id % 10)))), ..References::default() },
        origin: "oVirt".into(),
        ..AuditRecord::default()
    }
}

#[tokio::test]
async fn it_is_paged_and_filtered_as_soon_as_it_was_offered() {
    let site = Site::told().await;
    let all = AuditQuery::newest(3);
    assert_eq!(site.ids(all).await, [100, 98, 96]);
    assert_eq!(site.ids(AuditQuery { offset: 2, ..all }).await, [96, 94, 92]);
    assert_eq!(site.ids(AuditQuery { after: Some(96), ..all }).await, [100, 98]);
    assert_eq!(site.ids(AuditQuery { before: Some(96), ..all }).await, [94, 92, 90]);
    assert_eq!(site.ids(AuditQuery { after: Some(90), oldest_first: true, ..all }).await, [92, 94, 96]);
    let filtered = |filter| AuditQuery { filter, ..all };
    let time = |position| entry(position).recorded_at;
    let vm = Uuid::from_u128(2);
    assert_eq!(site.ids(filtered(AuditFilter::Code(153))).await, [100, 98, 96]);
    assert_eq!(site.ids(filtered(AuditFilter::Code(1))).await, [0; 0]);
    assert_eq!(site.ids(filtered(AuditFilter::AtLeast(Severity::Warning))).await, [100, 96, 92]);
    assert_eq!(site.ids(filtered(AuditFilter::AtLeast(Severity::Alert))).await, [0; 0]);
    assert_eq!(site.ids(filtered(AuditFilter::Concerning(Reference::Vm, vm))).await, [92, 82, 72]);
    assert_eq!(site.ids(filtered(AuditFilter::Concerning(Reference::Host, vm))).await, [0; 0]);
    assert_eq!(site.ids(filtered(AuditFilter::Between(time(10), time(14)))).await, [12, 10]);
    assert_eq!(site.audit.count(all).await, Ok(50));
    assert_eq!(site.audit.count(AuditQuery { after: Some(90), ..filtered(AuditFilter::AtLeast(Severity::Error)) }).await, Ok(3));
}

#[tokio::test]
async fn an_entry_is_what_was_offered() {
    let site = Site::new().await;
    let id = Uuid::from_u128;
    let about = References {
        user: Some(UserId(id(1))),
        vm: Some(VmId(id(2))),
        host: Some(HostId(id(3))),
        template: Some(TemplateId(id(4))),
        cluster: Some(ClusterId(id(5))),
        data_center: Some(DataCenterId(id(6))),
        storage_domain: Some(StorageDomainId(id(7))),
        quota: Some(QuotaId(id(8))),
    };
    let entry = AuditRecord {
        code: 9801,
        severity: Severity::Alert,
        message: "Größe".into(),
        about,
        origin: "monitoring".into(),
        custom_id: Some(-4),
        flood_rate: Some(30),
        ..entry(1)
    };
    site.audit.offer(told([entry.clone()]), 2);
    assert_eq!(site.audit.entry(1).await, Ok(Some(entry)));
    assert_eq!(site.audit.entry(2).await, Ok(None));
}

#[tokio::test]
async fn it_is_there_again_as_far_as_it_was_written() {
    let mut site = Site::told().await;
    site.audit.make_durable().await.unwrap();
    assert_eq!(site.audit.position(), 100);
    site.again(|_| ()).await;
    assert_eq!(site.audit.position(), 100);
    assert_eq!(site.audit.count(AuditQuery::default()).await, Ok(50));
    site.audit.begin_anew().await.unwrap();
    site.again(|_| ()).await;
    assert_eq!((site.audit.position(), site.ids(AuditQuery::newest(3)).await), (0, vec![]));
}

#[tokio::test]
async fn what_is_damaged_gone_or_of_another_log_begins_anew() {
    let mut site = Site::new().await;
    let damaged = |path: &Path| fs::write(path, [0xa5; 8192]).unwrap();
    let gone = |path: &Path| fs::remove_file(path).unwrap();
    for ruin in [damaged, gone] {
        site.audit.offer(told([entry(2)]), 100);
        site.audit.make_durable().await.unwrap();
        site.again(ruin).await;
        assert_eq!((site.audit.position(), site.ids(AuditQuery::newest(3)).await), (0, vec![]));
    }
    for position in [100, 101] {
        site.audit.offer(told([entry(2)]), position);
        site.audit.make_durable().await.unwrap();
        site.again(|_| ()).await;
        assert_eq!(site.audit.position(), if position > 100 { 0 } else { 100 });
    }
    site.audit.offer(told([entry(2)]), 100);
    site.audit.make_durable().await.unwrap();
    for of_another in ["UPDATE reached SET installation = x'00'", "PRAGMA user_version = 3"] {
        site.audit.offer(told([entry(2)]), 100);
        site.audit.make_durable().await.unwrap();
        site.execute(of_another).await;
        site.again(|_| ()).await;
        assert_eq!((site.audit.position(), site.ids(AuditQuery::newest(3)).await), (0, vec![]), "{of_another}");
    }
}

#[tokio::test]
async fn an_entry_is_told_with_the_name_that_was_lost_first_behind_it() {
    let mut site = Site::told().await;
    let names = vec![former(30, "old"), former(35, "Older"), former(90, "old")];
    site.audit.offer(AuditBatch { former: names.clone(), ..AuditBatch::default() }, 100);
    let vm = AuditFilter::Concerning(Reference::Vm, Uuid::from_u128(0));
    let query = AuditQuery { former: true, filter: vm, oldest_first: true, ..AuditQuery::newest(100) };
    for _ in 0..2 {
        let found = site.audit.find(query).await.unwrap();
        let told: Vec<(u64, Option<&str>)> =
            found.iter().map(|entry| (entry.id, entry.former.first().map(|(_, name)| name.as_str()))).collect();
        assert_eq!(told[..4], [(10, Some("old")), (20, Some("old")), (30, Some("Older")), (40, Some("old"))]);
        assert_eq!(told[7..], [(80, Some("old")), (90, None), (100, None)]);
        assert!(found.iter().flat_map(|entry| &entry.former).all(|(of, _)| *of == Reference::Vm));
        let called = |name, most| site.audit.formerly_called(Reference::Vm, name, most);
        assert_eq!(called("OLD", 9).await, Ok(vec![Uuid::from_u128(0)]), "each is told once, whatever the case");
        assert_eq!((called("older", 0).await, called("ol", 9).await), (Ok(vec![]), Ok(vec![])));
        assert_eq!(site.audit.formerly_called(Reference::Host, "old", 9).await, Ok(vec![]));
        assert_eq!(site.audit.former_names(0, 90).await, Ok(names.clone()));
        assert_eq!(site.audit.former_names(30, 89).await, Ok(names[1..2].to_vec()));
        site.again(|_| ()).await;
    }
    site.audit.begin_anew().await.unwrap();
    assert_eq!(site.audit.former_names(0, 100).await, Ok(vec![]));
}

#[tokio::test]
async fn names_are_written_with_the_entries_before_them() {
    let site = Site::new().await;
    let many = MAX_GATHERED as u64;
    let names = vec![former(5, "a"), former(many + 5, "b"), former(many + 50, "c")];
    site.audit.offer(AuditBatch { former: names.clone(), ..told((1..=many + 10).map(entry)) }, many + 100);
    assert_eq!(site.audit.former_names(0, u64::MAX >> 1).await, Ok(names));
    let audit = &site.audit;
    assert_eq!((audit.position(), audit.backlog.load(Ordering::Relaxed)), (many + 100, 0));
}

#[tokio::test]
async fn trouble_is_told_to_who_reads_and_lasts_no_longer_than_it_does() {
    let site = Site::new().await;
    site.execute("CREATE TRIGGER full BEFORE INSERT ON audit_log BEGIN SELECT RAISE(ABORT, 'the disk is full'); END").await;
    site.audit.offer(told([entry(2)]), 2);
    assert!(site.audit.find(AuditQuery::newest(3)).await.unwrap_err().detail.contains("the disk is full"));
    site.audit.offer(told([entry(4)]), 4);
    site.execute("DROP TRIGGER full").await;
    site.audit.written.subscribe().wait_for(|written| written.trouble.is_none()).await.unwrap();
    assert_eq!(site.ids(AuditQuery::newest(3)).await, [4, 2]);
}

#[tokio::test]
async fn there_is_room_for_so_many_and_again_when_they_are_written() {
    let site = Site::new().await;
    let many = MAX_WAITING as u64 + 10;
    site.audit.offer(told((1..=many).map(entry)), many);
    site.audit.room().await.unwrap();
    assert!(site.audit.backlog.load(Ordering::Relaxed) < MAX_WAITING);
    assert_eq!(site.audit.count(AuditQuery::default()).await, Ok(many));
}

#[tokio::test]
async fn every_question_to_the_audit_log_seeks_in_an_index() {
    let site = Site::new().await;
    let id = Uuid::nil();
    let from = AuditQuery { after: Some(5), ..AuditQuery::newest(10) };
    let of = |filter| AuditQuery { filter, ..AuditQuery::newest(10) };
    for (query, index) in [
        (from, "USING INTEGER PRIMARY KEY"),
        (of(AuditFilter::Code(1)), "audit_log_code"),
        (AuditQuery { filter: AuditFilter::Code(1), ..from }, "audit_log_code"),
        (of(AuditFilter::AtLeast(Severity::Error)), "audit_log_severity"),
        (of(AuditFilter::Between(1, 2)), "audit_log_recorded_at"),
        (of(AuditFilter::Concerning(Reference::User, id)), "audit_log_user"),
        (of(AuditFilter::Concerning(Reference::Vm, id)), "audit_log_vm"),
        (of(AuditFilter::Concerning(Reference::Host, id)), "audit_log_host"),
        (of(AuditFilter::Concerning(Reference::Template, id)), "audit_log_template"),
        (of(AuditFilter::Concerning(Reference::Cluster, id)), "audit_log_cluster"),
        (of(AuditFilter::Concerning(Reference::DataCenter, id)), "audit_log_data_center"),
        (of(AuditFilter::Concerning(Reference::StorageDomain, id)), "audit_log_storage_domain"),
    ] {
        let plan = site.audit.store.read().await.explain(&query).await;
        assert!(plan.contains("SEARCH") && plan.contains(index), "{query:?}: {plan}");
        let plan = site.audit.store.read().await.explain(&AuditQuery { former: true, ..query }).await;
        let names = plan.matches("SEARCH former_name USING PRIMARY KEY (reference=? AND object=? AND until>?)").count();
        assert!(plan.contains(index) && names == 8 && !plan.contains("SCAN former_name"), "{query:?}: {plan}");
    }
}

#[tokio::test]
async fn every_change_of_what_is_kept_is_found() {
    let mut site = Site::told().await;
    site.audit.offer(AuditBatch { former: vec![former(99, "old")], ..told([entry(99)]) }, 100);
    for _ in 0..2 {
        site.audit.make_durable().await.unwrap();
        assert_eq!(site.audit.verify(Duration::ZERO).await, Ok(None));
        site.again(|_| ()).await;
    }
    let path = site.data.path().join(FILE_NAME);
    site.audit.close().await;
    let whole = fs::read(&path).unwrap();
    for change in [
        "UPDATE audit_log SET message = 'VM vm2 stopped' WHERE position = 2",
        "UPDATE audit_log SET recorded_at = recorded_at + 1 WHERE position = 2",
        "UPDATE audit_log SET vm = NULL WHERE position = 2",
        "DELETE FROM audit_log WHERE position = 2",
        "UPDATE former_name SET name = 'new'",
        "INSERT INTO former_name SELECT reference, object, until + 1, position, name, folded FROM former_name",
        "PRAGMA writable_schema = 1; UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema \
         WHERE name = 'audit_log_vm') WHERE name = 'audit_log_host'",
    ] {
        fs::write(&path, &whole).unwrap();
        site.execute(change).await;
        // What is found when it is opened begins anew at once.
        let (audit, position) = open_again(&site).await;
        assert!(position == 0 || audit.verify(Duration::ZERO).await.unwrap().is_some(), "{change}");
        audit.close().await;
    }
}

async fn open_again(site: &Site) -> (AuditLog, u64) {
    let audit = AuditLog::open(site.data.path(), &*site.log).await.unwrap();
    let position = audit.position();
    (audit, position)
}

#[tokio::test]
async fn what_was_durable_although_it_failed_is_counted_once() {
    let site = Site::told().await;
    site.audit.make_durable().await.unwrap();
    {
        let store = site.audit.store.read().await.clone();
        // As if the commit that was reported as failed had been durable.
        store.append(&[entry(102)], &[former(102, "old")], 102).await.unwrap();
        store.doubt().await;
    }
    site.audit.offer(AuditBatch { former: vec![former(102, "old")], ..told([entry(102), entry(104)]) }, 104);
    assert_eq!(site.ids(AuditQuery::newest(3)).await, [104, 102, 100]);
    assert_eq!(site.audit.verify(Duration::ZERO).await, Ok(None));
}

#[tokio::test]
async fn a_damaged_file_is_replaced_beside_its_readers_and_its_writer() {
    let site = Site::told().await;
    site.audit.make_durable().await.unwrap();
    site.execute("UPDATE audit_log SET message = 'VM vm2 stopped'").await;
    let mut replacement = site.audit.replacement().await.unwrap();
    replacement.append(told((1..=40_u64).filter(|id| id.is_multiple_of(2)).map(entry)), 40).await.unwrap();
    // It is not as far as the other one.
    let mut replacement = replacement.take_place().await.unwrap().unwrap();
    site.audit.offer(told([entry(102)]), 102);
    replacement.append(told((41..=100_u64).filter(|id| id.is_multiple_of(2)).map(entry)), 100).await.unwrap();
    if let Some(mut behind) = replacement.take_place().await.unwrap() {
        behind.append(told([entry(102)]), 102).await.unwrap();
        assert!(behind.take_place().await.unwrap().is_none());
    }
    assert_eq!(site.ids(AuditQuery::newest(3)).await, [102, 100, 98]);
    assert_eq!(site.audit.entry(2).await, Ok(Some(entry(2))));
    assert_eq!(site.audit.verify(Duration::ZERO).await, Ok(None));
    assert_eq!(site.audit.backlog.load(Ordering::Relaxed), 0);
}
