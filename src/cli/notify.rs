//! Tells systemd how far the service is (`sd_notify`): a datagram to the socket named by `NOTIFY_SOCKET`. Without the
//! variable nobody is told, and nothing is lost.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Requests are served.
pub(super) fn ready() {
    tell("READY=1");
}

/// No more requests are taken; what was accepted is finished.
pub(super) fn stopping() {
    tell("STOPPING=1");
}

fn tell(state: &str) {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET") else {
        return;
    };
    if let Err(error) = send(&socket, state) {
        tracing::warn!(%error, "systemd could not be told {state}");
    }
}

fn send(socket: &OsStr, state: &str) -> std::io::Result<()> {
    let address = match socket.as_bytes().strip_prefix(b"@") {
        #[cfg(target_os = "linux")]
        Some(name) => {
            use std::os::linux::net::SocketAddrExt;
            SocketAddr::from_abstract_name(name)?
        }
        _ => SocketAddr::from_pathname(socket)?,
    };
    UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_arrives_at_the_socket() {
        let path = std::env::temp_dir().join(format!("tongjie-notify-{}", std::process::id()));
        let socket = UnixDatagram::bind(&path).expect("bound");
        send(path.as_os_str(), "READY=1").expect("sent");
        let mut text = [0; 16];
        let length = socket.recv(&mut text).expect("received");
        std::fs::remove_file(&path).expect("removed");
        assert_eq!(&text[..length], b"READY=1");
    }
}
