//! Servers in processes of their own: this program again, so that what they cost is theirs alone.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use evirt::config::Options;
use evirt::server::Server;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};

use crate::client::PASSWORD;

/// A server that runs until it is stopped, or this program ends.
pub struct Running {
    pub address: String,
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Running {
    /// Starts this program with arguments; its first line says where it listens.
    async fn start(arguments: &[&str]) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdin = child.stdin.take();
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line).await?;
        if line.trim().is_empty() {
            bail!("{arguments:?} did not start");
        }
        Ok(Self { address: line.trim().to_owned(), child, stdin })
    }

    /// An engine on a data directory.
    pub async fn engine(data: &Path) -> Result<Self> {
        Self::start(&["serve", data.to_str().context("the path is no text")?]).await
    }

    /// Ready-made answers of these lengths, and one that waits for a row below a directory.
    pub async fn ready_made(directory: &Path, lengths: &[usize]) -> Result<Self> {
        let lengths: Vec<String> = lengths.iter().map(usize::to_string).collect();
        let directory = directory.to_str().context("the path is no text")?;
        let arguments: Vec<&str> = ["ready-made", directory].into_iter().chain(lengths.iter().map(String::as_str)).collect();
        Self::start(&arguments).await
    }

    /// How much memory it has, in bytes.
    pub fn resident(&self) -> Result<u64> {
        let id = self.child.id().context("it has ended")?;
        let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("its memory is not told")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? << 10)
    }

    /// Stops it in order, and waits until it has ended.
    pub async fn stop(mut self) -> Result<()> {
        drop(self.stdin.take());
        let status = self.child.wait().await?;
        if !status.success() {
            bail!("it ended with {status}");
        }
        Ok(())
    }
}

/// How long an engine takes from its start to its first answer, the check of a password included.
pub async fn time_to_first_answer(data: &Path) -> Result<(Duration, Running)> {
    let began = Instant::now();
    let engine = Running::engine(data).await?;
    crate::client::log_in(&engine.address).await?;
    Ok((began.elapsed(), engine))
}

/// How long it takes to fold a log whole, in a process of its own: what it leaves to be cleared away is not there when others are measured.
pub async fn time_to_replay(data: &Path) -> Result<Duration> {
    let output = Command::new(std::env::current_exe()?).arg("replay").arg(data).output().await?;
    let micros: u64 = String::from_utf8(output.stdout)?.trim().parse().context("the replay says nothing")?;
    Ok(Duration::from_micros(micros))
}

/// What that process does: it says how many microseconds it took.
pub async fn replay(data: &Path) -> Result<()> {
    let began = Instant::now();
    let engine = crate::estate::open(data, false).await?;
    println!("{}", began.elapsed().as_micros());
    engine.abort();
    engine.stores().close().await;
    Ok(())
}

/// What such a process does: an engine until its input ends.
pub async fn serve(data: &str) -> Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let free = Some("127.0.0.1:0".parse()?);
    let mut settings = Options { data: Some(data.into()), http: free, https: free, ..Options::default() }.settle()?;
    settings.admin_password = Some(PASSWORD.to_owned());
    let server = Server::start(settings).await?;
    println!("{}", server.http);
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    server.stop().await;
    Ok(())
}
