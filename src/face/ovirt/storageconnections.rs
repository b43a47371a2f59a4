//! Storage connections, on their own and those of a storage domain: the guide's chapter 13.

use std::sync::Arc;

use evirt_domain::ids::{HostId, StorageConnectionId};
use evirt_domain::storage::StorageKind;
use evirt_domain::storage_connection::*;
use evirt_domain::world::NameKind;
use evirt_domain::{Decide, World};

use super::answer::{Answer, Handled};
use super::collection::{check_immutable, created, remove};
use super::parts::{first_id, given, listed, number, shown, text};
use super::representation::body::{Body, Way, When, need};
use super::representation::place::stands_in;
use super::representation::types::{ACTION, HOST, STORAGE_CONNECTION};
use super::representation::{Doc, Place};
use super::request::ApiRequest;
use super::route::routes;
use super::storagedomains::domain;
use crate::app::storage::{self as app, ISCSI_PORT};

stands_in!(StorageConnectionId "storageconnections");

routes! { ROUTES:
    "storageconnections" => GET list, POST add [NEW]: AddStorageConnection::least;
    "storageconnections/{}" =>
        GET get,
        PUT update [Body::update(&STORAGE_CONNECTION)]: UpdateStorageConnection::least,
        DELETE delete [Body::only(&HOST, "id|name")]: RemoveStorageConnection::least;
    "storagedomains/{}/storageconnections" =>
        GET list_of_domain,
        POST attach [Body::only(&STORAGE_CONNECTION, "").needs(&[need("id")])];
    "storagedomains/{}/storageconnections/{}" => GET get_of_domain, DELETE detach [Body::action("async")];
}

/// A new connection: what it needs depends on its type.
const NEW: Body = Body::add(&STORAGE_CONNECTION).ways(&[
    Way { when: When::Is("type", &["iscsi"]), needs: &[need("type"), need("address target")] },
    Way { when: When::Is("type", &["nfs"]), needs: &[need("type"), need("address path")] },
    Way { when: When::Is("type", &["posixfs", "glusterfs"]), needs: &[need("type"), need("path vfs_type")] },
    Way { when: When::Is("type", &["localfs"]), needs: &[need("type"), need("path")] },
    Way { when: When::Always, needs: &[need("type")] },
]);

/// What a connection says wherever it is shown; passwords are never told.
pub fn fields(config: &ConnectionConfig) -> Doc {
    Doc::new()
        .opt("address", text(&config.address))
        .set("type", config.kind.name())
        .opt("path", text(&config.path))
        .opt("mount_options", text(&config.mount_options))
        .opt("vfs_type", text(&config.vfs_type))
        .opt("nfs_version", text(&config.nfs_version))
        .opt("nfs_timeo", config.nfs_timeo)
        .opt("nfs_retrans", config.nfs_retrans)
        .opt("port", (config.port != 0).then_some(config.port))
        .opt("target", text(&config.target))
        .opt("username", text(&config.username))
}

/// The connection as the API shows it below `parent`: the entry point or a storage domain.
fn view(base: &str, parent: &Place, connection: &StorageConnection) -> Doc {
    let doc = fields(&connection.config).at(&parent.below("storageconnections", connection.id));
    match connection.config.host {
        Some(host) => doc.reference("host", base, host),
        None => doc,
    }
}

/// The password of CHAP as it is kept.
pub fn sealed(request: &ApiRequest, sent: &Doc) -> Result<Option<String>, Answer> {
    let Some(password) = sent.text("password").filter(|password| !password.is_empty()) else { return Ok(None) };
    request.refusing(request.app.seal(password)).map(Some)
}

/// What a request says of a connection. The path of a mount may be said as the address of its server.
pub fn patch(request: &ApiRequest, sent: &Doc) -> Result<ConnectionPatch, Answer> {
    Ok(ConnectionPatch {
        kind: sent.text("type").and_then(StorageKind::from_name),
        address: given(sent, "address"),
        path: given(sent, "path"),
        mount_options: given(sent, "mount_options"),
        vfs_type: given(sent, "vfs_type"),
        nfs_version: given(sent, "nfs_version"),
        nfs_timeo: number(sent, "nfs_timeo").map(Some),
        nfs_retrans: number(sent, "nfs_retrans").map(Some),
        port: number(sent, "port"),
        target: given(sent, "target"),
        username: given(sent, "username"),
        password: sealed(request, sent)?,
        host: None,
    })
}

/// What a request says of a new connection.
pub fn config(request: &ApiRequest, kind: StorageKind, sent: &Doc) -> Result<ConnectionConfig, Answer> {
    let port = if kind == StorageKind::Iscsi { ISCSI_PORT } else { 0 };
    let mut config = ConnectionConfig { port, ..ConnectionConfig::of(kind) };
    config.apply(&ConnectionPatch { kind: None, ..patch(request, sent)? });
    Ok(config)
}

fn connection<'a>(request: &ApiRequest, world: &'a World) -> Result<&'a Arc<StorageConnection>, Answer> {
    request.found(world.storage_connections.get(&request.id(1)?), 1)
}

async fn list(request: Arc<ApiRequest>) -> Handled {
    let found = request.world.storage_connections.values();
    listed(&request, &STORAGE_CONNECTION, found.map(|c| view(request.base, &Place::entry(request.base), c)))
}

async fn get(request: Arc<ApiRequest>) -> Handled {
    shown(&request, &STORAGE_CONNECTION, &view(request.base, &Place::entry(request.base), connection(&request, &request.world)?))
}

async fn add(request: Arc<ApiRequest>) -> Handled {
    let sent = request.body(&STORAGE_CONNECTION)?;
    let host: Option<HostId> = request.reference(&sent, "host", NameKind::Host, "Host")?;
    let kind = sent.text("type").and_then(StorageKind::from_name).unwrap_or(StorageKind::Nfs);
    let mut config = config(&request, kind, &sent)?;
    config.host = host.filter(|_| kind == StorageKind::Localfs);
    let done = request.refusing(app::add_connection(&request.app, &request.cx, config, host).await)?;
    let made = first_id(&done.outcome).and_then(|id| done.world.storage_connections.get(&id));
    created(&request, &STORAGE_CONNECTION, &view(request.base, &Place::entry(request.base), request.found(made, 0)?))
}

async fn update(request: Arc<ApiRequest>) -> Handled {
    let current = connection(&request, &request.world)?;
    let sent = request.body(&STORAGE_CONNECTION)?;
    check_immutable(&request, &STORAGE_CONNECTION, &view(request.base, &Place::entry(request.base), current), &sent)?;
    let host: Option<HostId> = request.reference(&sent, "host", NameKind::Host, "Host")?;
    let changes = patch(&request, &sent)?;
    let done = request.refusing(app::update_connection(&request.app, &request.cx, current, changes, host).await)?;
    shown(&request, &STORAGE_CONNECTION, &view(request.base, &Place::entry(request.base), connection(&request, &done.world)?))
}

/// Removes a connection. The body may name a host that is to let go of it: hosts let go when a domain rests, so that it has nothing
/// more to do, but it has to exist.
async fn delete(request: Arc<ApiRequest>) -> Handled {
    let connection = connection(&request, &request.world)?.id;
    if let Some((of, sent)) = request.optional_body(&[&HOST, &STORAGE_CONNECTION, &ACTION])? {
        let sent = if std::ptr::eq(of, &HOST) { Doc::new().set("host", sent) } else { sent };
        let host: Option<HostId> = request.reference(&sent, "host", NameKind::Host, "Host")?;
        if let Some(host) = host.filter(|host| !request.world.hosts.contains(host)) {
            return Err(request.missing(format!("Host: id={host}")));
        }
    }
    remove(&request, RemoveStorageConnection { connection }).await
}

/// What the connections of the storage domain that the path names stand below.
fn parent(request: &ApiRequest) -> Place {
    Place::at(request.base, &request.target.segments[..2])
}

/// The connection that the path names, where the storage domain has it.
fn of_domain<'a>(request: &ApiRequest, world: &'a World) -> Result<&'a Arc<StorageConnection>, Answer> {
    let domain = domain(request, world)?;
    let id: StorageConnectionId = request.id(3)?;
    let has = domain.storage.connections.contains(&id);
    request.found(world.storage_connections.get(&id).filter(|_| has), 3)
}

async fn list_of_domain(request: Arc<ApiRequest>) -> Handled {
    let connections = &domain(&request, &request.world)?.storage.connections;
    let found = connections.iter().filter_map(|id| request.world.storage_connections.get(id));
    listed(&request, &STORAGE_CONNECTION, found.map(|c| view(request.base, &parent(&request), c)))
}

async fn get_of_domain(request: Arc<ApiRequest>) -> Handled {
    shown(&request, &STORAGE_CONNECTION, &view(request.base, &parent(&request), of_domain(&request, &request.world)?))
}

async fn attach(request: Arc<ApiRequest>) -> Handled {
    let domain = domain(&request, &request.world)?.id;
    let sent = request.body(&STORAGE_CONNECTION)?;
    let id = sent.text("id").unwrap_or_default();
    let connection = uuid::Uuid::parse_str(id).map_err(|_| request.missing(format!("StorageConnection: id={id}")))?;
    let connection = StorageConnectionId(connection);
    let outcome = request.submit(AttachStorageConnection { domain, connection }).await?;
    let made = request.found(outcome.world.storage_connections.get(&connection), 1)?;
    created(&request, &STORAGE_CONNECTION, &view(request.base, &parent(&request), made))
}

async fn detach(request: Arc<ApiRequest>) -> Handled {
    let domain = domain(&request, &request.world)?.id;
    remove(&request, DetachStorageConnection { domain, connection: request.id(3)? }).await
}
