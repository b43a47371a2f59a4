//! The load generator: measures a running engine over plain http, each figure beside a raw baseline of the same run.
//!
//! usage: evirt-bench HOST:PORT PASSWORD SECONDS. It creates virtual machines, so give it an engine of its own.

use std::io::Write;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// One keep-alive connection.
struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer's status, the values of its session cookies, and its body.
struct Answer {
    status: u16,
    cookie: Option<String>,
    body: String,
}

impl Client {
    async fn connect(address: &str) -> Outcome<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(64 * 1024) })
    }

    /// Sends a request and reads its whole answer; the head is read up to the blank line, the body by its length.
    async fn ask(&mut self, request: &[u8]) -> Outcome<Answer> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err("the connection was closed".into());
            }
            let Some(head) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
            let text = std::str::from_utf8(&self.buffer[..head])?;
            let header = |name: &str| {
                text.lines()
                    .filter_map(|line| line.split_once(':'))
                    .find(|(n, _)| n.eq_ignore_ascii_case(name))
                    .map(|(_, v)| v.trim())
            };
            let length: usize = header("content-length").unwrap_or("0").parse()?;
            if self.buffer.len() >= head + 4 + length {
                let status = text.split(' ').nth(1).unwrap_or_default().parse()?;
                let cookie = header("set-cookie").and_then(|c| c.split(';').next()).map(str::to_owned);
                let body = String::from_utf8_lossy(&self.buffer[head + 4..]).into_owned();
                return Ok(Answer { status, cookie, body });
            }
        }
    }
}

/// Requests a second, and the time within which 99 of 100 were answered.
struct Figure {
    rate: f64,
    p99: Duration,
}

/// Lets clients send requests for a time; every answer has to have the wanted status.
async fn measure(
    address: &str,
    clients: usize,
    time: Duration,
    wanted: u16,
    make: fn(&str, usize) -> String,
    with: &str,
) -> Outcome<Figure> {
    let started = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for client in 0..clients {
        let (address, with) = (address.to_owned(), with.to_owned());
        tasks.spawn(async move {
            let mut connection = Client::connect(&address).await?;
            let mut times = Vec::new();
            while started.elapsed() < time {
                let request = make(&with, times.len() * clients + client);
                let begun = Instant::now();
                let answer = connection.ask(request.as_bytes()).await?;
                if answer.status != wanted {
                    return Err(format!("{} instead of {wanted}: {}", answer.status, answer.body).into());
                }
                times.push(begun.elapsed());
            }
            Outcome::Ok(times)
        });
    }
    let mut times = Vec::new();
    while let Some(done) = tasks.join_next().await {
        times.extend(done??);
    }
    let elapsed = started.elapsed();
    times.sort();
    let p99 = times.get(times.len() * 99 / 100).copied().unwrap_or_default();
    Ok(Figure { rate: times.len() as f64 / elapsed.as_secs_f64(), p99 })
}

/// How often a second the disk makes a few hundred bytes durable.
fn fsyncs(time: Duration) -> Outcome<f64> {
    let path = std::env::temp_dir().join(format!("evirt-bench-{}", std::process::id()));
    let mut file = std::fs::File::create(&path)?;
    let started = Instant::now();
    let mut count = 0;
    while started.elapsed() < time {
        file.write_all(&[b'x'; 512])?;
        file.sync_data()?;
        count += 1;
    }
    let rate = f64::from(count) / started.elapsed().as_secs_f64();
    std::fs::remove_file(&path)?;
    Ok(rate)
}

fn get(path: &str, cookie: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\nPrefer: persistent-auth\r\nCookie: {cookie}\r\n\r\n")
}

fn create(cookie: &str, n: usize) -> String {
    let stamp = std::process::id();
    let body = format!(
        "<vm><name>bench-{stamp}-{n}-{}</name><cluster><name>Default</name></cluster><template><name>Blank</name></template></vm>",
        cookie.len()
    );
    let length = body.len();
    format!(
        "POST /api/vms HTTP/1.1\r\nHost: x\r\nPrefer: persistent-auth\r\nCookie: {}\r\nContent-Type: application/xml\r\n\
         Content-Length: {length}\r\n\r\n{body}",
        cookie.trim_end()
    )
}

/// A session's cookie.
async fn log_in(address: &str, password: &str) -> Outcome<String> {
    let credentials = base64(format!("admin@internal:{password}").as_bytes());
    let request =
        format!("GET /api HTTP/1.1\r\nHost: x\r\nPrefer: persistent-auth\r\nAuthorization: Basic {credentials}\r\n\r\n");
    let answer = Client::connect(address).await?.ask(request.as_bytes()).await?;
    answer.cookie.ok_or_else(|| format!("no session: {}", answer.status).into())
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0u32, |g, b| g << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let letter = LETTERS[(group >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, password, seconds] = arguments.as_slice() else {
        return Err("usage: evirt-bench HOST:PORT PASSWORD SECONDS".into());
    };
    let time = Duration::from_secs(seconds.parse()?);
    let cookie = log_in(address, password).await?;
    let disk = fsyncs(time)?;
    let health = measure(address, 16, time, 200, |_, _| get("/health", ""), "").await?;
    println!("baseline: {disk:.0} fsyncs/s; {:.0} ready-made answers/s (GET /health, 16 clients)", health.rate);
    // A different number of blanks behind the cookie keeps the names of the two runs apart.
    let one = measure(address, 1, time, 201, create, &cookie).await?;
    println!("POST /api/vms, 1 client: {:.0}/s, p99 {:?}, {:.2} of the fsync rate", one.rate, one.p99, one.rate / disk);
    let many = measure(address, 64, time, 201, create, &format!("{cookie} ")).await?;
    println!("POST /api/vms, 64 clients: {:.0}/s, p99 {:?}", many.rate, many.p99);
    let made = create(&format!("{cookie}  "), 0);
    let made = Client::connect(address).await?.ask(made.as_bytes()).await?;
    let id = made.body.split("id=\"").nth(1).and_then(|rest| rest.split('"').next()).ok_or("the VM has no id")?.to_owned();
    let read = measure(address, 16, time, 200, |with, _| with.to_owned(), &get(&format!("/api/vms/{id}"), &cookie)).await?;
    println!("GET /api/vms/ID: {:.0}/s, {:.2} of a ready-made answer", read.rate, read.rate / health.rate);
    let page = measure(address, 16, time, 200, |with, _| with.to_owned(), &get("/api/vms", &cookie)).await?;
    println!("GET /api/vms (a page of 100): {:.0}/s", page.rate);
    let found =
        measure(address, 16, time, 200, |with, _| with.to_owned(), &get("/api/vms?search=name%3Dbench-1", &cookie)).await?;
    println!("GET /api/vms?search=name%3D...: {:.0}/s", found.rate);
    Ok(())
}
