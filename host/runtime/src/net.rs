//! Bare TCP connections from the host itself.

use std::io::ErrorKind;
use std::time::Duration;

use launchway_model::{Failure, Fault};
use tokio::net::TcpStream;

/// Opens a TCP connection and closes it.
pub(crate) async fn connect(address: &str, port: u16, timeout: Duration) -> Result<(), Failure> {
    let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
    match tokio::time::timeout(timeout, TcpStream::connect((bare, port))).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(refused(&place(address, port), &error)),
        Err(_) => Err(timed_out(&place(address, port), timeout)),
    }
}

/// Writes an address and a port as one word.
pub(crate) fn place(address: &str, port: u16) -> String {
    if address.contains(':') && !address.starts_with('[') {
        format!("[{address}]:{port}")
    } else {
        format!("{address}:{port}")
    }
}

pub(crate) fn timed_out(place: &str, timeout: Duration) -> Failure {
    Failure {
        fault: Fault::Network,
        message: format!("no answer from {place} within {timeout:?}"),
        detail: None,
        hint: None,
        retryable: true,
    }
}

/// Says why a connection could not be made.
pub(crate) fn refused(place: &str, error: &std::io::Error) -> Failure {
    let why = match error.kind() {
        ErrorKind::ConnectionRefused => format!("{place} refuses connections"),
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => format!("there is no route to {place}"),
        ErrorKind::TimedOut => format!("no answer from {place}"),
        _ => format!("can't connect to {place}: {error}"),
    };
    Failure { fault: Fault::Network, message: why, detail: None, hint: None, retryable: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn tells_open_from_closed() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        connect("127.0.0.1", port, Duration::from_secs(5)).await.unwrap();
        drop(listener);
        let failure = connect("127.0.0.1", port, Duration::from_secs(5)).await.unwrap_err();
        assert_eq!(failure.message, format!("127.0.0.1:{port} refuses connections"));
        assert!(failure.retryable);
    }
}
