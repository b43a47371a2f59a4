//! A client that costs little itself, and what it measures.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// The password of admin@internal on every engine that is measured.
pub const PASSWORD: &str = "bench";

/// One keep-alive connection.
pub struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer's status, the value of its session cookie, and how long its body is.
pub struct Answer {
    pub status: u16,
    pub cookie: Option<String>,
    pub length: usize,
    pub body: String,
}

impl Client {
    pub async fn connect(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("connecting to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(1 << 20) })
    }

    /// Sends a request and reads its whole answer: the head up to the blank line, the body by its length.
    pub async fn ask(&mut self, request: &[u8]) -> Result<Answer> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let mut end = None;
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the connection was closed");
            }
            if end.is_none() {
                let Some(head) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
                let length: usize = header(&self.buffer[..head], "content-length").unwrap_or("0").parse()?;
                end = Some((head, length));
            }
            if let Some((head, length)) = end
                && self.buffer.len() >= head + 4 + length
            {
                let status = std::str::from_utf8(&self.buffer[..head])?.split(' ').nth(1).unwrap_or_default().parse()?;
                let cookie = header(&self.buffer[..head], "set-cookie").and_then(|c| c.split(';').next()).map(str::to_owned);
                // Only what somebody looks at is made a text of.
                let shown = if status >= 400 || length < 16 << 10 { length } else { 0 };
                let body = String::from_utf8_lossy(&self.buffer[head + 4..head + 4 + shown]).into_owned();
                return Ok(Answer { status, cookie, length, body });
            }
        }
    }
}

/// A header's value in an answer's head.
fn header<'a>(head: &'a [u8], name: &str) -> Option<&'a str> {
    let text = std::str::from_utf8(head).ok()?;
    let fields = text.lines().filter_map(|line| line.split_once(':'));
    fields.filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
}

/// Opens a session of the administrator, and gives its cookie.
pub async fn log_in(address: &str) -> Result<String> {
    log_in_as(address, "admin").await
}

/// Opens a session, and gives its cookie. Who is no administrator has to say so with every request.
pub async fn log_in_as(address: &str, user: &str) -> Result<String> {
    let credentials = STANDARD.encode(format!("{user}@internal:{PASSWORD}"));
    let filter = user != "admin";
    let request = format!(
        "GET /api HTTP/1.1\r\nHost: x\r\nPrefer: persistent-auth\r\nFilter: {filter}\r\nAuthorization: Basic {credentials}\r\n\r\n"
    );
    let answer = Client::connect(address).await?.ask(request.as_bytes()).await?;
    answer.cookie.ok_or_else(|| anyhow!("no session: {} {}", answer.status, answer.body))
}

/// A GET within a session.
pub fn get(path: &str, cookie: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\nPrefer: persistent-auth\r\nCookie: {cookie}\r\n\r\n")
}

/// The same of somebody who sees what is its own.
pub fn get_own(path: &str, cookie: &str) -> String {
    get(path, cookie).replacen("Prefer", "Filter: true\r\nPrefer", 1)
}

/// A POST that creates a VM, within a session.
pub fn create(name: &str, cookie: &str) -> String {
    let body =
        format!("<vm><name>{name}</name><cluster><name>Default</name></cluster><template><name>Blank</name></template></vm>");
    let length = body.len();
    format!(
        "POST /api/vms HTTP/1.1\r\nHost: x\r\nPrefer: persistent-auth\r\nCookie: {cookie}\r\nContent-Type: application/xml\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
}

/// Requests a second, and the time within which 99 of 100 were answered.
#[derive(Clone, Copy)]
pub struct Figure {
    pub rate: f64,
    pub p99: Duration,
}

/// What the `n`th request is.
pub type Make = Arc<dyn Fn(usize) -> String + Send + Sync>;

/// Lets clients send requests for a time, each its next as soon as the last is answered; every answer has to have the wanted status.
pub async fn measure(address: &str, clients: usize, time: Duration, wanted: u16, make: Make) -> Result<Figure> {
    let started = Instant::now();
    let mut tasks = JoinSet::new();
    for client in 0..clients {
        let (address, make) = (address.to_owned(), make.clone());
        let asking = async move {
            let mut connection = Client::connect(&address).await?;
            let mut times = Vec::new();
            while started.elapsed() < time {
                let request = make(times.len() * clients + client);
                let begun = Instant::now();
                let answer = connection.ask(request.as_bytes()).await?;
                if answer.status != wanted {
                    bail!("{} instead of {wanted}: {}", answer.status, answer.body);
                }
                times.push(begun.elapsed());
            }
            anyhow::Ok(times)
        };
        if clients == 1 {
            // One that is alone has a thread to itself: threads that look for more work would take time from the server.
            tasks.spawn_blocking(|| tokio::runtime::Builder::new_current_thread().enable_io().build()?.block_on(asking));
        } else {
            tasks.spawn(asking);
        }
    }
    let mut times = Vec::new();
    while let Some(done) = tasks.join_next().await {
        times.extend(done??);
    }
    let rate = times.len() as f64 / started.elapsed().as_secs_f64();
    times.sort();
    Ok(Figure { rate, p99: times.get(times.len() * 99 / 100).copied().unwrap_or_default() })
}

/// The same request again and again.
pub fn always(request: String) -> Make {
    Arc::new(move |_| request.clone())
}
