//! Conditional requests: entity tags on resources, and `If-Match` and `If-None-Match` against them.
//!
//! A tag is made of the versions of the aggregates that the path names, and of a hash of the representation, which also speaks of
//! what stands elsewhere. A representation that holds measured values has a weak tag. `If-Match` takes two looks: the tag is compared with that of the
//! resource as the request found it, and the versions that this was found at are a condition of the decision, so that nothing
//! comes between.

use axum::http::{HeaderName, HeaderValue, Method, header};
use evirt_domain::World;
use evirt_domain::event::{Stream, StreamKind};
use evirt_domain::intent::IfVersions;
use uuid::Uuid;

use super::answer::Answer;
use super::etag::Tag;
use super::representation::{Fault, Format};
use super::request::{ApiRequest, Route};

/// The tag of a representation of what a path names.
fn tag_of(world: &World, segments: &[String], body: &[u8], weak: bool) -> Tag {
    Tag { weak, ..Tag::new(streams(world, segments).into_iter().map(|(_, version)| version), body) }
}

/// The streams of the aggregates that a path names, with their versions: `vms/X/disks/Y` is about the VM X and the disk Y.
fn streams(world: &World, segments: &[String]) -> Vec<(Stream, u64)> {
    let named = segments.windows(2).filter_map(|pair| {
        let kind = kind_of(&pair[0])?;
        let stream = Stream::new(kind, Uuid::parse_str(&pair[1]).ok()?);
        Some((stream, world.version(&stream)))
    });
    named.filter(|(_, version)| *version > 0).collect()
}

/// The kind of aggregate that a collection holds: `vnicprofiles` holds vnic_profile.
fn kind_of(collection: &str) -> Option<StreamKind> {
    let singular = collection.strip_suffix('s')?;
    StreamKind::ALL.iter().copied().find(|kind| kind.name().bytes().filter(|byte| *byte != b'_').eq(singular.bytes()))
}

/// Whether a representation holds values that change by themselves.
fn is_live(request: &ApiRequest) -> bool {
    request.all_content()
        || request.details().next().is_some()
        || request.target.segments.iter().any(|segment| segment == "statistics")
}

/// The tags that a header lists, `*` among them as none.
fn listed(request: &ApiRequest, name: &HeaderName) -> Option<Vec<Option<Tag>>> {
    let mut values = request.headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).peekable();
    values.peek()?;
    let tags = values.flat_map(|value| value.split(',')).map(str::trim).filter(|text| !text.is_empty());
    // What is no tag equals none.
    let tag = |text: &str| Tag::parse(text).unwrap_or(Tag { weak: false, text: text.to_owned() });
    Some(tags.map(|text| (text != "*").then(|| tag(text))).collect())
}

/// The answer to a GET of a resource with its tag, or that the client has it already.
pub fn tagged(request: &ApiRequest, route: &Route, answer: Answer) -> Answer {
    if answer.status != 200 || !route.path.ends_with("{}") {
        return answer;
    }
    let etag = answer.etag.clone().or_else(|| {
        let tag = tag_of(&request.world, &request.target.segments, &answer.body, is_live(request));
        HeaderValue::from_str(&tag.to_string()).ok()
    });
    let Some(etag) = etag else { return answer };
    let known = listed(request, &header::IF_NONE_MATCH).is_some_and(|tags| {
        let tag = etag.to_str().ok().and_then(Tag::parse);
        tags.iter().any(|known| known.as_ref().is_none_or(|known| tag.as_ref().is_some_and(|tag| tag.text == known.text)))
    });
    let answer = if known { Answer::empty(304) } else { answer };
    answer.with_value(header::ETAG, etag).with_value(header::VARY, HeaderValue::from_static("Accept"))
}

/// The answer to a change of a resource with the tag that a GET would have now, where it would be answered the same: else somebody has
/// changed it again, and the client has not seen that.
pub async fn tagged_change(request: &ApiRequest, route: &Route, answer: Answer) -> Answer {
    if answer.status != 200 || !route.path.ends_with("{}") {
        return answer;
    }
    let (world, segments) = (request.engine().world(), &request.target.segments);
    match request.look_in(world.clone(), segments.clone(), request.output).await {
        Ok(seen) if seen.body == answer.body => {
            let tag = || HeaderValue::from_str(&tag_of(&world, segments, &seen.body, false).to_string()).ok();
            match seen.etag.clone().or_else(tag) {
                Some(etag) => answer.with_value(header::ETAG, etag),
                None => answer,
            }
        }
        _ => answer,
    }
}

/// Holds a change against its `If-Match`, and makes it a condition of the decision.
pub async fn check(request: &ApiRequest, route: &Route) -> Result<(), Answer> {
    let Some(wanted) = listed(request, &header::IF_MATCH) else { return Ok(()) };
    let mut segments = request.target.segments.clone();
    if route.is_action() {
        segments.pop();
    } else if request.method == Method::POST {
        let detail = "If-Match is for a resource; what is posted to a collection is not there yet";
        return Err(request.bad(&Fault::failed(detail)));
    }
    let mut found = Vec::new();
    for output in [Format::Xml, Format::Json] {
        let seen = request.look(segments.clone(), output).await?;
        let known = seen.etag.as_ref().and_then(|etag| Tag::parse(etag.to_str().ok()?));
        found.push(known.unwrap_or_else(|| tag_of(&request.world, &segments, &seen.body, false)));
    }
    let fits = |wanted: &Tag| match wanted.weak {
        true => found.iter().any(|tag| tag.versions() == wanted.versions()),
        false => found.contains(wanted),
    };
    if !wanted.iter().any(|tag| tag.as_ref().is_none_or(fits)) {
        let fault = Fault::failed("The resource has changed since it was read: If-Match names another version");
        return Err(Answer::fault(412, &fault, request.output));
    }
    if wanted.iter().all(Option::is_some) {
        request.conditions.expect(IfVersions(streams(&request.world, &segments)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collections_hold_kinds() {
        assert_eq!(kind_of("vnicprofiles"), Some(StreamKind::VnicProfile));
        assert_eq!(kind_of("datacenters"), Some(StreamKind::DataCenter));
        assert_eq!(kind_of("statistics"), None);
    }
}
