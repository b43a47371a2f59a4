//! Pieces that the views of several collections share: references, dates, versions and statistics.

use axum::http::Method;
use chrono::{DateTime, Local, SecondsFormat};
use evirt_domain::data_center::Version;
use evirt_domain::ids::Micros;
use uuid::Uuid;

use super::answer::{Answer, Handled};
use super::details::with_details;
use super::representation::description::TypeDef;
use super::representation::types::STATISTIC;
use super::representation::{Doc, Place, render_fragment};
use super::request::ApiRequest;
use super::visible;
use crate::engine::Outcome;

/// A collection of documents, those that the client may see, no more than it wants.
pub fn listed(request: &ApiRequest, of: &'static TypeDef, docs: impl IntoIterator<Item = Doc>) -> Handled {
    // A negative number is no limit.
    let max = request.max()?.map_or(usize::MAX, |max| usize::try_from(max).unwrap_or(usize::MAX));
    let docs = docs.into_iter().filter(visible::shows).take(max);
    let rendered = docs.map(|doc| render_fragment(of, &visible::redacted(&with_details(request, of, doc)), request.output));
    Ok(Answer::collection(of, rendered, request.output))
}

/// One document.
pub fn shown(request: &ApiRequest, of: &'static TypeDef, doc: &Doc) -> Handled {
    if request.method != Method::PUT && (request.all_content() || request.details().next().is_some()) {
        return Ok(Answer::doc(200, of, &with_details(request, of, doc.clone()), request.output));
    }
    Ok(Answer::doc(200, of, doc, request.output))
}

/// The aggregate that a command created: the first event is its own.
pub fn first_id<T: From<Uuid>>(outcome: &Outcome) -> Option<T> {
    outcome.events.first().map(|recorded| T::from(recorded.stream.id))
}

/// A text to show, unless it is empty.
pub fn text(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// A time as `xsd:dateTime`, with milliseconds and the offset of this machine's time zone.
pub fn date(at: Micros) -> String {
    DateTime::from_timestamp_micros(at).unwrap_or_default().with_timezone(&Local).to_rfc3339_opts(SecondsFormat::Millis, false)
}

/// The text that a request gives for a field, to be kept.
pub fn given(sent: &Doc, path: &str) -> Option<String> {
    sent.text(path).map(str::to_owned)
}

/// The integer that a request gives for a field; what is out of the type's range is taken as its nearest bound, and is
/// then refused by whatever rule stands behind the field.
pub fn number<T: TryFrom<i64> + Bounded>(sent: &Doc, path: &str) -> Option<T> {
    let number = sent.int(path)?;
    let bound = if number < 0 { T::LEAST } else { T::MOST };
    Some(T::try_from(number).unwrap_or(bound))
}

/// Integers with bounds.
pub trait Bounded {
    /// The least.
    const LEAST: Self;
    /// The most.
    const MOST: Self;
}

macro_rules! bounded {
    ($($integer:ty)*) => { $(
        impl Bounded for $integer {
            const LEAST: Self = <$integer>::MIN;
            const MOST: Self = <$integer>::MAX;
        }
    )* };
}

bounded!(i32 u32 u16);

/// The compatibility version that a request gives; half of one is none that there is.
pub fn sent_version(sent: &Doc) -> Option<Version> {
    let (major, minor) = (number(sent, "version.major"), number(sent, "version.minor"));
    let given = major.is_some() || minor.is_some();
    given.then(|| Version { major: major.unwrap_or_default(), minor: minor.unwrap_or(u32::MAX) })
}

/// A compatibility version as the API shows it.
pub fn version(version: Version) -> Doc {
    Doc::with_capacity(2).set("major", version.major).set("minor", version.minor)
}

/// A measured value.
pub struct Statistic {
    /// Its name, such as `memory.total`.
    pub name: &'static str,
    /// What it says, in words.
    pub description: &'static str,
    /// `BYTES`, `PERCENT` and the like.
    pub unit: &'static str,
    /// The value.
    pub datum: f64,
}

impl Statistic {
    /// An integer of bytes.
    pub fn bytes(name: &'static str, description: &'static str, datum: u64) -> Self {
        Self { name, description, unit: "BYTES", datum: datum as f64 }
    }

    /// A share in percent.
    pub fn percent(name: &'static str, description: &'static str, datum: f64) -> Self {
        Self { name, description, unit: "PERCENT", datum }
    }

    /// Bytes per second.
    pub fn rate(name: &'static str, description: &'static str, datum: f64) -> Self {
        Self { name, description, unit: "BYTES_PER_SECOND", datum }
    }

    /// How often something has happened.
    pub fn count(name: &'static str, description: &'static str, datum: u64) -> Self {
        Self { name, description, unit: "NONE", datum: datum as f64 }
    }

    /// The identifier: the same for the same name on the same object, always.
    pub fn id(&self, of: Uuid) -> Uuid {
        // FNV-1a over the name, spread by the object's own random bits.
        let hash = self
            .name
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        let mixed = of.as_u128() ^ (u128::from(hash) << 64 | u128::from(hash.rotate_left(29)));
        uuid::Builder::from_custom_bytes(mixed.to_be_bytes()).into_uuid()
    }

    /// What was measured of an object, as the API lists it.
    pub fn list(request: &ApiRequest, of: Uuid, owner: &'static str, place: &Place, measured: &[Self]) -> Handled {
        listed(request, &STATISTIC, measured.iter().map(|statistic| statistic.view(of, owner, place)))
    }

    /// The one that segment `n` names.
    pub fn one(request: &ApiRequest, n: usize, of: Uuid, owner: &'static str, place: &Place, measured: &[Self]) -> Handled {
        let id: Uuid = request.id(n)?;
        let found = request.found(measured.iter().find(|statistic| statistic.id(of) == id), n)?;
        shown(request, &STATISTIC, &found.view(of, owner, place))
    }

    /// As the API shows it, below the place of what it is measured of.
    pub fn view(&self, of: Uuid, owner: &'static str, place: &Place) -> Doc {
        let id = self.id(of);
        let (kind, measure) = match self.unit {
            "BYTES" => ("INTEGER", "GAUGE"),
            "NONE" => ("INTEGER", "COUNTER"),
            _ => ("DECIMAL", "GAUGE"),
        };
        let value = Doc::new().set("datum", self.datum);
        Doc::new()
            .at(&place.below("statistics", id))
            .set("name", self.name)
            .set("description", self.description)
            .set("values", Doc::new().set("type", kind).set("value", vec![value]))
            .set("type", measure)
            .set("unit", self.unit)
            .reference_to(owner, place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statistic_keeps_its_id() {
        let memory = |datum| Statistic::bytes("memory.total", "Total memory", datum);
        let host = Uuid::from_u128(7);
        assert_eq!(memory(1).id(host), memory(2).id(host));
        assert_ne!(memory(1).id(host), memory(1).id(Uuid::from_u128(8)));
        assert_ne!(memory(1).id(host), Statistic::bytes("memory.used", "Used memory", 1).id(host));
    }
}
