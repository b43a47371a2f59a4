//! Small pieces, and whole connections over real sockets with a face of the test's own behind them.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Request, Response, StatusCode, header};
use futures_util::{StreamExt, stream};
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use super::*;

/// A body that the face of the tests reads has to be shorter.
const LIMIT: usize = 100_000;

/// Paths below `/face`: `read`, `login` and `count` read the body whole, as a login, and as it comes; `stream` answers bit by bit, `endless`
/// without an end, `socket` upgrades to a connection that sends back what it gets, `ignore` does not look at the body.
#[derive(Debug)]
struct TestFace;

impl Face for TestFace {
    fn has(&self, path: &str) -> bool {
        path.starts_with("/face/")
    }

    fn answer(&self, request: Request<RequestBody>, transport: Transport) -> Answering {
        let asked = Asked::of(&request);
        Box::pin(async move {
            let said = |length: usize| Response::new(Body::from(format!("{length} {}", transport.secure)));
            let read = |read: Result<Bytes, Refusal>| match read {
                Ok(body) => said(body.len()),
                Err(refusal) => TestFace.refuse(&refusal, &asked),
            };
            match request.uri().path() {
                "/face/read" => read(request.into_body().read(LIMIT, Duration::from_secs(60)).await),
                "/face/login" => read(request.into_body().read_login().await),
                "/face/count" => {
                    let chunks = request.into_body().into_data_stream();
                    said(chunks.fold(0, |length, chunk| async move { length + chunk.unwrap().len() }).await)
                }
                "/face/stream" => {
                    let chunks = stream::iter(0..1_000).map(|n| Ok::<_, axum::Error>(format!("{n}\n")));
                    Response::new(Body::from_stream(chunks))
                }
                "/face/endless" => {
                    let chunk = Bytes::from(vec![b'x'; 64 * 1024]);
                    Response::new(Body::from_stream(stream::repeat_with(move || Ok::<_, axum::Error>(chunk.clone()))))
                }
                "/face/socket" => upgraded(request),
                "/face/query" => Response::new(Body::from(request.uri().query().unwrap_or_default().to_owned())),
                "/face/ignore" => said(0),
                _ => panic!("this panic is part of the test"),
            }
        })
    }

    fn refuse(&self, refusal: &Refusal, asked: &Asked) -> Response<Body> {
        let mut response = Response::new(Body::from(format!("own form: {refusal} for {}", asked.uri.path())));
        *response.status_mut() = refusal.status();
        response
    }
}

/// Upgrades to what sends back what it gets.
fn upgraded(mut request: Request<RequestBody>) -> Response<Body> {
    let upgrading = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let (mut from, mut to) = tokio::io::split(TokioIo::new(upgrading.await.unwrap()));
        tokio::io::copy(&mut from, &mut to).await.unwrap();
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    response.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    response
}

/// A listener with the face of the tests behind it, by TLS and without.
struct Site {
    plain: std::net::SocketAddr,
    secure: std::net::SocketAddr,
    connector: TlsConnector,
    stop: watch::Sender<bool>,
    listeners: Vec<JoinHandle<()>>,
    places: Places,
    _data: tempfile::TempDir,
}

/// Either connection.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

impl Site {
    async fn start() -> Self {
        Self::start_with(Places::new(MAX_OPEN_CONNECTIONS, 0), WRITE_TIMEOUT).await
    }

    async fn start_with(places: Places, write_timeout: Duration) -> Self {
        let data = tempfile::tempdir().unwrap();
        let tls = crate::tls::own(data.path(), &[]).unwrap();
        let mut roots = rustls::RootCertStore::empty();
        let ca = <rustls::pki_types::CertificateDer<'_> as rustls::pki_types::pem::PemObject>::from_pem_slice(&tls.ca_pem);
        roots.add(ca.unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let client = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let client = client.with_root_certificates(roots).with_no_client_auth();
        let (stop, stopped) = watch::channel(false);
        let (mut addresses, mut listeners) = (Vec::new(), Vec::new());
        for tls in [None, Some(tls.server)] {
            let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
            addresses.push(tcp.local_addr().unwrap());
            let front = Front::new(Arc::new([Arc::new(TestFace)]), Router::new(), tls.is_some(), BodyRoom::default());
            let listener = Listener { tcp, tls, front, places: places.clone(), write_timeout };
            listeners.push(tokio::spawn(listener.serve(stopped.clone())));
        }
        let connector = TlsConnector::from(Arc::new(client));
        Self { plain: addresses[0], secure: addresses[1], connector, stop, listeners, places, _data: data }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.plain).await.unwrap()
    }

    /// A connection of each kind.
    async fn both(&self) -> [Box<dyn Stream>; 2] {
        let secure = TcpStream::connect(self.secure).await.unwrap();
        let secure = self.connector.connect("localhost".try_into().unwrap(), secure).await.unwrap();
        [Box::new(self.connect().await), Box::new(secure)]
    }
}

/// Sends a text and reads one answer: its head and, by its length, its body.
async fn ask(stream: &mut (impl Stream + ?Sized), sent: &str) -> (String, String) {
    stream.write_all(sent.as_bytes()).await.unwrap();
    answer(stream).await
}

async fn answer(stream: &mut (impl Stream + ?Sized)) -> (String, String) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let length = head.split_once("content-length: ").map_or("0", |(_, rest)| rest.lines().next().unwrap());
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).await.unwrap();
    (head, String::from_utf8(body).unwrap())
}

async fn is_closed(stream: &mut (impl Stream + ?Sized)) -> bool {
    stream.read_to_end(&mut Vec::new()).await.unwrap() == 0
}

#[tokio::test]
async fn a_face_reads_its_body_within_its_own_limits_or_as_it_comes() {
    let site = Site::start().await;
    for (mut stream, secure) in site.both().await.into_iter().zip(["false", "true"]) {
        for (path, length, status) in
            [("read", LIMIT, 200), ("login", MAX_LOGIN_BODY, 200), ("count", 3 * LIMIT, 200), ("login", MAX_LOGIN_BODY + 1, 413)]
        {
            let sent = format!("POST /face/{path} HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n{}", "x".repeat(length));
            let (head, body) = ask(&mut stream, &sent).await;
            assert!(head.starts_with(&format!("http/1.1 {status} ")), "{path} {length}: {head}");
            match status {
                200 => assert_eq!(body, format!("{length} {secure}")),
                _ => assert_eq!(body, "own form: The request's body is longer than 16384 bytes for /face/login"),
            }
        }
    }
}

#[tokio::test]
async fn a_face_answers_with_a_stream() {
    let site = Site::start().await;
    let mut stream = site.connect().await;
    stream.write_all(b"GET /face/stream HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut all = String::new();
    stream.read_to_string(&mut all).await.unwrap();
    assert!(all.to_lowercase().contains("transfer-encoding: chunked") && all.contains("\n999\n"), "{all}");
}

#[tokio::test]
async fn a_face_upgrades_to_a_socket_which_keeps_its_place() {
    let site = Site::start_with(Places::new(2, 0), WRITE_TIMEOUT).await;
    let mut sockets = site.both().await;
    for stream in &mut sockets {
        let upgrade = "GET /face/socket HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
        let (head, _) = ask(stream, upgrade).await;
        assert!(head.starts_with("http/1.1 101 "), "{head}");
        // What looks like a request line is none any more.
        let sent = "GET /<raw> HTTP/1.1\r\n\r\n";
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut back = vec![0; sent.len()];
        stream.read_exact(&mut back).await.unwrap();
        assert_eq!(back, sent.as_bytes());
    }
    assert!(is_closed(&mut site.connect().await).await, "both places are taken");
    drop(sockets);
    while site.places.take([127, 0, 0, 1].into()).is_none() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_panic_is_an_answer_in_the_faces_own_form() {
    let site = Site::start().await;
    let mut stream = site.connect().await;
    let (head, body) = ask(&mut stream, "GET /face/panic HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert!(head.starts_with("http/1.1 500 "), "{head}");
    assert_eq!(body, "own form: Internal error for /face/panic", "what went wrong inside stays inside");
    let (head, _) = ask(&mut stream, "GET /face/ignore HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert!(head.starts_with("http/1.1 200 "), "the connection goes on");
}

#[tokio::test]
async fn a_body_that_is_announced_and_never_comes_is_not_waited_for() {
    let site = Site::start().await;
    for method in ["GET", "HEAD"] {
        let announced = format!("{method} /face/ignore HTTP/1.1\r\nHost: h\r\nContent-Length: 17\r\n\r\n");
        for mut stream in site.both().await {
            let head = match method {
                "GET" => ask(&mut stream, &announced).await.0,
                _ => {
                    stream.write_all(announced.as_bytes()).await.unwrap();
                    let mut head = String::new();
                    stream.read_to_string(&mut head).await.unwrap();
                    head.to_lowercase()
                }
            };
            assert!(head.starts_with("http/1.1 200 ") && head.contains("\r\nconnection: close\r\n"), "{head}");
        }
        // One that does come is taken in, and the connection kept.
        for mut stream in site.both().await {
            let sent = announced.replace("HEAD", "GET") + "<action></action>";
            for _ in 0..3 {
                let (head, _) = ask(&mut stream, &sent).await;
                assert!(!head.contains("connection: close"), "{head}");
            }
        }
    }
}

#[tokio::test]
async fn a_client_that_waits_to_be_asked_for_its_body_is_not_asked_in_vain() {
    let site = Site::start().await;
    let expects = |path| format!("POST /face/{path} HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    let (head, _) = ask(&mut site.connect().await, &expects("ignore")).await;
    assert!(head.starts_with("http/1.1 200 ") && head.contains("connection: close"), "{head}");
    let mut stream = site.connect().await;
    let (head, _) = ask(&mut stream, &expects("read")).await;
    assert!(head.starts_with("http/1.1 100 "), "{head}");
    assert_eq!(ask(&mut stream, "12345").await.1, "5 false");
}

#[tokio::test]
async fn an_answer_is_read_by_a_client_that_is_still_sending() {
    let site = Site::start().await;
    for stream in site.both().await {
        let (mut from, mut to) = tokio::io::split(stream);
        let length = 40_000_000;
        let head = format!("POST /face/read HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n");
        to.write_all(head.as_bytes()).await.unwrap();
        // The client reads nothing before all is sent, like most.
        for _ in 0..length / 100_000 {
            to.write_all(&[b'x'; 100_000]).await.unwrap();
        }
        let mut seen = String::new();
        from.read_to_string(&mut seen).await.unwrap();
        assert!(
            seen.starts_with("HTTP/1.1 413 ")
                && seen.ends_with("own form: The request's body is longer than 100000 bytes for /face/read"),
            "{seen}"
        );
    }
}

#[tokio::test]
async fn request_lines_with_raw_bytes_are_answered_one_after_the_other() {
    let site = Site::start().await;
    let get = |query: &str| format!("GET /face/query?{query} HTTP/1.1\r\nHost: h\r\n\r\n");
    for mut stream in site.both().await {
        let body = "<vm name=\"GET /<x> HTTP/1.1\"/>";
        let post = format!("POST /face/read?<> HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let pipelined = get("search=name<b") + &post + &get("a=\"b\"") + &get("plain");
        stream.write_all(pipelined.as_bytes()).await.unwrap();
        assert_eq!(answer(&mut stream).await.1, "search=name%3Cb");
        assert!(answer(&mut stream).await.1.starts_with(&body.len().to_string()));
        assert_eq!(answer(&mut stream).await.1, "a=%22b%22");
        assert_eq!(answer(&mut stream).await.1, "plain");
        assert_eq!(ask(&mut stream, &get(">")).await.1, "%3E");
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_is_let_go() {
    let site = Site::start_with(Places::new(1, 0), Duration::from_millis(50)).await;
    let mut stream = site.connect().await;
    stream.write_all(b"GET /face/endless HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    stream.read_u8().await.unwrap();
    // The answer has no end: the place is free again only because the client was given up.
    while site.places.take([127, 0, 0, 1].into()).is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // What had been sent by then may be read, or is lost with a reset.
    let _ = stream.read_to_end(&mut Vec::new()).await;
}

#[tokio::test]
async fn a_head_that_is_too_long_is_refused() {
    let site = Site::start().await;
    let sent = format!("GET /face/ignore HTTP/1.1\r\nHost: h\r\nX: {}", "x".repeat(MAX_HEAD));
    let (head, _) = ask(&mut site.connect().await, &sent).await;
    assert!(head.starts_with("http/1.1 431 "), "{head}");
}

#[tokio::test]
async fn a_listener_that_stops_lets_requests_finish_and_takes_no_more() {
    let mut site = Site::start().await;
    let (mut busy, mut idle) = (site.connect().await, site.connect().await);
    busy.write_all(b"POST /face/read HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nab").await.unwrap();
    ask(&mut idle, "GET /face/ignore HTTP/1.1\r\nHost: h\r\n\r\n").await;
    site.stop.send_replace(true);
    assert!(is_closed(&mut idle).await);
    let (head, body) = ask(&mut busy, "cd").await;
    assert!(head.starts_with("http/1.1 200 ") && body == "4 false", "{head}{body}");
    for listener in site.listeners.drain(..) {
        listener.await.unwrap();
    }
    assert!(TcpStream::connect(site.plain).await.is_err());
}

fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
}

#[test]
fn a_request_keeps_its_name_where_it_is_one() {
    assert_eq!(&*correlation_id(&headers(&[(CORRELATION_ID, "my_request-1")])), "my_request-1");
    for bad in ["", "two words", "a/b", "0123456789012345678901234567890123456789012345678901"] {
        let made = correlation_id(&headers(&[(CORRELATION_ID, bad)]));
        assert_ne!(&*made, bad);
        assert_eq!(made.len(), 16);
    }
}

#[test]
fn preferences_are_words_in_any_case() {
    assert!(asks_for(&headers(&[(PREFER, "csrf-protection, Persistent-Auth")]), &PREFER, "persistent-auth"));
    assert!(asks_for(&headers(&[(PREFER, "x"), (PREFER, "persistent-auth")]), &PREFER, "persistent-auth"));
    assert!(!asks_for(&headers(&[(PREFER, "persistent-authentication")]), &PREFER, "persistent-auth"));
}

#[test]
fn a_cookie_is_found_among_others() {
    let sent = headers(&[(header::COOKIE, "a=b; JSESSIONID=\"xyz\"; c=d")]);
    assert_eq!(cookie(&sent, "JSESSIONID").as_deref(), Some("xyz"));
    assert_eq!(cookie(&sent, "SESSION"), None);
}
