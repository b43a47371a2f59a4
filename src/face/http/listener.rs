//! Takes connections, by TLS or without, gives each its place, and serves requests on it.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::connections::{Place, Places};
use super::front::Front;
use super::stream::ClientStream;

/// How long a client may take to send a request's head, and how long a connection may be idle between two requests.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(60);

/// The longest head of a request. This much is read ahead of a body, too.
pub const MAX_HEAD: usize = 32 * 1024;

/// How long a client may take to agree on a key.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long requests that are under way may take to finish when the server stops.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// How long is waited after a connection could not be taken: mostly there are too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Where clients come in.
#[derive(Debug)]
pub struct Listener {
    /// What is listened on.
    pub tcp: TcpListener,
    /// The server's side of a handshake, where there is one.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// What answers.
    pub front: Front,
    /// How many may be connected.
    pub places: Places,
    /// How long a client may take nothing of what it is sent.
    pub write_timeout: Duration,
}

impl Listener {
    /// Serves until `stop` says true or its sender is gone; then takes no more connections and lets requests finish within a time.
    pub async fn serve(self, mut stop: watch::Receiver<bool>) {
        let mut open = JoinSet::new();
        let tls = self.tls.map(TlsAcceptor::from);
        loop {
            let accepted = tokio::select! {
                biased;
                () = told_to(&mut stop) => break,
                Some(_) = open.join_next() => continue,
                accepted = self.tcp.accept() => accepted,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::debug!(%error, "a connection could not be taken");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            // A client that finds no place is hung up on.
            let Some(place) = self.places.take(peer.ip()) else { continue };
            let (front, stop) = (self.front.to(peer.ip()), stop.clone());
            open.spawn(connection(stream, tls.clone(), place, self.write_timeout, front, stop));
        }
        drop(self.tcp);
        let finished = async { while open.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_TIMEOUT, finished).await.is_err() {
            open.shutdown().await;
        }
    }
}

/// Serves one connection to its end. What goes wrong on it is the client's doing, and the client's to know.
async fn connection(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    place: Place,
    write_timeout: Duration,
    front: Front,
    stop: watch::Receiver<bool>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    match tls {
        Some(tls) => {
            let stream = tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await??;
            requests(ClientStream::new(stream, place, write_timeout), front, stop).await;
        }
        None => requests(ClientStream::new(stream, place, write_timeout), front, stop).await,
    }
    Ok(())
}

async fn requests<S>(stream: ClientStream<S>, front: Front, mut stop: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(MAX_HEAD);
    let mut serving = pin!(http.serve_connection(TokioIo::new(stream), front).with_upgrades());
    let served = tokio::select! {
        biased;
        served = &mut serving => served,
        () = told_to(&mut stop) => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection has ended");
    }
}

/// Waits until it is time to stop.
async fn told_to(stop: &mut watch::Receiver<bool>) {
    // Whose sender is gone has been stopped with it.
    let _ = stop.wait_for(|stop| *stop).await;
}
