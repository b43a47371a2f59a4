//! Storage connections: on their own, shared by domains, changed while domains rest.

use evirt_domain::Key::*;
use evirt_domain::access::{EVERYONE, EntityRef, Holder, Permission, PermissionGranted, SUPER_USER};
use evirt_domain::host::HostStatus;
use evirt_domain::ids::*;
use evirt_domain::install::DEFAULT_DATA_CENTER;
use evirt_domain::storage::*;
use evirt_domain::storage_connection::*;

use crate::harness::*;

fn add(config: ConnectionConfig) -> AddStorageConnection {
    AddStorageConnection { config, host: None, reach: Ok(()) }
}

fn made(story: &mut Story, config: ConnectionConfig) -> StorageConnectionId {
    story.does(add(config));
    StorageConnectionId(story.log.last().expect("added").stream.id)
}

fn update(connection: StorageConnectionId, changes: ConnectionPatch) -> UpdateStorageConnection {
    UpdateStorageConnection { connection, changes, host: None, reach: Ok(()) }
}

fn portal(target: &str) -> ConnectionConfig {
    lun("", target).luns.remove(0).portal.expect("a portal")
}

#[test]
fn what_a_connection_has_to_say() {
    let story = Story::installed();
    let bare = ConnectionConfig::of;
    let files = |kind, path: &str| ConnectionConfig { address: "a".into(), path: path.into(), ..bare(kind) };
    for (config, key) in [
        (bare(StorageKind::Nfs), ConnectionFieldEmpty),
        (ConnectionConfig { address: String::new(), ..nfs_server("/a") }, ConnectionFieldEmpty),
        (nfs_server("a"), ConnectionInvalid),
        (ConnectionConfig { address: "a b".into(), ..nfs_server("/a") }, ConnectionInvalid),
        (ConnectionConfig { nfs_version: "v9".into(), ..nfs_server("/a") }, ConnectionInvalid),
        (ConnectionConfig { nfs_timeo: Some(MAX_NFS_NUMBER + 1), ..nfs_server("/a") }, OutOfRange),
        (ConnectionConfig { mount_options: "x".repeat(5000), ..nfs_server("/a") }, TextTooLong),
        (files(StorageKind::Posixfs, "/a"), ConnectionVfsTypeEmpty),
        (files(StorageKind::Localfs, ""), ConnectionFieldEmpty),
        (ConnectionConfig { target: String::new(), ..portal("iqn.a") }, ConnectionIqnEmpty),
        (ConnectionConfig { port: 0, ..portal("iqn.a") }, ConnectionInvalid),
        (ConnectionConfig { address: String::new(), ..portal("iqn.a") }, ConnectionFieldEmpty),
        (bare(StorageKind::Fcp), ConnectionKindUnsupported),
    ] {
        story.when(add(config)).refused(key);
    }
    story.when(add(portal("iqn.a"))).then(&["StorageConnectionAdded"]);
}

#[test]
fn a_host_tries_it_where_one_is_named() {
    let mut story = Story::installed();
    let host = story.host("alpha");
    let tried = |reach| AddStorageConnection { host: Some(host), reach, ..add(nfs_server("/a")) };
    story.when(tried(Err("access denied".into()))).refused(StorageMountFailed);
    story.when(tried(Ok(()))).accepted();
    story.when(AddStorageConnection { host: Some(nowhere()), ..add(nfs_server("/a")) }).refused(EntityNotFound);
    story.host_is(host, HostStatus::Maintenance);
    story.when(tried(Ok(()))).refused(ConnectionHostNotUp);
}

#[test]
fn no_place_has_two_connections() {
    let mut story = Story::installed();
    let connection = made(&mut story, nfs_server("/a"));
    story.when(add(nfs_server("/a/"))).refused(ConnectionExists);
    story.when(add(ConnectionConfig { address: "NFS.example.org".into(), ..nfs_server("/a") })).refused(ConnectionExists);
    let other = made(&mut story, nfs_server("/b"));
    let path = |path: &str| ConnectionPatch { path: Some(path.into()), ..ConnectionPatch::default() };
    story.when(update(other, path("/a"))).refused(ConnectionExists);
    story.when(update(other, path("/c"))).then(&["StorageConnectionUpdated"]);
    story.when(update(other, ConnectionPatch { kind: Some(StorageKind::Iscsi), ..path("/c") })).refused(ConnectionKindFixed);
    story.when(update(nowhere(), path("/c"))).refused(EntityNotFound);
    story.when(RemoveStorageConnection { connection }).then(&["StorageConnectionRemoved"]);
    story.does(RemoveStorageConnection { connection });
    story.when(RemoveStorageConnection { connection }).refused(EntityNotFound);
    story.when(add(nfs_server("/a"))).accepted();
}

#[test]
fn a_domain_is_made_on_a_connection_that_is_there() {
    let mut story = Story::installed();
    let host = story.host("alpha");
    let connection = made(&mut story, nfs_server("/exports/data"));
    let create = |name: &str, connection| {
        let storage = Storage { connection: Some(connection), ..nfs("data") };
        CreateStorageDomain { storage, ..create_domain(host, name, DomainClass::Data) }
    };
    story.when(create("data", nowhere())).refused(ConnectionMissing);
    story.when(create("data", connection)).then(&["StorageDomainAdded", "JobOpened"]);
    let domain = story.domain(host, "data", DomainClass::Data);
    assert_eq!(story.world.storage_domains.get(&domain).map(|d| d.storage.connections.clone()), Some(vec![connection]));
    story.when(create("other", connection)).refused(StorageConnectionExists);
    story.when(RemoveStorageConnection { connection }).refused(ConnectionSharedByDomains);
}

#[test]
fn a_connection_changes_only_while_its_domains_rest() {
    let mut story = Story::installed();
    let host = story.host("alpha");
    let domain = story.active_domain(host, "data", DomainClass::Data);
    let connection = story.world.storage_domains.get(&domain).expect("data").storage.connections[0];
    let changes = ConnectionPatch { path: Some("/moved".into()), ..ConnectionPatch::default() };
    story.when(update(connection, changes.clone())).refused(ConnectionDomainsStatus);
    story.does(DeactivateStorageDomain { domain, data_center: DEFAULT_DATA_CENTER });
    story.when(update(connection, changes.clone())).refused(ConnectionDomainsStatus);
    story.finish_storage(domain);
    story.does(update(connection, changes.clone()));
    assert_eq!(story.world.storage_domains.get(&domain).expect("data").storage.located(&story.world).server.path, "/moved");
    story.when(update(connection, changes)).then(&[]);
}

#[test]
fn an_iscsi_domain_has_several_ways() {
    let mut story = Story::installed();
    let host = story.host("alpha");
    let files = story.domain(host, "files", DomainClass::Data);
    let create = CreateStorageDomain { storage: lun("3600", "iqn.a"), ..create_domain(host, "san", DomainClass::Data) };
    story.when(create.clone()).then(&["StorageDomainAdded", "StorageConnectionAdded", "JobOpened"]);
    story.does(create.clone());
    let twin = CreateStorageDomain { config: create_domain(host, "twin", DomainClass::Data).config, ..create.clone() };
    story.when(twin.clone()).refused(StorageConnectionExists);
    let second = CreateStorageDomain { storage: lun("3601", "iqn.a"), ..twin };
    story.when(second).then(&["StorageDomainAdded", "JobOpened"]);
    let none = Storage { luns: Vec::new(), ..lun("", "iqn.a") };
    story
        .when(CreateStorageDomain { storage: none, ..create_domain(host, "none", DomainClass::Data) })
        .refused(DomainWithoutLuns);

    let (job, domain) = (story.job(), StorageDomainId(story.log[story.log.len() - 3].stream.id));
    let other = made(&mut story, portal("iqn.b"));
    let attach = |domain, connection| AttachStorageConnection { domain, connection };
    story.when(attach(domain, other)).refused(ConnectionDomainsStatus);
    story.does(FinishStorageDomainCreation { job, domain, outcome: Ok((GIB, 0)) });
    story.when(attach(files, other)).refused(ConnectionOnlyIscsi);
    let by_file = made(&mut story, nfs_server("/elsewhere"));
    story.when(attach(domain, by_file)).refused(ConnectionOtherKind);
    story.when(attach(domain, nowhere())).refused(EntityNotFound);
    story.does(attach(domain, other));
    story.when(attach(domain, other)).refused(ConnectionAttachedAlready);
    story.when(RemoveStorageConnection { connection: other }).refused(ConnectionSharedByDomains);
    let detach = DetachStorageConnection { domain, connection: other };
    story.does(detach.clone());
    story.when(detach).refused(ConnectionNotAttached);
    story.when(RemoveStorageConnection { connection: other }).accepted();
}

#[test]
fn what_was_made_with_a_domain_goes_with_it() {
    let mut story = Story::installed();
    let host = story.host("alpha");
    let kept = made(&mut story, nfs_server("/exports/kept"));
    for name in ["data", "kept"] {
        story.does(create_domain(host, name, DomainClass::Data));
        let job = story.job();
        let domain = *story.world.storage_domains.values().map(|d| &d.id).next().expect("one");
        story.does(FinishStorageDomainCreation { job, domain, outcome: Err("read only".into()) });
    }
    let left: Vec<_> = story.world.storage_connections.values().map(|c| c.id).collect();
    assert_eq!(left, [kept]);
    let domain = story.domain(host, "kept", DomainClass::Data);
    story.does(RemoveStorageDomain { domain, host: None, format: false, destroy: true });
    assert!(story.world.storage_connections.is_empty());
}

#[test]
fn what_lies_on_storage_is_taken_in() {
    let mut story = Story::installed();
    let host = story.host("alpha");
    let found = FoundDomain {
        id: StorageDomainId(uuid::Uuid::from_u128(7)),
        name: "exported".into(),
        class: DomainClass::Export,
        format: StorageFormat::V1,
        available: GIB,
        used: GIB,
    };
    let import = |class, found| {
        let config = StorageDomainConfig { name: String::new(), description: String::new(), comment: String::new() };
        ImportStorageDomain { config, class, storage: nfs("old"), host, found }
    };
    story.when(import(DomainClass::Export, Err("no route".into()))).refused(StorageMountFailed);
    story.when(import(DomainClass::Export, Ok(None))).refused(DomainNothingToImport);
    story.when(import(DomainClass::Iso, Ok(Some(found.clone())))).refused(DomainTypeIllegal);
    let data = FoundDomain { class: DomainClass::Data, ..found.clone() };
    story.when(import(DomainClass::Data, Ok(Some(data)))).refused(DomainTypeIllegal);
    let good = import(DomainClass::Export, Ok(Some(found.clone())));
    story.when(good.clone()).then(&["StorageDomainImported", "StorageConnectionAdded"]);
    // Such as an engine of before left there.
    let (id, holder, object) =
        (PermissionId(uuid::Uuid::from_u128(8)), Holder::Group(EVERYONE), EntityRef::StorageDomain(found.id));
    let mut left = story.clone();
    left.given(vec![PermissionGranted { permission: Permission { id, version: 0, holder, role: SUPER_USER, object } }.into()]);
    left.when(good.clone()).then(&["PermissionRevoked", "StorageDomainImported", "StorageConnectionAdded"]);
    story.does(good.clone());
    let domain = story.world.storage_domains.get(&found.id).expect("imported");
    assert_eq!((domain.config.name.as_str(), domain.state, domain.used), ("exported", DomainState::Ready, GIB));
    story.when(good).refused(DomainExists);
}
