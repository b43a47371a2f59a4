//! Answers: documents and faults with their statuses, and the one table from refusals to statuses.

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use evirt_domain::{Class, Key, Rejection};

use super::cache::Rendered;
use super::representation::description::TypeDef;
use super::representation::types::ACTION;
use super::representation::{Doc, Fault, Format};
use super::representation::{render, render_collection};
use super::visible::redacted;
use crate::app::Refused;
use crate::app::idempotent::Repeated;

/// What a handler gives: both sides are answers, so that `?` ends it early.
pub type Handled = Result<Answer, Answer>;

/// An answer before it is one of HTTP.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// The document; empty where there is none.
    pub body: Bytes,
    /// What the document is written in.
    pub format: Option<Format>,
    /// The entity tag, where it is known already.
    pub etag: Option<HeaderValue>,
    /// The creation that was carried out before, where that is why this one was refused.
    pub repeated: Option<Box<Repeated>>,
    /// The fault in the body, for an action that has to hold it.
    fault: Option<Box<Fault>>,
}

impl Answer {
    /// An answer without a body.
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new(), format: None, etag: None, repeated: None, fault: None }
    }

    /// Rendered bytes.
    pub fn bytes(status: u16, body: impl Into<Bytes>, format: Format) -> Self {
        Self { body: body.into(), format: Some(format), ..Self::empty(status) }
    }

    /// A document.
    pub fn doc(status: u16, of: &'static TypeDef, doc: &Doc, format: Format) -> Self {
        Self::bytes(status, render(of, &redacted(doc), format), format)
    }

    /// A document that is rendered already.
    pub fn rendered(rendered: Rendered, format: Format) -> Self {
        Self { etag: rendered.etag, ..Self::bytes(200, rendered.bytes, format) }
    }

    /// A collection of documents.
    pub fn collection<I: IntoIterator<Item = Vec<u8>>>(of: &'static TypeDef, items: I, format: Format) -> Self {
        Self::bytes(200, render_collection(of, &Doc::new(), items, format), format)
    }

    /// A fault.
    pub fn fault(status: u16, fault: &Fault, format: Format) -> Self {
        Self { fault: Some(Box::new(fault.clone())), ..Self::bytes(status, fault.render(format), format) }
    }

    /// A refused command.
    pub fn refusal(rejection: &Rejection, format: Format) -> Self {
        let fault = match rejection.class() {
            Class::NotFound => Fault::failed(rejection.to_string()),
            _ => Fault::operation_failed(rejection.messages()),
        };
        Self::fault(status_of(rejection.key), &fault, format)
    }

    /// What a use case says that did not come about. A creation that was carried out before is answered by `repeat`.
    pub fn refused(refused: &Refused, format: Format) -> Self {
        let failed = |status, why: &str| Self::fault(status, &Fault::operation_failed([why]), format);
        match refused {
            Refused::Rejected(rejection) if rejection.key == Key::LogUnavailable => {
                Self::fault(503, &Fault::failed(rejection.to_string()), format)
            }
            Refused::Rejected(rejection) => Self::refusal(rejection, format),
            Refused::Failed(why) => failed(400, why),
            Refused::Unreached(why) => failed(409, why),
            Refused::Unknown(what) | Refused::BadSearch(what) => Self::fault(400, &Fault::failed(what.clone()), format),
            Refused::Unavailable(why) => Self::fault(503, &Fault::failed(why.clone()), format),
            Refused::Repeated(repeated) => {
                let repeated = Some(Box::new(repeated.clone()));
                Self { repeated, ..Self::refusal(&Key::CreationRepeated.into(), format) }
            }
            Refused::TooBroad { limit } => {
                let detail = format!(
                    "The search refers to more than {limit} events: narrow it by their type, severity or time, or by a name"
                );
                Self::fault(400, &Fault::failed(detail), format)
            }
        }
    }

    /// A fault as an action holds it, with what was sent.
    pub fn in_action(self, sent: Doc, format: Format) -> Self {
        match self.fault {
            Some(fault) => Self::doc(self.status, &ACTION, &fault.in_action(sent), format),
            None => self,
        }
    }

    /// With a header; a value that cannot be one is left out.
    pub fn with(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    /// With a header whose value is one.
    pub fn with_value(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// As HTTP has it.
    pub fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.headers_mut().extend(self.headers);
        if let Some(format) = self.format {
            let kind = match format {
                Format::Xml => "application/xml",
                Format::Json => "application/json",
            };
            response.headers_mut().entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static(kind));
        }
        response
    }
}

/// The status of a refusal: that of its class, but for keys to which upstream gives another one. A missing permit is 400 as upstream has it
/// for commands.
fn status_of(key: Key) -> u16 {
    match key {
        Key::NameAlreadyUsed
        | Key::VmUpdateIllegalField
        | Key::HostApproveType
        | Key::HostnameFixed
        | Key::HostPortFixed
        | Key::HostNetworkNotInCluster
        | Key::HostNeedsManagement
        | Key::HostAddressFixed
        | Key::BondNotAttached
        | Key::SpmHostNever
        | Key::DataCenterAheadOfClusters
        | Key::LocalOneCluster
        | Key::LocalOneHost
        | Key::NetworkIsManagement
        | Key::NetworkNotInCluster
        | Key::ConnectionKindFixed
        | Key::ConnectionDomainsStatus
        | Key::ConnectionNotAttached
        | Key::ImageDownloadError
        | Key::DataCenterNotLocal
        | Key::UserIsAdmin
        | Key::VnicProfileNetworkFixed
        | Key::RolePermitMissing
        | Key::VersionAboveHosts
        | Key::NotExternal => 400,
        Key::TooManyCpus
        | Key::TooManySockets
        | Key::TooManyCoresPerSocket
        | Key::InterfacesSpecifiedTwice
        | Key::NetworksAttachedTwice
        | Key::FenceAgentUnsupported
        | Key::QuotaLimitMixed
        | Key::NetworkStpNotForVms
        | Key::NetworkMtuUnsupported
        | Key::DomainFormatUnsupported
        | Key::DiskShareableCow
        | Key::HotUpdate
        | Key::HotUpdateMirroring
        | Key::HotPlugNotVirtio
        | Key::TagCycle => 409,
        _ => match key.class() {
            Class::NotAllowed | Class::BadReference | Class::BadValue | Class::Unsupported => 400,
            Class::NotFound => 404,
            Class::Immutable
            | Class::AlreadyExists
            | Class::InUse
            | Class::WrongState
            | Class::Busy
            | Class::QuotaExceeded
            | Class::NoCapacity
            | Class::Unreachable
            | Class::Conflict => 409,
            Class::PreconditionFailed => 412,
            Class::Internal => 500,
            Class::Unavailable => 503,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The statuses that clients have always got, one line a key.
    #[test]
    fn every_refusal_has_its_status() {
        let told: String = Key::ALL.iter().map(|key| format!("{key:?}\t{}\n", status_of(*key))).collect();
        assert_eq!(told, include_str!("../../../tests/data/refusals.tsv"));
    }
}
