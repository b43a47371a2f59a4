//! The table of routes: which path and method is whose.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;

use axum::http::Method;
use evirt_domain::permit::Permit;

use super::answer::Handled;
use super::representation::body::Body;

/// What answers a request.
pub type Handler<R> = fn(Arc<R>) -> Pin<Box<dyn Future<Output = Handled> + Send>>;

/// A path with its methods, which handlers of requests of a type answer.
pub struct Route<R: 'static> {
    /// Segments below the base; `{}` stands for any one.
    pub path: &'static str,
    /// What answers which method.
    pub methods: &'static [Verb<R>],
}

/// What a method does at a path.
pub struct Verb<R> {
    /// The method.
    pub method: Method,
    /// What answers it.
    pub handler: Handler<R>,
    /// What its body has to say and what it may.
    pub body: Option<Body>,
    /// What the command takes at least that the method leads to: a caller who holds that on nothing is refused before anything is looked up.
    pub least: fn() -> Option<Permit>,
}

/// What there is to hide of nothing.
pub fn nothing() -> Option<Permit> {
    None
}

/// Declares routes: `routes![ROUTES: "tags" => GET list, POST add [Body::add(&TAG)]: CreateTag::least; ...]`, with what is said of its
/// body in brackets, and with what the command of a change takes at least where it says so.
macro_rules! routes {
    ($name:ident: $($path:literal => $($method:ident $handler:path $([$body:expr])? $(: $least:path)?),+;)*) => {
        /// What this collection answers.
        pub const $name: &[crate::face::ovirt::request::Route] = &[$(crate::face::ovirt::route::Route {
            path: $path,
            methods: &[$(crate::face::ovirt::route::Verb {
                method: axum::http::Method::$method,
                handler: |request| Box::pin($handler(request)),
                body: crate::face::ovirt::route::body_of!($($body)?),
                least: crate::face::ovirt::route::least_of!($($least)?),
            }),+],
        }),*];
    };
}
pub(crate) use routes;

/// What is said of the body of an operation, and nothing of others.
macro_rules! body_of {
    () => {
        None
    };
    ($body:expr) => {
        Some($body)
    };
}
pub(crate) use body_of;

/// The least permit of a route that names one, and none of others.
macro_rules! least_of {
    () => {
        crate::face::ovirt::route::nothing
    };
    ($least:path) => {
        $least
    };
}
pub(crate) use least_of;

/// A route with the segments of its path.
type Parted<R> = (Vec<&'static str>, &'static Route<R>);

/// All routes, by their number of segments and the first of them.
pub struct Routes<R: 'static> {
    all: Vec<&'static Route<R>>,
    index: HashMap<(usize, &'static str), Vec<Parted<R>>>,
    standing: Standing<R>,
}

/// What answers below every action, and below everything that is created: how it stands.
pub struct Standing<R: 'static> {
    /// How an action stands.
    pub action: &'static Route<R>,
    /// How a creation stands.
    pub creation: &'static Route<R>,
}

impl<R> Routes<R> {
    /// The routes of all collections.
    pub fn new(collections: &[&'static [Route<R>]], standing: Standing<R>) -> Self {
        let all: Vec<&'static Route<R>> = collections.iter().copied().flatten().collect();
        let mut index: HashMap<_, Vec<_>> = HashMap::new();
        for route in &all {
            let parts: Vec<&str> = route.path.split('/').filter(|part| !part.is_empty()).collect();
            let first = parts.first().copied().unwrap_or_default();
            index.entry((parts.len(), first)).or_default().push((parts, *route));
        }
        for routes in index.values_mut() {
            routes.sort_by_key(|(parts, _)| parts.iter().filter(|part| **part == "{}").count());
        }
        Self { all, index, standing }
    }

    /// Every route.
    pub fn all(&self) -> impl Iterator<Item = &'static Route<R>> {
        self.all.iter().copied()
    }

    /// The route of a path: the one with the most fixed segments.
    pub fn find(&self, segments: &[String]) -> Option<&'static Route<R>> {
        let first = segments.first().map_or("", String::as_str);
        let fits = |parts: &[&str]| parts.iter().zip(segments).all(|(part, segment)| *part == "{}" || part == segment);
        let candidates = self.index.get(&(segments.len(), first)).map_or(&[][..], Vec::as_slice);
        candidates.iter().find(|(parts, _)| fits(parts)).map(|(_, route)| *route).or_else(|| self.status(segments))
    }

    /// How something stands that goes on after its answer: below every action, and below everything that is created.
    fn status(&self, segments: &[String]) -> Option<&'static Route<R>> {
        let [above @ .., last_but_one, _] = segments else { return None };
        if last_but_one == "creation_status" {
            return self.find(above).filter(|route| route.path.ends_with("{}")).map(|_| self.standing.creation);
        }
        let action = self.find(&segments[..segments.len() - 1]).filter(|route| route.is_action() && !above.is_empty());
        action.map(|_| self.standing.action)
    }
}

impl<R> Route<R> {
    /// What answers a method; HEAD is answered like GET.
    pub fn handler(&self, method: &Method) -> Option<Handler<R>> {
        let wanted = if method == Method::HEAD { &Method::GET } else { method };
        self.methods.iter().find(|verb| verb.method == wanted).map(|verb| verb.handler)
    }

    /// What is said of the body of a method.
    pub fn body(&self, method: &Method) -> Option<&'static Body> {
        self.methods.iter().find(|verb| verb.method == method).and_then(|verb| verb.body.as_ref())
    }

    /// What a method takes at least, on whatever it may be.
    pub fn least(&self, method: &Method) -> Option<Permit> {
        self.methods.iter().find(|verb| verb.method == method).and_then(|verb| (verb.least)())
    }

    /// Whether it is an action: what can only be posted to.
    pub fn is_action(&self) -> bool {
        self.methods.iter().all(|verb| verb.method == Method::POST)
    }

    /// What a method does here, in a word.
    pub fn relation(&self, method: &Method) -> &'static str {
        match *method {
            Method::POST if self.is_action() => self.path.rsplit('/').next().unwrap_or_default(),
            Method::POST => "add",
            Method::PUT => "update",
            Method::DELETE => "delete",
            _ => "get",
        }
    }

    /// The value of the Allow header.
    pub fn allow(&self) -> String {
        let mut names: Vec<&str> = self.methods.iter().map(|verb| verb.method.as_str()).collect();
        if names.contains(&"GET") {
            names.push("HEAD");
        }
        names.push("OPTIONS");
        names.join(", ")
    }
}
