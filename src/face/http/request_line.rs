//! Finds the request lines among what a client sends, and percent-encodes the bytes in them that no URI may hold and clients send all the
//! same: `<`, `>` and `"` in a search, say. The parser behind it refuses those with an empty answer and a closed connection.
//!
//! What lies between two request lines is followed by the rules of HTTP/1.1, as the parser behind it does. Where these rules leave a doubt,
//! or what follows is no HTTP, everything from there on is left as it came: what is no request line is never changed.

/// How much of a line is looked at. The fields that tell how long a body is are shorter.
const MAX_LOOKED_AT: usize = 256;

/// Whether a byte of a request's target has to be encoded: the parser takes every other one that clients send.
const ENCODED: [bool; 256] = {
    let mut table = [false; 256];
    let bytes = b"\"<>\\^`{|}";
    let mut at = 0;
    while at < bytes.len() {
        table[bytes[at] as usize] = true;
        at += 1;
    }
    table
};

/// Where in the stream of requests a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// At the line that begins a request, or at empty lines before it.
    RequestLine,
    /// Among the fields of its head.
    Fields,
    /// In a body, of which so many bytes are to come.
    Body(u64),
    /// At the line that tells a chunk's size.
    ChunkSize,
    /// In a chunk, of which so many bytes are to come, its line end included.
    Chunk(u64),
    /// Among the fields behind the last chunk.
    Trailers,
    /// Where nothing is known of what follows.
    Unknown,
}

/// What a head says of the body behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Framing {
    length: Option<u64>,
    chunked: bool,
    /// It is not certain where the request ends, or what comes then is no HTTP.
    unclear: bool,
}

/// Follows what one client sends.
#[derive(Debug)]
pub struct RequestLines {
    at: At,
    framing: Framing,
    /// The beginning of the line that has come in part.
    line: Vec<u8>,
    /// How many bytes of the present line have come.
    length: usize,
    /// Whether the method of the request line lies behind.
    in_target: bool,
}

impl Default for RequestLines {
    fn default() -> Self {
        Self { at: At::RequestLine, framing: Framing::default(), line: Vec::new(), length: 0, in_target: false }
    }
}

impl RequestLines {
    /// Whether the client is between two requests: all that it has sent belongs to requests that are complete.
    pub fn is_between_requests(&self) -> bool {
        self.at == At::RequestLine && self.length == 0
    }

    /// Takes note of what came next. Gives it as it has to be where something had to be encoded.
    pub fn follow(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut changed: Option<Vec<u8>> = None;
        let mut rest = bytes;
        while !rest.is_empty() {
            let piece = match self.at {
                At::Unknown => rest,
                At::Body(left) | At::Chunk(left) => &rest[..usize::try_from(left).unwrap_or(usize::MAX).min(rest.len())],
                _ => &rest[..memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1)],
            };
            let encoded = if self.at == At::RequestLine { self.encode(piece) } else { None };
            if let Some(encoded) = encoded {
                changed.get_or_insert_with(|| bytes[..bytes.len() - rest.len()].to_vec()).extend_from_slice(&encoded);
            } else if let Some(changed) = &mut changed {
                changed.extend_from_slice(piece);
            }
            self.pass(piece);
            rest = &rest[piece.len()..];
        }
        changed
    }

    /// A piece of a request line with what has to be encoded in its target, if anything has.
    fn encode(&mut self, piece: &[u8]) -> Option<Vec<u8>> {
        let target = match piece.iter().position(|byte| *byte == b' ') {
            _ if self.in_target => 0,
            Some(space) => space,
            None => return None,
        };
        self.in_target = true;
        if !piece[target..].iter().any(|byte| ENCODED[usize::from(*byte)]) {
            return None;
        }
        let mut encoded = piece[..target].to_vec();
        for byte in &piece[target..] {
            match ENCODED[usize::from(*byte)] {
                true => encoded.extend_from_slice(format!("%{byte:02X}").as_bytes()),
                false => encoded.push(*byte),
            }
        }
        Some(encoded)
    }

    /// Goes on behind a piece, which ends where its line or its body does, if not before.
    fn pass(&mut self, piece: &[u8]) {
        match &mut self.at {
            At::Unknown => {}
            At::Body(left) => {
                *left -= piece.len() as u64;
                if *left == 0 {
                    self.begin();
                }
            }
            At::Chunk(left) => {
                *left -= piece.len() as u64;
                if *left == 0 {
                    self.at = At::ChunkSize;
                }
            }
            _ => self.pass_line(piece),
        }
    }

    /// Goes on behind a piece of a line.
    fn pass_line(&mut self, piece: &[u8]) {
        self.length += piece.len();
        let ends = piece.last() == Some(&b'\n');
        if ends && self.length == piece.len() {
            self.end_line(piece);
            self.length = 0;
            return;
        }
        self.line.extend_from_slice(&piece[..piece.len().min(MAX_LOOKED_AT - self.line.len())]);
        if ends {
            let line = std::mem::take(&mut self.line);
            self.end_line(&line);
            self.length = 0;
        }
    }

    /// Goes on behind a line, of which at least the beginning is known.
    fn end_line(&mut self, line: &[u8]) {
        let line = line.trim_ascii_end();
        self.at = match self.at {
            At::RequestLine if line.is_empty() => At::RequestLine,
            At::RequestLine => At::Fields,
            At::Fields if line.is_empty() => match self.framing {
                Framing { unclear: true, .. } | Framing { chunked: true, length: Some(_), .. } => At::Unknown,
                Framing { chunked: true, .. } => At::ChunkSize,
                Framing { length: Some(length @ 1..), .. } => At::Body(length),
                _ => return self.begin(),
            },
            At::Fields => {
                self.framing.read(line);
                At::Fields
            }
            At::ChunkSize => match chunk_size(line) {
                Some(0) => At::Trailers,
                Some(size) => At::Chunk(size.saturating_add(2)),
                None => At::Unknown,
            },
            At::Trailers if line.is_empty() => return self.begin(),
            at => at,
        };
    }

    /// Begins with the next request.
    fn begin(&mut self) {
        *self = Self { line: std::mem::take(&mut self.line), ..Self::default() };
        self.line.clear();
    }
}

impl Framing {
    /// Takes note of a field.
    fn read(&mut self, line: &[u8]) {
        // Few fields begin like those that count.
        if !matches!(line.first(), Some(b'c' | b'C' | b't' | b'T' | b'u' | b'U' | b' ' | b'\t')) {
            return;
        }
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (name, value) = (&line[..colon], line.get(colon + 1..).unwrap_or_default().trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
            let length = std::str::from_utf8(value).ok().filter(|_| digits).and_then(|digits| digits.parse().ok());
            self.unclear |= self.length.is_some() || length.is_none();
            self.length = length;
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.unclear |= self.chunked || !value.eq_ignore_ascii_case(b"chunked");
            self.chunked = true;
        } else if name.eq_ignore_ascii_case(b"upgrade") || name.first().is_some_and(u8::is_ascii_whitespace) {
            // What follows an upgrade is no HTTP; a field that goes on in a second line is one that nobody sends.
            self.unclear = true;
        }
    }
}

/// The size that the line before a chunk tells.
fn chunk_size(line: &[u8]) -> Option<u64> {
    let digits = line.iter().position(|byte| !byte.is_ascii_hexdigit()).unwrap_or(line.len());
    u64::from_str_radix(std::str::from_utf8(&line[..digits]).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use axum::http::Uri;

    use super::*;

    /// What comes of a stream that arrives in pieces of a length.
    fn through(sent: &str, length: usize) -> (String, RequestLines) {
        let (mut lines, mut out) = (RequestLines::default(), Vec::new());
        for piece in sent.as_bytes().chunks(length) {
            match lines.follow(piece) {
                Some(changed) => out.extend_from_slice(&changed),
                None => out.extend_from_slice(piece),
            }
        }
        (String::from_utf8(out).unwrap(), lines)
    }

    #[test]
    fn every_visible_byte_of_a_target_makes_an_address() {
        for byte in (b'!'..=b'~').map(char::from) {
            for target in [format!("/api/vms;search=a{byte}b"), format!("/api/vms?search=a{byte}b")] {
                let (line, _) = through(&format!("GET {target} HTTP/1.1\r\n"), 7);
                let target = line.split(' ').nth(1).unwrap();
                assert!(target.parse::<Uri>().is_ok(), "{target}");
            }
        }
    }

    #[test]
    fn request_lines_are_encoded_and_nothing_else_is() {
        let body = "<vm><name>\"a\"</name></vm>\r\n\r\nGET /<not-a-request> HTTP/1.1\r\n";
        let sent = format!(
            "\r\nGET /api/vms?search=a<b\"c> HTTP/1.1\r\nHost: <h>\r\n\r\n\
             POST /api/vms?<> HTTP/1.1\r\nHost: h\r\ncontent-LENGTH: {}\r\n\r\n{body}\
             PUT /api/vms?<> HTTP/1.1\nTransfer-Encoding: Chunked\n\n{:x};x=<>\r\n{body}\r\n0\r\nTrailer: <>\r\n\r\n\
             GET /api;search=<> HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
            body.len(),
            body.len()
        );
        let wanted = sent
            .replace("a<b\"c>", "a%3Cb%22c%3E")
            .replace("/api/vms?<>", "/api/vms?%3C%3E")
            .replace("/api;search=<>", "/api;search=%3C%3E");
        for length in 1..sent.len() + 1 {
            let (seen, lines) = through(&sent, length);
            assert_eq!(seen, wanted, "in pieces of {length}");
            assert!(lines.is_between_requests());
        }
    }

    #[test]
    fn where_there_is_a_doubt_all_that_follows_is_left_as_it_is() {
        for fields in [
            "Content-Length: 3\r\nContent-Length: 3",
            "Content-Length: 3\r\nTransfer-Encoding: chunked",
            "Content-Length: +3",
            "Content-Length: 99999999999999999999",
            "Transfer-Encoding: gzip, chunked",
            "Connection: upgrade\r\nUpgrade: websocket",
            "X: a\r\n Content-Length: 3",
        ] {
            let sent = format!("GET /a HTTP/1.1\r\n{fields}\r\n\r\nGET /<> HTTP/1.1\r\n\r\n");
            for length in [1, 5, sent.len()] {
                let (seen, lines) = through(&sent, length);
                assert_eq!(seen, sent);
                assert!(!lines.is_between_requests());
            }
        }
        let sent = "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\nGET /<> HTTP/1.1\r\n\r\n";
        assert_eq!(through(sent, sent.len()).0, sent);
    }

    #[test]
    fn a_request_of_which_something_is_to_come_is_told() {
        for (sent, between) in [
            ("", true),
            ("GET", false),
            ("GET / HTTP/1.1\r\n\r\n", true),
            ("GET / HTTP/1.1\r\nContent-Length: 17\r\n\r\n", false),
            ("GET / HTTP/1.1\r\nContent-Length: 2\r\n\r\nab", true),
            ("PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", false),
        ] {
            assert_eq!(through(sent, 4).1.is_between_requests(), between, "{sent:?}");
        }
    }
}
