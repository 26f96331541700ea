//! One kept-alive HTTP/1.1 connection, for requests and answers as small as this API's.
//!
//! Not a general client: no TLS, no redirects, no chunked bodies, one request at a time.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A server that needs longer than this has not answered.
const TIMEOUT: Duration = Duration::from_secs(30);
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;
const MAX_HEADERS: usize = 48;

pub(super) struct Request<'a> {
    pub method: &'static str,
    pub path: &'a str,
    pub token: Option<&'a str>,
    /// Sent as `Idempotency-Key`.
    pub key: Option<(u64, usize, u64)>,
    pub body: &'a str,
}

pub(super) struct Answer<'a> {
    pub status: u16,
    pub body: &'a [u8],
}

impl Answer<'_> {
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// For a message: the status and the beginning of the body.
    pub fn summary(&self) -> String {
        let body = String::from_utf8_lossy(self.body);
        format!("{} {}", self.status, body.chars().take(600).collect::<String>())
    }
}

pub(super) struct Connection {
    target: SocketAddr,
    stream: Option<TcpStream>,
    request: Vec<u8>,
    answer: Vec<u8>,
}

/// Where an answer ends, once its head is complete.
struct Head {
    status: u16,
    body_at: usize,
    body_len: usize,
    closes: bool,
}

impl Connection {
    pub fn new(target: SocketAddr) -> Self {
        Self {
            target,
            stream: None,
            request: Vec::with_capacity(2048),
            answer: Vec::with_capacity(8192),
        }
    }

    pub async fn call(&mut self, request: &Request<'_>) -> io::Result<Answer<'_>> {
        self.write_request(request);
        let reused = self.stream.is_some();
        let mut outcome = self.exchange().await;
        // A server may close an idle connection just as we use it. Nothing was answered, and the idempotency key
        // makes asking again safe.
        if reused && self.answer.is_empty() && outcome.as_ref().is_err_and(|e| e.kind() != io::ErrorKind::TimedOut) {
            outcome = self.exchange().await;
        }
        let head = outcome?;
        Ok(Answer {
            status: head.status,
            body: &self.answer[head.body_at..head.body_at + head.body_len],
        })
    }

    fn write_request(&mut self, request: &Request<'_>) {
        let Request {
            method,
            path,
            token,
            key,
            body,
        } = request;
        let out = &mut self.request;
        out.clear();
        let mut put = |part: std::fmt::Arguments<'_>| out.write_fmt(part).expect("a Vec takes every write");
        put(format_args!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.target));
        if let Some(token) = token {
            put(format_args!("Authorization: Bearer {token}\r\n"));
        }
        if let Some((run, client, number)) = key {
            put(format_args!("Idempotency-Key: bench-{run:016x}-{client}-{number}\r\n"));
        }
        if !body.is_empty() {
            put(format_args!(
                "Content-Type: application/json\r\nContent-Length: {}\r\n",
                body.len()
            ));
        }
        put(format_args!("\r\n{body}"));
    }

    /// One attempt. After a failure the connection is gone and the next call makes a new one.
    async fn exchange(&mut self) -> io::Result<Head> {
        self.answer.clear();
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(self.target).await?;
                stream.set_nodelay(true)?;
                stream
            }
        };
        let exchange = async {
            stream.write_all(&self.request).await?;
            read_answer(&mut stream, &mut self.answer).await
        };
        let head = tokio::time::timeout(TIMEOUT, exchange)
            .await
            .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "no answer within 30 s"))??;
        if !head.closes {
            self.stream = Some(stream);
        }
        Ok(head)
    }
}

async fn read_answer(stream: &mut TcpStream, answer: &mut Vec<u8>) -> io::Result<Head> {
    loop {
        if stream.read_buf(answer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Some(head) = parse_head(answer)? else { continue };
        let end = head.body_at + head.body_len;
        while answer.len() < end {
            if stream.read_buf(answer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        return Ok(head);
    }
}

fn parse_head(bytes: &[u8]) -> io::Result<Option<Head>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(body_at) = response.parse(bytes).map_err(io::Error::other)? else {
        return if bytes.len() > MAX_ANSWER_BYTES {
            Err(unusable("a head without end"))
        } else {
            Ok(None)
        };
    };
    let status = response.code.ok_or_else(|| unusable("an answer without a status"))?;
    let header = |name: &str| {
        response
            .headers
            .iter()
            .find(|h| h.name.eq_ignore_ascii_case(name))
            .map(|h| h.value)
    };
    let body_len = match header("content-length") {
        Some(text) => std::str::from_utf8(text).ok().and_then(|text| text.trim().parse().ok()),
        None if status == 204 || status == 304 => Some(0),
        None => None,
    };
    let body_len = body_len
        .filter(|len| *len <= MAX_ANSWER_BYTES)
        .ok_or_else(|| unusable("an answer without a usable Content-Length"))?;
    let closes = header("connection").is_some_and(|value| value.eq_ignore_ascii_case(b"close"));
    Ok(Some(Head {
        status,
        body_at,
        body_len,
        closes,
    }))
}

fn unusable(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[test]
    fn heads_are_read_as_they_arrive() {
        let whole = b"HTTP/1.1 201 Created\r\ncontent-length: 2\r\nConnection: Close\r\n\r\n{}";
        for cut in 0..whole.len() - 2 {
            assert!(parse_head(&whole[..cut]).expect("a beginning").is_none(), "{cut}");
        }
        let head = parse_head(whole).expect("whole").expect("complete");
        assert_eq!((head.status, head.body_len, head.closes), (201, 2, true));
        assert_eq!(&whole[head.body_at..], b"{}");
        assert!(parse_head(b"HTTP/1.1 204 No Content\r\n\r\n").expect("whole").is_some());
        for bad in [
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
            "SMTP\r\n\r\n",
        ] {
            assert!(parse_head(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_connection_closed_while_idle_is_opened_again() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let target = listener.local_addr().expect("bound");
        let server = tokio::spawn(async move {
            let mut requests = Vec::new();
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().await.expect("accepted");
                let mut request = vec![0; 1024];
                let length = stream.read(&mut request).await.expect("read");
                requests.push(String::from_utf8_lossy(&request[..length]).into_owned());
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
                    .await
                    .expect("written");
            }
            requests
        });
        let mut connection = Connection::new(target);
        let request = Request {
            method: "POST",
            path: "/p",
            token: Some("t"),
            key: Some((1, 2, 3)),
            body: "{}",
        };
        for _ in 0..2 {
            let answer = connection.call(&request).await.expect("answered");
            assert!(answer.is_success());
            assert_eq!(answer.body, b"ok");
        }
        let expected = format!(
            "POST /p HTTP/1.1\r\nHost: {target}\r\nAuthorization: Bearer t\r\n\
             Idempotency-Key: bench-0000000000000001-2-3\r\n\
             Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}"
        );
        assert_eq!(server.await.expect("served"), [expected.clone(), expected]);
    }
}
