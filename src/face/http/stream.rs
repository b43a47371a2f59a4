//! The stream of one client's connection: mends its request lines, gives up on a client that does not read, and lets an answer be read by
//! a client that is still sending.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::connections::Place;
use super::request_line::RequestLines;

/// For how long a connection may lie there without its client taking any of what it is sent, unless the settings say otherwise.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// For how long what a client still sends is taken in after the last answer. A connection that is closed with something unread is reset, and
/// then the client may not come to see that answer.
pub const LINGER_TIMEOUT: Duration = Duration::from_secs(10);

/// How much is taken in then, and thrown away.
pub const MAX_LINGERED: u64 = 64 * 1024 * 1024;

/// A client's connection.
#[derive(Debug)]
pub struct ClientStream<S> {
    inner: S,
    lines: RequestLines,
    /// What has been read and not been handed on, because a request line became longer.
    mended: Bytes,
    write_timeout: Duration,
    /// When the client that takes nothing is given up.
    stalled: Option<Pin<Box<Sleep>>>,
    lingering: Option<Lingering>,
    /// Whether the side that writes is shut down.
    written: bool,
    /// The connection's place among those that there may be, which it has for as long as this lives.
    _place: Place,
}

/// How long and how much is still taken in.
#[derive(Debug)]
struct Lingering {
    until: Pin<Box<Sleep>>,
    left: u64,
}

impl<S> ClientStream<S> {
    /// A connection that has its place.
    pub fn new(inner: S, place: Place, write_timeout: Duration) -> Self {
        Self {
            inner,
            lines: RequestLines::default(),
            mended: Bytes::new(),
            write_timeout,
            stalled: None,
            lingering: None,
            written: false,
            _place: place,
        }
    }

    /// What came of writing something, with an end to waiting for it.
    fn written<T>(&mut self, cx: &mut Context<'_>, wrote: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if wrote.is_ready() {
            self.stalled = None;
            return wrote;
        }
        let timeout = self.write_timeout;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(timeout)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes nothing of what it is sent")))
    }
}

impl<S: AsyncRead + Unpin> ClientStream<S> {
    /// Takes in what the client still sends, until it ends or has had its time.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let lingering = self.lingering.get_or_insert_with(|| Lingering {
            until: Box::pin(sleep_until(Instant::now() + LINGER_TIMEOUT)),
            left: MAX_LINGERED,
        });
        let mut room = [0; 8 * 1024];
        while lingering.left > 0 && lingering.until.as_mut().poll(cx).is_pending() {
            let mut read = ReadBuf::new(&mut room);
            match ready!(Pin::new(&mut self.inner).poll_read(cx, &mut read)) {
                Ok(()) if !read.filled().is_empty() => {
                    lingering.left = lingering.left.saturating_sub(read.filled().len() as u64);
                }
                _ => break,
            }
        }
        Poll::Ready(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ClientStream<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.mended.is_empty() {
            let before = buf.filled().len();
            ready!(Pin::new(&mut this.inner).poll_read(cx, buf))?;
            let Some(mended) = this.lines.follow(&buf.filled()[before..]) else { return Poll::Ready(Ok(())) };
            buf.set_filled(before);
            this.mended = mended.into();
        }
        let length = this.mended.len().min(buf.remaining());
        buf.put_slice(&this.mended[..length]);
        this.mended.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for ClientStream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let wrote = Pin::new(&mut this.inner).poll_write(cx, bytes);
        this.written(cx, wrote)
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let wrote = Pin::new(&mut this.inner).poll_write_vectored(cx, bytes);
        this.written(cx, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.inner).poll_flush(cx);
        this.written(cx, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.written {
            let shut = Pin::new(&mut this.inner).poll_shutdown(cx);
            ready!(this.written(cx, shut))?;
            this.written = true;
        }
        if !this.lines.is_between_requests() {
            ready!(this.poll_linger(cx));
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::super::connections::Places;
    use super::*;

    fn stream<S>(inner: S) -> ClientStream<S> {
        let place = Places::new(1, 0).take([127, 0, 0, 1].into()).unwrap();
        ClientStream::new(inner, place, WRITE_TIMEOUT)
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_given_up_and_a_slow_one_is_not() {
        let (mut client, server) = duplex(16);
        let mut server = stream(server);
        let writing = tokio::spawn(async move { server.write_all(&[b'x'; 64]).await });
        let mut room = [0; 16];
        for _ in 0..3 {
            tokio::time::advance(WRITE_TIMEOUT - Duration::from_secs(1)).await;
            client.read_exact(&mut room).await.unwrap();
        }
        writing.await.unwrap().unwrap();

        let (_client, server) = duplex(16);
        let started = Instant::now();
        let error = stream(server).write_all(&[b'x'; 64]).await.unwrap_err();
        assert_eq!((error.kind(), started.elapsed()), (io::ErrorKind::TimedOut, WRITE_TIMEOUT));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_line_that_becomes_longer_is_handed_on_in_pieces() {
        let (mut client, server) = duplex(1024);
        client.write_all(b"GET /?<<<<<<<< HTTP/1.1\r\n\r\nGET /?> HTTP/1.1\r\n\r\n").await.unwrap();
        client.shutdown().await.unwrap();
        let (mut server, mut seen, mut room) = (stream(server), Vec::new(), [0; 3]);
        loop {
            match server.read(&mut room).await.unwrap() {
                0 => break,
                length => seen.extend_from_slice(&room[..length]),
            }
        }
        let wanted = format!("GET /?{} HTTP/1.1\r\n\r\nGET /?%3E HTTP/1.1\r\n\r\n", "%3C".repeat(8));
        assert_eq!(String::from_utf8(seen).unwrap(), wanted);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_still_sent_is_taken_in_for_a_while_and_not_for_ever() {
        let (mut client, server) = duplex(1024);
        client.write_all(b"PUT / HTTP/1.1\r\nContent-Length: 999999999\r\n\r\n").await.unwrap();
        let mut server = stream(server);
        let mut head = [0; 44];
        server.read_exact(&mut head).await.unwrap();
        let started = Instant::now();
        let sending = tokio::spawn(async move {
            let mut sent = 0;
            while client.write_all(&[b'x'; 512]).await.is_ok() {
                sent += 512;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            sent
        });
        server.shutdown().await.unwrap();
        drop(server);
        assert_eq!(started.elapsed(), LINGER_TIMEOUT);
        assert!(sending.await.unwrap() >= 512 * 9);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_lingers_where_nothing_is_to_come() {
        let (mut client, server) = duplex(1024);
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        let mut server = stream(server);
        let mut head = [0; 18];
        server.read_exact(&mut head).await.unwrap();
        let started = Instant::now();
        server.shutdown().await.unwrap();
        assert_eq!(started.elapsed(), Duration::ZERO);
    }
}
