//! HTTP and TCP, from this machine and by way of a target.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener as StdListener;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use launchway_model::{Digest, Fault};
use launchway_runtime::{BODY_LIMIT, Blobs as _, HttpRequest, Part, Vantage};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::support::{SECRET_VALUE, World, on_both, secret};

/// Answers by path; remembers what it was asked.
struct Server {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Starts a server; `other` is where its redirects elsewhere go.
    async fn start(other: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let kept = asked.clone();
        let task = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let kept = kept.clone();
                tokio::spawn(async move {
                    let mut request = Vec::new();
                    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                        if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
                            return;
                        }
                        // The beginning of a secure connection, which this is not.
                        if request[0] == 0x16 {
                            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
                            return;
                        }
                    }
                    let request = String::from_utf8_lossy(&request).into_owned();
                    let path = request.split(' ').nth(1).unwrap().to_owned();
                    kept.lock().unwrap().push(request);
                    let (head, body) = match path.as_str() {
                        "/large" => ("200 OK\r\nX-Kind: large".to_owned(), vec![b'x'; BODY_LIMIT + 10]),
                        "/echo" => ("200 OK".to_owned(), SECRET_VALUE.as_bytes().to_vec()),
                        "/loop" => ("302 Found\r\nLocation: /loop".to_owned(), vec![]),
                        "/see" => ("303 See Other\r\nLocation: hello?a=b".to_owned(), vec![]),
                        "/other" => {
                            (format!("307 Temporary Redirect\r\nLocation: http://127.0.0.1:{other}/hello"), vec![])
                        }
                        "/error" => ("503 Service Unavailable".to_owned(), b"come back later".to_vec()),
                        "/hang" => return std::future::pending().await,
                        "/broken" => {
                            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf").await;
                            return;
                        }
                        _ => ("200 OK".to_owned(), b"hello".to_vec()),
                    };
                    let head =
                        format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
                    let _ = stream.write_all(head.as_bytes()).await;
                    let _ = stream.write_all(&body).await;
                });
            }
        });
        Self { port, asked, task }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn get(port: u16, path: &str, from: Vantage) -> HttpRequest {
    HttpRequest {
        method: "GET".into(),
        url: format!("http://127.0.0.1:{port}{path}"),
        headers: vec![],
        body: None,
        timeout: Some(Duration::from_secs(20)),
        redirects: 0,
        authorities: None,
        insecure: false,
        from,
    }
}

fn closed_port() -> u16 {
    StdListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

on_both! {
    async fn answers_come_from_both_sides(world: World) {
        let other = Server::start(0).await;
        let server = Server::start(other.port).await;
        for from in [Vantage::Host, Vantage::Target] {
            let effects = world.effects();
            let answer = effects.send(get(server.port, "/hello", from)).await.unwrap();
            assert_eq!((answer.status, answer.body.as_slice(), answer.truncated), (200, b"hello".as_slice(), false));
            let answer = effects.send(get(server.port, "/large", from)).await.unwrap();
            assert_eq!((answer.body.len(), answer.truncated), (BODY_LIMIT, true));
            assert!(answer.headers.contains(&("x-kind".into(), "large".into())));
            assert_eq!(effects.send(get(server.port, "/error", from)).await.unwrap().status, 503);

            assert_eq!(effects.send(get(server.port, "/other", from)).await.unwrap().status, 307);
            let headers = vec![("X-Token".into(), vec![Part::Text("t ".into()), secret()]), ("X-Plain".into(), vec![Part::Text("p".into())])];
            let follow = HttpRequest { redirects: 3, headers, ..get(server.port, "/other", from) };
            assert_eq!(effects.send(follow).await.unwrap().body, b"hello");
            let first = server.asked().pop().unwrap().to_lowercase();
            assert!(first.contains(&format!("x-token: t {}", SECRET_VALUE.to_lowercase())) && first.contains("x-plain: p"), "{first}");
            let second = other.asked().pop().unwrap().to_lowercase();
            assert!(!second.contains("x-token") && second.contains("x-plain: p"), "{second}");

            let post = HttpRequest { method: "POST".into(), body: Some(b"data".to_vec()), redirects: 1, ..get(server.port, "/see", from) };
            assert_eq!(effects.send(post).await.unwrap().body, b"hello");
            assert!(server.asked().pop().unwrap().starts_with("GET /hello?a=b "));
            let failure = effects.send(HttpRequest { redirects: 3, ..get(server.port, "/loop", from) }).await.unwrap_err();
            assert!(failure.message.contains("redirects too often"), "{failure:?}");
            effects.check_secret(&launchway_model::SecretName::new(crate::support::SECRET).unwrap()).await.unwrap();
            assert_eq!(effects.send(get(server.port, "/echo", from)).await.unwrap().body, b"***");
        }
        world.close().await;
    }

    async fn what_goes_wrong_is_told(world: World) {
        let server = Server::start(0).await;
        let closed = closed_port();
        for from in [Vantage::Host, Vantage::Target] {
            let refusal = async |request: HttpRequest| world.effects().send(request).await.unwrap_err();
            let failure = refusal(get(closed, "/", from)).await;
            assert!(failure.message.contains("refuses connections") && failure.retryable, "{failure:?}");
            assert!(!format!("{failure:?}").contains("client error"), "{failure:?}");
            let failure = refusal(HttpRequest { timeout: Some(Duration::from_millis(300)), ..get(server.port, "/hang", from) }).await;
            assert!(failure.message.contains("no answer") && failure.retryable, "{failure:?}");
            let failure = refusal(get(server.port, "/broken", from)).await;
            assert!(failure.message.contains("broke before the answer was complete"), "{failure:?}");
            let failure = refusal(HttpRequest { url: format!("https://127.0.0.1:{}/", server.port), ..get(0, "/", from) }).await;
            assert!(failure.message.contains("no secure connection"), "{failure:?}");
            for (url, method) in [("file:///etc/passwd", "GET"), ("nonsense", "GET"), ("http://127.0.0.1/", "G T")] {
                let request = HttpRequest { url: url.into(), method: method.into(), ..get(0, "/", from) };
                assert_eq!(refusal(request).await.fault, Fault::Configuration);
            }
            let split = HttpRequest { headers: vec![("X-A".into(), vec![Part::Text("a\r\nX-B: b".into())])], ..get(server.port, "/", from) };
            assert!(refusal(split).await.message.contains("line ends"));
            let authorities = HttpRequest { authorities: Some("nonsense".into()), ..get(server.port, "/", from) };
            assert!(refusal(authorities).await.message.contains("certificate authorities"));
        }
        let failure = world.effects().send(HttpRequest { url: "http://no-such-host.invalid/".into(), ..get(0, "/", Vantage::Host) }).await.unwrap_err();
        assert!(failure.message.contains("no host named `no-such-host.invalid`"), "{failure:?}");
        world.close().await;
    }

    async fn bodies_are_downloaded_into_the_store(world: World) {
        let server = Server::start(0).await;
        for from in [Vantage::Host, Vantage::Target] {
            let artifact = world.effects().download(get(server.port, "/large", from), "x.bin").await.unwrap();
            assert_eq!((artifact.size, artifact.digest), (BODY_LIMIT as u64 + 10, Digest::of(&vec![b'x'; BODY_LIMIT + 10])));
            assert!(world.blobs.open(&artifact.digest).is_ok());
            let failure = world.effects().download(get(server.port, "/error", from), "x").await.unwrap_err();
            assert!(failure.message.contains("answers 503") && failure.retryable, "{failure:?}");
            assert_eq!(failure.detail.as_deref(), Some("come back later"));
            assert!(world.effects().download(get(server.port, "/broken", from), "x").await.is_err());
        }
        world.close().await;
    }

    async fn certificates_are_checked(world: World) {
        if let Some(server) = TlsServer::start(&world) {
            for from in [Vantage::Host, Vantage::Target] {
                let url = format!("https://127.0.0.1:{}/", server.port);
                let request = HttpRequest { url, ..get(0, "/", from) };
                let failure = world.effects().send(request.clone()).await.unwrap_err();
                assert!(failure.message.contains("no secure connection") && failure.hint.is_some(), "{failure:?}");
                let trusting = HttpRequest { authorities: Some(server.certificate.clone()), ..request.clone() };
                assert_eq!(world.effects().send(trusting).await.unwrap().status, 200);
                let careless = HttpRequest { insecure: true, ..request };
                assert_eq!(world.effects().send(careless).await.unwrap().status, 200);
            }
        }
        world.close().await;
    }

    async fn ports_are_open_or_closed(world: World) {
        let open = StdListener::bind("127.0.0.1:0").unwrap();
        let (port, closed) = (open.local_addr().unwrap().port(), closed_port());
        for from in [Vantage::Host, Vantage::Target] {
            let effects = world.effects();
            effects.connect("127.0.0.1", port, Duration::from_secs(20), from).await.unwrap();
            let failure = effects.connect("127.0.0.1", closed, Duration::from_secs(20), from).await.unwrap_err();
            assert!(failure.message.contains("refuses connections") && failure.retryable, "{failure:?}");
            assert_eq!(failure.fault, Fault::Network);
        }
        world.close().await;
    }
}

/// A server that speaks TLS with a certificate which nobody knows.
struct TlsServer {
    process: std::process::Child,
    port: u16,
    certificate: String,
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl TlsServer {
    fn start(world: &World) -> Option<Self> {
        let (key, certificate) = (world.path("tls.key"), world.path("tls.pem"));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
            .args([
                "-subj",
                "/CN=shop",
                "-addext",
                "subjectAltName=IP:127.0.0.1",
                "-addext",
                "basicConstraints=critical,CA:FALSE",
                "-keyout",
                &key,
                "-out",
                &certificate,
            ])
            .output();
        if made.is_err() {
            eprintln!("skipped: openssl is not installed");
            return None;
        }
        let mut process = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-www", "-cert", &certificate, "-key", &key])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let said = lines.map(Result::unwrap).find_map(|line| Some(line.strip_prefix("ACCEPT ")?.to_owned())).unwrap();
        let port = said.rsplit(':').next().unwrap().trim().parse().unwrap();
        Some(Self { process, port, certificate: std::fs::read_to_string(certificate).unwrap() })
    }
}
