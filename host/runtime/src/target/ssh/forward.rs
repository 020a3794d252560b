//! Connections that come out at the target's side.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use openssh::{ForwardType, Socket};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, Interest};
use tokio::net::UnixStream;

use super::master::Master;
use crate::target::cleanup::Cleanup;
use crate::target::transport::Forward;

/// Opens a local socket whose connections go on from the target.
pub(super) async fn open(
    master: &Arc<Master>,
    socket: &Path,
    address: &str,
    port: u16,
    cleanup: &Cleanup,
) -> Result<Forward, openssh::Error> {
    let open = Open {
        master: master.clone(),
        socket: socket.to_owned(),
        address: address.to_owned(),
        port,
        cleanup: cleanup.clone(),
    };
    let (listen, connect) = open.ends();
    master.session.request_port_forward(ForwardType::Local, listen, connect).await?;
    Ok(Forward { socket: socket.to_owned(), _open: Box::new(open) })
}

/// An open forwarding; closed when dropped.
struct Open {
    master: Arc<Master>,
    socket: PathBuf,
    address: String,
    port: u16,
    cleanup: Cleanup,
}

impl Open {
    fn ends(&self) -> (Socket<'static>, Socket<'static>) {
        let listen = Socket::UnixSocket { path: self.socket.clone().into() };
        let connect = Socket::TcpSocket { host: self.address.clone().into(), port: self.port };
        (listen, connect)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let (listen, connect) = self.ends();
        let (master, socket) = (self.master.clone(), self.socket.clone());
        self.cleanup.spawn(async move {
            if !master.has_ended() {
                // It ends with the connection at the latest.
                let _ = master.session.close_port_forward(ForwardType::Local, listen, connect).await;
            }
            let _ = std::fs::remove_file(socket);
        });
    }
}

/// Asks the client for a connection from the target to an address, and closes it at once. Returns whether it could be
/// made, which a forwarded socket would not tell.
///
/// This is the request behind `ssh -W` of the client's control protocol (`PROTOCOL.mux`), which `openssh` does not offer.
pub(super) async fn connect(control: &Path, address: &str, port: u16) -> io::Result<bool> {
    const HELLO: u32 = 1;
    const VERSION: u32 = 4;
    const NEW_STDIO_FORWARD: u32 = 0x1000_0008;
    const SESSION_OPENED: u32 = 0x8000_0006;
    const REQUEST: u32 = 1;

    let mut stream = UnixStream::connect(control).await?;
    stream
        .write_all(&packet(|body| {
            put_u32(body, HELLO);
            put_u32(body, VERSION);
        }))
        .await?;
    if answer(&mut stream).await? != HELLO {
        return Err(io::Error::other("the SSH client's control socket speaks another protocol"));
    }
    stream
        .write_all(&packet(|body| {
            put_u32(body, NEW_STDIO_FORWARD);
            put_u32(body, REQUEST);
            put_text(body, "");
            put_text(body, address);
            put_u32(body, port.into());
        }))
        .await?;
    let null = std::fs::File::options().read(true).write(true).open("/dev/null")?;
    for _ in ["input", "output"] {
        send_descriptor(&stream, null.as_fd()).await?;
    }
    Ok(answer(&mut stream).await? == SESSION_OPENED)
}

/// Reads a packet and returns its kind.
async fn answer(stream: &mut UnixStream) -> io::Result<u32> {
    const LIMIT: u32 = 64 * 1024;
    let length = stream.read_u32().await?;
    if !(4..=LIMIT).contains(&length) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let kind = stream.read_u32().await?;
    let mut rest = vec![0; length as usize - 4];
    stream.read_exact(&mut rest).await?;
    Ok(kind)
}

fn packet(fill: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = vec![0; 4];
    fill(&mut bytes);
    let length = (bytes.len() - 4) as u32;
    bytes[..4].copy_from_slice(&length.to_be_bytes());
    bytes
}

fn put_u32(body: &mut Vec<u8>, number: u32) {
    body.extend_from_slice(&number.to_be_bytes());
}

fn put_text(body: &mut Vec<u8>, text: &str) {
    put_u32(body, text.len() as u32);
    body.extend_from_slice(text.as_bytes());
}

async fn send_descriptor(stream: &UnixStream, descriptor: BorrowedFd<'_>) -> io::Result<()> {
    let descriptors = [descriptor];
    stream
        .async_io(Interest::WRITABLE, || {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            control.push(SendAncillaryMessage::ScmRights(&descriptors));
            sendmsg(stream, &[IoSlice::new(&[0])], &mut control, SendFlags::empty())?;
            Ok(())
        })
        .await
}
