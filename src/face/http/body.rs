//! The body of a request: a face reads it whole, within a limit and a time, or as it comes, or not at all.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderMap, Method, Request, Response, header};
use headers::{Connection, HeaderMapExt};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Refusal;

/// How many bytes of bodies are held at once, over all connections: what comes on top is refused.
pub const MAX_BUFFERED: usize = 64 * 1024 * 1024;

/// The longest body with credentials in it: nobody knows yet whose it is.
pub const MAX_LOGIN_BODY: usize = 16 * 1024;

/// How long such a body may take to arrive.
pub const LOGIN_BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// How much of a body that no face has read is taken in, so that the connection can be kept.
const MAX_LEFTOVER: u64 = 64 * 1024;

/// How long such a body is waited for; one of a GET or HEAD, which clients announce and do not send, is not.
const LEFTOVER_TIMEOUT: Duration = Duration::from_millis(50);

/// How often the connection is looked at for what of a body has arrived already.
const LOOKS: usize = 3;

/// The room for the bodies of a server's requests.
#[derive(Clone, Debug)]
pub struct BodyRoom(Arc<Semaphore>);

impl Default for BodyRoom {
    fn default() -> Self {
        Self::of(MAX_BUFFERED)
    }
}

impl BodyRoom {
    /// Room for so many bytes.
    pub fn of(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes)))
    }

    /// Room for some bytes more, beside that which is had.
    fn take(&self, bytes: usize, had: &mut Option<OwnedSemaphorePermit>) -> Result<(), Refusal> {
        let full = || Refusal::Unavailable("Too much is sent at once. Please try again later.".into());
        let wanted = u32::try_from(bytes).map_err(|_| full())?;
        let more = self.0.clone().try_acquire_many_owned(wanted).map_err(|_| full())?;
        match had {
            Some(had) => had.merge(more),
            None => *had = Some(more),
        }
        Ok(())
    }
}

/// A request's body. What a face leaves unread goes back to the front, which sees to the connection.
#[derive(Debug, Default)]
pub struct RequestBody(Option<Box<Unread>>);

#[derive(Debug)]
struct Unread {
    body: Body,
    room: BodyRoom,
    ended: bool,
    back: Arc<Mutex<Option<Body>>>,
}

impl Drop for Unread {
    fn drop(&mut self) {
        if !self.ended && !self.body.is_end_stream() {
            let body = std::mem::take(&mut self.body);
            *self.back.lock().unwrap_or_else(PoisonError::into_inner) = Some(body);
        }
    }
}

/// A body in memory, and its room.
struct Held {
    bytes: Vec<u8>,
    _room: Option<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl RequestBody {
    /// The whole body, which may have so many bytes and take so long to arrive.
    ///
    /// # Errors
    ///
    /// [`Refusal::TooLarge`], [`Refusal::TooSlow`], [`Refusal::BrokenOff`], and [`Refusal::Unavailable`] where no room is left for it.
    pub async fn read(self, limit: usize, within: Duration) -> Result<Bytes, Refusal> {
        let Some(unread) = self.0 else { return Ok(Bytes::new()) };
        if unread.body.size_hint().lower() > limit as u64 {
            return Err(Refusal::TooLarge { limit });
        }
        tokio::time::timeout(within, gather(unread, limit)).await.unwrap_or(Err(Refusal::TooSlow { within }))
    }

    /// The body of a login, whose credentials stand in it.
    ///
    /// # Errors
    ///
    /// Those of [`Self::read`].
    pub async fn read_login(self) -> Result<Bytes, Refusal> {
        self.read(MAX_LOGIN_BODY, LOGIN_BODY_TIMEOUT).await
    }
}

async fn gather(unread: Box<Unread>, limit: usize) -> Result<Bytes, Refusal> {
    let (mut bytes, mut had, room) = (Vec::new(), None, unread.room.clone());
    let mut body = Limited::new(RequestBody(Some(unread)), limit);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| match error.is::<LengthLimitError>() {
            true => Refusal::TooLarge { limit },
            false => Refusal::BrokenOff(error.to_string()),
        })?;
        if let Ok(data) = frame.into_data() {
            room.take(data.len(), &mut had)?;
            bytes.extend_from_slice(&data);
        }
    }
    Ok(Bytes::from_owner(Held { bytes, _room: had }))
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Some(unread) = &mut self.get_mut().0 else { return Poll::Ready(None) };
        let frame = Pin::new(&mut unread.body).poll_frame(cx);
        unread.ended |= matches!(frame, Poll::Ready(None | Some(Err(_))));
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|unread| unread.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or(SizeHint::with_exact(0), |unread| unread.body.size_hint())
    }
}

/// What becomes of the part of a body that nobody has read.
#[derive(Debug)]
pub(super) struct Leftover {
    body: Arc<Mutex<Option<Body>>>,
    /// Whether the client may have announced a body that it does not send.
    doubtful: bool,
    /// Whether the client sends its body only when it is asked to.
    asked_for: bool,
}

/// A request as a face gets it, and what is left of its body after that.
pub(super) fn handed_over<B>(request: Request<B>, room: &BodyRoom) -> (Request<RequestBody>, Option<Leftover>)
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    let (head, body) = request.into_parts();
    if body.is_end_stream() {
        return (Request::from_parts(head, RequestBody::default()), None);
    }
    let back = Arc::new(Mutex::new(None));
    let leftover = Leftover {
        body: back.clone(),
        doubtful: matches!(head.method, Method::GET | Method::HEAD),
        asked_for: expects_to_be_asked(&head.headers),
    };
    let unread = Unread { body: Body::new(body), room: room.clone(), ended: false, back };
    (Request::from_parts(head, RequestBody(Some(Box::new(unread)))), Some(leftover))
}

fn expects_to_be_asked(headers: &HeaderMap) -> bool {
    headers.get(header::EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

impl Leftover {
    /// Takes in what no face has read of a body, where it is there or soon is; else the answer says that the connection ends.
    pub(super) async fn settle(self, response: &mut Response<Body>) {
        let left = self.body.lock().unwrap_or_else(PoisonError::into_inner).take();
        // None: it was read to its end, or the face goes on reading it while it answers.
        let Some(body) = left else { return };
        let drained = !self.asked_for && body.size_hint().lower() <= MAX_LEFTOVER && {
            tokio::select! {
                biased;
                drained = drained(body) => drained,
                () = self.patience() => false,
            }
        };
        if !drained {
            response.headers_mut().typed_insert(Connection::close());
        }
    }

    /// How long the rest of the body is waited for. The connection is read by the task that this runs in: it has to be let do so.
    async fn patience(&self) {
        for _ in 0..LOOKS {
            tokio::task::yield_now().await;
        }
        if !self.doubtful {
            tokio::time::sleep(LEFTOVER_TIMEOUT).await;
        }
    }
}

/// Reads a body to its end; whether it has one that is near.
async fn drained(mut body: Body) -> bool {
    let mut left = MAX_LEFTOVER;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return false };
        let length = frame.data_ref().map_or(0, Bytes::len) as u64;
        let Some(rest) = left.checked_sub(length) else { return false };
        left = rest;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn posted(body: Body, room: &BodyRoom) -> (RequestBody, Option<Leftover>) {
        let (request, leftover) = handed_over(Request::post("/").body(body).unwrap(), room);
        (request.into_body(), leftover)
    }

    async fn read(body: Body, room: &BodyRoom) -> Result<Bytes, Refusal> {
        posted(body, room).0.read(1_000, SECOND).await
    }

    fn unannounced(length: usize) -> Body {
        let body = Body::new(Body::from(vec![b'a'; length]).map_frame(|frame| frame));
        assert_eq!(HttpBody::size_hint(&body).lower(), 0);
        body
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_the_limit_whether_its_length_is_known_or_not() {
        let room = BodyRoom::default();
        for body in [|length| Body::from(vec![b'a'; length]), unannounced] {
            assert_eq!(read(body(1_000), &room).await.unwrap().len(), 1_000);
            assert_eq!(read(body(1_001), &room).await, Err(Refusal::TooLarge { limit: 1_000 }));
            let login = posted(body(MAX_LOGIN_BODY + 1), &room).0.read_login().await;
            assert_eq!(login, Err(Refusal::TooLarge { limit: MAX_LOGIN_BODY }));
        }
        assert_eq!(read(Body::empty(), &room).await, Ok(Bytes::new()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_is_waited_for_no_longer_than_it_may_take() {
        let never = Body::from_stream(futures_util::stream::pending::<Result<Bytes, axum::Error>>());
        let (body, leftover) = posted(never, &BodyRoom::default());
        assert_eq!(body.read(1_000, SECOND).await, Err(Refusal::TooSlow { within: SECOND }));
        let mut response = Response::new(Body::empty());
        leftover.unwrap().settle(&mut response).await;
        assert_eq!(response.headers()[header::CONNECTION], "close");
    }

    #[tokio::test]
    async fn bodies_take_room_for_as_long_as_they_are_held() {
        let room = BodyRoom::of(1_500);
        let first = read(unannounced(1_000), &room).await.unwrap();
        assert!(matches!(read(unannounced(600), &room).await, Err(Refusal::Unavailable(_))));
        let second = read(unannounced(500), &room).await.unwrap();
        drop(first);
        assert!(read(unannounced(1_000), &room).await.is_ok());
        drop(second);
        assert_eq!(room.0.available_permits(), 1_500);
    }

    #[tokio::test]
    async fn what_is_left_unread_is_taken_in_where_it_is_not_much() {
        let room = BodyRoom::default();
        for (length, kept) in [(1, true), (MAX_LEFTOVER as usize, true), (MAX_LEFTOVER as usize + 1, false)] {
            for body in [Body::from(vec![b'a'; length]), unannounced(length)] {
                let (body, leftover) = posted(body, &room);
                drop(body);
                let mut response = Response::new(Body::empty());
                leftover.unwrap().settle(&mut response).await;
                assert_eq!(response.headers().is_empty(), kept, "{length}");
            }
        }
    }
}
