//! A message to a collector: one `POST` on a connection of its own, in bounded time. Only for the thread that sends traces: it blocks.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use crate::config::Collector;

/// For the whole of it, the look-up of the name left out.
const PATIENCE: Duration = Duration::from_secs(3);
/// A head of an answer that is longer is none.
const HEAD_BYTES: usize = 16 * 1024;
const HEADERS: usize = 64;

/// Sends a message; whoever answers 2xx has taken it.
pub(super) fn post(collector: &Collector, message: &[u8]) -> io::Result<()> {
    let end = Instant::now() + PATIENCE;
    let mut stream = connect(&collector.authority, end)?;
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/x-protobuf\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        collector.path,
        collector.authority,
        message.len()
    );
    stream.set_write_timeout(Some(left(end)?))?;
    stream.write_all(head.as_bytes())?;
    stream.set_write_timeout(Some(left(end)?))?;
    stream.write_all(message).map_err(in_words)?;
    match status(&mut stream, end)? {
        200..=299 => Ok(()),
        status => Err(io::Error::other(format!("it answered {status}"))),
    }
}

fn connect(authority: &str, end: Instant) -> io::Result<TcpStream> {
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "its name has no address");
    for address in authority.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, left(end)?) {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// The status of the answer. What follows the head is of no interest here.
fn status(stream: &mut TcpStream, end: Instant) -> io::Result<u16> {
    let mut head = Vec::new();
    let mut some = [0; 1024];
    while head.len() < HEAD_BYTES {
        stream.set_read_timeout(Some(left(end)?))?;
        let read = stream.read(&mut some).map_err(in_words)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        head.extend_from_slice(&some[..read]);
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let parsed = response.parse(&head).map_err(io::Error::other)?;
        if let (true, Some(code)) = (parsed.is_complete(), response.code) {
            return Ok(code);
        }
    }
    Err(io::Error::other("its answer is too long"))
}

/// The system calls a time limit of a socket "temporarily unavailable".
fn in_words(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
        _ => error,
    }
}

fn left(end: Instant) -> io::Result<Duration> {
    let left = end.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    Ok(left)
}
