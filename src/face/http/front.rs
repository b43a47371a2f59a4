//! The one layer around everything: reads bodies within limits of size and time, turns a panic into a 500, counts and times.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{Method, Request, Response, StatusCode, header};
use dashmap::DashMap;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use metrics::{Counter, Histogram};
use tokio::sync::OwnedSemaphorePermit;
use tower::Service;

/// The largest body that is read. The largest document that makes sense is a few KiB.
pub const MAX_BODY: usize = 1024 * 1024;

/// How long a body may take to arrive.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// How a request came, among its extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transport {
    /// Whether by https.
    pub secure: bool,
}

/// A dialect's way in.
pub trait Face: Send + Sync + std::fmt::Debug {
    /// Whether a path is one of its own.
    fn has(&self, path: &str) -> bool;

    /// Answers a request, whose body has been read.
    fn answer(&self, request: Request<Bytes>, transport: Transport) -> Answering;
}

/// An answer on its way.
pub type Answering = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// The server's outermost service.
#[derive(Clone, Debug)]
pub struct Front {
    faces: Arc<[Arc<dyn Face>]>,
    own: Router,
    transport: Transport,
    figures: Arc<Figures>,
    /// The connection's place among those that there may be.
    _place: Option<Arc<OwnedSemaphorePermit>>,
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
    /// Before the faces, and before the server's own paths, which are asked where no face has the path.
    pub fn new(faces: Arc<[Arc<dyn Face>]>, own: Router, transport: Transport) -> Self {
        crate::telemetry::figures();
        let figures = Figures { requests: DashMap::new(), seconds: metrics::histogram!("evirt_http_request_seconds") };
        Self { faces, own, transport, figures: Arc::new(figures), _place: None }
    }

    /// For a connection, which has its place as long as this lives.
    pub(super) fn on(self, place: OwnedSemaphorePermit) -> Self {
        Self { _place: Some(Arc::new(place)), ..self }
    }

    async fn answer<B>(self, request: Request<B>) -> Response<Body>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        let (started, method) = (Instant::now(), request.method().clone());
        let gathered =
            if request.body().is_end_stream() { Ok(request.map(|_| Bytes::new())) } else { Box::pin(gather(request)).await };
        let response = match gathered {
            Ok(request) => {
                let internal = || fault(StatusCode::INTERNAL_SERVER_ERROR, "Internal error");
                caught(self.ask(request)).await.unwrap_or_else(internal)
            }
            Err(refusal) => refusal,
        };
        self.figures.count(method, response.status(), started.elapsed());
        response
    }

    /// Asks whoever has the path.
    fn ask(&self, request: Request<Bytes>) -> Answering {
        if let Some(face) = self.faces.iter().find(|face| face.has(request.uri().path())) {
            return face.answer(request, self.transport);
        }
        let mut own = self.own.clone();
        Box::pin(async move { own.call(request.map(Body::from)).await.unwrap_or_else(|never| match never {}) })
    }
}

/// The request with its whole body, or the refusal.
async fn gather<B>(request: Request<B>) -> Result<Request<Bytes>, Response<Body>>
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    let (head, body) = request.into_parts();
    let too_large = || fault(StatusCode::PAYLOAD_TOO_LARGE, format_args!("The request's body is longer than {MAX_BODY} bytes"));
    if body.size_hint().lower() > MAX_BODY as u64 {
        return Err(too_large());
    }
    match tokio::time::timeout(BODY_TIMEOUT, pin!(Limited::new(body, MAX_BODY)).collect()).await {
        Ok(Ok(body)) => Ok(Request::from_parts(head, body.to_bytes())),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(error)) => Err(fault(StatusCode::BAD_REQUEST, format_args!("The request's body could not be read: {error}"))),
        Err(_) => Err(fault(StatusCode::REQUEST_TIMEOUT, "The request's body did not arrive in time")),
    }
}

/// What a future gives, or None where it panicked; the panic was reported by the panic hook.
async fn caught<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(poll) => poll.map(Some),
        Err(_) => Poll::Ready(None),
    })
    .await
}

/// A refusal of the server itself, in the form that the clients of most faces read. The connection ends where a body was left unread.
pub(super) fn fault(status: StatusCode, detail: impl std::fmt::Display) -> Response<Body> {
    let detail = detail.to_string().replace('&', "&amp;").replace('<', "&lt;");
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<fault>\n    <reason>Operation Failed</reason>\n    \
         <detail>{detail}</detail>\n</fault>\n"
    );
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/xml"));
    if status.is_client_error() {
        headers.insert(header::CONNECTION, header::HeaderValue::from_static("close"));
    }
    response
}

impl<B> Service<Request<B>> for Front
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let front = self.clone();
        Box::pin(async move { Ok(front.answer(request).await) })
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::post;

    use super::*;

    async fn ask(body: Body) -> (StatusCode, String) {
        let routes = Router::new().route("/", post(|body: String| async move { body.len().to_string() })).route(
            "/panic",
            post(|| async {
                if true {
                    panic!("this panic is part of the test");
                }
            }),
        );
        let path = if body.is_end_stream() { "/panic" } else { "/" };
        let mut front = Front::new(Arc::new([]), routes, Transport { secure: false });
        let response = front.call(Request::post(path).body(body).unwrap()).await.unwrap();
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_the_limit() {
        assert_eq!(ask(Body::from(vec![b'a'; MAX_BODY])).await, (StatusCode::OK, MAX_BODY.to_string()));
        let (status, fault) = ask(Body::from(vec![b'a'; MAX_BODY + 1])).await;
        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
        assert!(fault.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<fault>"), "{fault}");
    }

    #[tokio::test]
    async fn a_body_that_does_not_tell_its_length_is_limited_too() {
        let chunked = Body::new(Body::from(vec![b'a'; 2 * MAX_BODY]).map_frame(|frame| frame));
        assert_eq!(HttpBody::size_hint(&chunked).lower(), 0);
        assert_eq!(ask(chunked).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[tokio::test]
    async fn a_panic_is_an_answer() {
        let (status, fault) = ask(Body::empty()).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!fault.contains("part of the test"), "what went wrong inside stays inside");
    }
}
