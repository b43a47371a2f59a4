//! Sub-collections within a resource, where a client asks for them: by `Accept: ...; detail=nics+statistics`, or all by `All-Content: true`.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::representation::description::TypeDef;
use super::representation::{Doc, Kind, parse};
use super::request::{ApiRequest, Target};

/// A resource with the sub-collections that the client wants within it: those that it links and has a member for.
pub fn with_details(request: &ApiRequest, of: &'static TypeDef, mut doc: Doc) -> Doc {
    if !request.all_content() && request.details().next().is_none() {
        return doc;
    }
    let links: Vec<(String, String)> = doc.docs("link").filter_map(link).collect();
    for (rel, href) in links {
        let Some(field) = of.field(&rel).filter(|_| request.wants_detail(&rel) && !doc.has(&rel)) else { continue };
        if let Kind::Group(within) = field.kind
            && let Ok((_, target)) = Target::parse(&href, None)
            && let Some(found) = look(request, target.segments)
            && let Ok(found) = parse(&found, request.output, within)
        {
            doc.put(field.name, found);
        }
    }
    doc
}

fn link(link: &Doc) -> Option<(String, String)> {
    Some((link.text("rel")?.to_owned(), link.text("href")?.to_owned()))
}

/// What a GET of a path is answered. Lists are made from the World at hand, without waiting for anything.
fn look(request: &ApiRequest, segments: Vec<String>) -> Option<axum::body::Bytes> {
    let answer = pin!(request.look(segments, request.output));
    match answer.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(answer)) => Some(answer.body),
        _ => None,
    }
}
