//! The one layer around everything: finds the face that has a path, turns a panic into a 500, sees to bodies that nobody read, counts and
//! times.

use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{Method, Request, Response, StatusCode};
use dashmap::DashMap;
use futures_util::FutureExt;
use metrics::{Counter, Histogram};
use tower::Service;

use super::body::{BodyRoom, RequestBody, handed_over};
use super::refusal::{Asked, Refusal, plain};

/// How a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transport {
    /// Whether by https.
    pub secure: bool,
    /// The client's address.
    pub peer: IpAddr,
}

/// A dialect's way in.
///
/// A face reads the body itself: whole by [`RequestBody::read`], or as it comes. It may answer with a stream, and may upgrade the connection
/// by `hyper::upgrade::on`.
pub trait Face: Send + Sync + std::fmt::Debug {
    /// Whether a path is one of its own.
    fn has(&self, path: &str) -> bool;

    /// Answers a request.
    fn answer(&self, request: Request<RequestBody>, transport: Transport) -> Answering;

    /// Says in its own form why one of its requests is not served.
    fn refuse(&self, refusal: &Refusal, asked: &Asked) -> Response<Body>;
}

/// An answer on its way.
pub type Answering = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// The server's outermost service.
#[derive(Clone, Debug)]
pub struct Front {
    faces: Arc<[Arc<dyn Face>]>,
    own: Router,
    transport: Transport,
    room: BodyRoom,
    figures: Arc<Figures>,
}

/// Handles of the figures, so that a request costs a look-up and two additions.
#[derive(Debug)]
struct Figures {
    requests: DashMap<(Method, StatusCode), Counter>,
    seconds: Histogram,
}

impl Figures {
    fn count(&self, method: Method, status: StatusCode, took: Duration) {
        self.seconds.record(took.as_secs_f64());
        let key = (method, status);
        if let Some(counter) = self.requests.get(&key) {
            counter.increment(1);
            return;
        }
        // Clients make up methods: those that are none of HTTP's are one.
        let name = match key.0.as_str() {
            name @ ("GET" | "HEAD" | "POST" | "PUT" | "DELETE" | "OPTIONS" | "PATCH") => name.to_owned(),
            _ => "other".to_owned(),
        };
        let known = name != "other";
        let counter = metrics::counter!("evirt_http_requests_total", "method" => name, "status" => key.1.as_str().to_owned());
        counter.increment(1);
        if known {
            self.requests.insert(key, counter);
        }
    }
}

impl Front {
    /// Before the faces, and before the server's own paths, which are asked where no face has the path. The bodies of all fronts of a server
    /// share one room.
    pub fn new(faces: Arc<[Arc<dyn Face>]>, own: Router, secure: bool, room: BodyRoom) -> Self {
        crate::telemetry::figures();
        let transport = Transport { secure, peer: Ipv4Addr::UNSPECIFIED.into() };
        let figures = Figures { requests: DashMap::new(), seconds: metrics::histogram!("evirt_http_request_seconds") };
        Self { faces, own, transport, room, figures: Arc::new(figures) }
    }

    /// The same for a client that is connected from an address.
    pub fn to(&self, peer: IpAddr) -> Self {
        Self { transport: Transport { peer, ..self.transport }, ..self.clone() }
    }

    /// Answers a request.
    pub async fn answer<B>(&self, request: Request<B>) -> Response<Body>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        let (started, method) = (Instant::now(), request.method().clone());
        let (request, leftover) = handed_over(request, &self.room);
        let mut response = self.ask(request).await;
        if let Some(leftover) = leftover {
            Box::pin(leftover.settle(&mut response)).await;
        }
        self.figures.count(method, response.status(), started.elapsed());
        response
    }

    /// Asks whoever has the path. A panic was reported by the panic hook.
    async fn ask(&self, mut request: Request<RequestBody>) -> Response<Body> {
        let Some(face) = self.faces.iter().find(|face| face.has(request.uri().path())) else {
            request.extensions_mut().insert(self.transport);
            let answering = self.own.clone().call(request.map(Body::new));
            let answer = AssertUnwindSafe(answering).catch_unwind().await;
            return answer.map_or_else(|_| plain(Refusal::Internal.status(), Refusal::Internal), |Ok::<_, Infallible>(own)| own);
        };
        let asked = Asked::of(&request);
        let answering = AssertUnwindSafe(async { face.answer(request, self.transport).await });
        answering.catch_unwind().await.unwrap_or_else(|_| face.refuse(&Refusal::Internal, &asked))
    }
}

impl<B> hyper::service::Service<Request<B>> for Front
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<B>) -> Self::Future {
        let front = self.clone();
        Box::pin(async move { Ok(front.answer(request).await) })
    }
}
