//! HTTP requests of plugins, from the host itself or by way of a target.

use std::collections::HashMap;
use std::error::Error as _;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use launchway_model::{Artifact, Failure, Fault};
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Client, Method, Response, StatusCode, Url};
use tokio::io::AsyncWriteExt as _;
use tokio::time::Instant;

use crate::target::{FailureExt as _, Filler, Transport, failure};
use crate::{BODY_LIMIT, Blobs, HttpRequest, HttpResponse, Vantage};

/// How long a request may take that says nothing about it.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How long a download may take that says nothing about it.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// How much of a refusal's body is shown, in bytes.
const REFUSAL_LIMIT: usize = 2048;

/// The clients of a run, made when first needed.
#[derive(Debug, Default)]
pub(crate) struct Http {
    clients: Mutex<HashMap<Trust, Client>>,
}

/// Whom a client trusts.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Trust {
    authorities: Option<String>,
    insecure: bool,
}

/// One request on its way through redirects.
struct Exchange {
    method: Method,
    url: Url,
    headers: HeaderMap,
    /// Not for anybody but the origin they were meant for.
    private: Vec<HeaderName>,
    body: Option<Vec<u8>>,
    trust: Trust,
    from: Vantage,
    redirects_left: u32,
    deadline: Instant,
    timeout: Duration,
}

impl Http {
    /// Sends a request and returns the beginning of its answer, whatever its status.
    pub(crate) async fn send(
        &self,
        request: HttpRequest,
        transport: &dyn Transport,
        filler: &Filler,
    ) -> Result<HttpResponse, Failure> {
        let mut exchange = Exchange::new(request, TIMEOUT, filler).await?;
        let (deadline, timeout) = (exchange.deadline, exchange.timeout);
        let url = shown(&exchange.url);
        let all = async {
            let mut answer = self.answer(&mut exchange, transport).await?;
            let mut body = Vec::new();
            let truncated =
                read_body(&mut answer, &mut body, BODY_LIMIT).await.map_err(|error| explain(&error, &exchange.url))?;
            filler.learn_known();
            let headers = answer.headers().iter().map(|(name, value)| {
                (name.to_string(), filler.redactor.text(&String::from_utf8_lossy(value.as_bytes())))
            });
            Ok(HttpResponse {
                status: answer.status().as_u16(),
                headers: headers.collect(),
                body: filler.redactor.bytes(&body),
                truncated,
            })
        };
        tokio::time::timeout_at(deadline, all).await.unwrap_or_else(|_| Err(too_slow(&url, timeout)))
    }

    /// Streams an answer's body into the store.
    pub(crate) async fn download(
        &self,
        request: HttpRequest,
        file_name: &str,
        transport: &dyn Transport,
        filler: &Filler,
        blobs: &Arc<dyn Blobs>,
    ) -> Result<Artifact, Failure> {
        let mut exchange = Exchange::new(request, DOWNLOAD_TIMEOUT, filler).await?;
        let (deadline, timeout) = (exchange.deadline, exchange.timeout);
        let url = shown(&exchange.url);
        let all = async {
            let mut answer = self.answer(&mut exchange, transport).await?;
            if !answer.status().is_success() {
                return Err(no_success(&mut answer, &url).await);
            }
            let unwritable =
                |error: std::io::Error| failure(Fault::Configuration, format!("can't keep what {url} sends: {error}"));
            let file = tempfile::NamedTempFile::new().map_err(unwritable)?;
            let mut writer = tokio::fs::File::from_std(file.reopen().map_err(unwritable)?);
            while let Some(chunk) = answer.chunk().await.map_err(|error| explain(&error, &exchange.url))? {
                writer.write_all(&chunk).await.map_err(unwritable)?;
            }
            writer.flush().await.map_err(unwritable)?;
            let blobs = blobs.clone();
            let (digest, size) = tokio::task::spawn_blocking(move || blobs.insert(file.path()))
                .await
                .map_err(std::io::Error::other)
                .flatten()
                .map_err(unwritable)?;
            Ok(Artifact { name: file_name.into(), file_name: file_name.into(), digest, size, has_secrets: false })
        };
        tokio::time::timeout_at(deadline, all).await.unwrap_or_else(|_| Err(too_slow(&url, timeout)))
    }

    /// Sends the request, and follows redirects as far as it may.
    async fn answer(&self, exchange: &mut Exchange, transport: &dyn Transport) -> Result<Response, Failure> {
        let follows = exchange.redirects_left > 0;
        loop {
            let answer = self.once(exchange, transport).await?;
            let Some(next) = redirect(&answer, &exchange.url) else { return Ok(answer) };
            if !follows {
                return Ok(answer);
            }
            if exchange.redirects_left == 0 {
                let message = format!("{} redirects too often", shown(&exchange.url));
                return Err(failure(Fault::Target, message));
            }
            exchange.redirects_left -= 1;
            exchange.go_on_to(next?, answer.status());
        }
    }

    async fn once(&self, exchange: &Exchange, transport: &dyn Transport) -> Result<Response, Failure> {
        let url = &exchange.url;
        let (host, port) = place_of(url)?;
        let forward = match exchange.from {
            Vantage::Host => None,
            Vantage::Target => transport.forward(&host, port).await?,
        };
        let client = match &forward {
            None => self.client(&exchange.trust)?,
            Some(forward) => build(&exchange.trust, Some(forward.socket.clone()))?,
        };
        let mut request = client.request(exchange.method.clone(), url.clone()).headers(exchange.headers.clone());
        if let Some(body) = &exchange.body {
            request = request.body(body.clone());
        }
        match request.send().await {
            Ok(answer) => Ok(answer),
            // The socket of a forwarding always takes a connection: whether the other end can be reached is asked for.
            Err(error) if forward.is_some() => {
                transport.connect(&host, port, exchange.deadline.saturating_duration_since(Instant::now())).await?;
                Err(explain(&error, url))
            }
            Err(error) => Err(explain(&error, url)),
        }
    }

    fn client(&self, trust: &Trust) -> Result<Client, Failure> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(trust) {
            return Ok(client.clone());
        }
        let client = build(trust, None)?;
        clients.insert(trust.clone(), client.clone());
        Ok(client)
    }
}

fn build(trust: &Trust, socket: Option<PathBuf>) -> Result<Client, Failure> {
    // An error says that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder()
        .user_agent(concat!("launchway/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .tls_danger_accept_invalid_certs(trust.insecure);
    if let Some(authorities) = &trust.authorities {
        let bad = |why: &dyn std::fmt::Display| {
            failure(Fault::Configuration, format!("the given certificate authorities can't be read: {why}"))
                .hint("give them as PEM text")
        };
        let certificates = Certificate::from_pem_bundle(authorities.as_bytes()).map_err(|error| bad(&error))?;
        if certificates.is_empty() {
            return Err(bad(&"there is no certificate in the text"));
        }
        builder = builder.tls_certs_merge(certificates);
    }
    if let Some(socket) = socket {
        builder = builder.unix_socket(socket);
    }
    builder.build().map_err(|error| {
        failure(Fault::Configuration, "can't set up the HTTP client").detail(causes(&error).as_bytes())
    })
}

impl Exchange {
    async fn new(request: HttpRequest, default_timeout: Duration, filler: &Filler) -> Result<Self, Failure> {
        let wrong = |message: String| failure(Fault::Configuration, message);
        let url = Url::parse(&request.url).map_err(|error| wrong(format!("`{}` is no URL: {error}", request.url)))?;
        check_scheme(&url)?;
        let method = Method::from_bytes(request.method.as_bytes())
            .map_err(|_| wrong(format!("`{}` is no HTTP method", request.method.escape_default())))?;
        let (mut headers, mut private) = (HeaderMap::new(), vec![header::AUTHORIZATION, header::COOKIE]);
        for (name, parts) in &request.headers {
            let name = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| wrong(format!("`{}` is no name of an HTTP header", name.escape_default())))?;
            let filled = filler.fill(parts).await?;
            let mut value = HeaderValue::from_bytes(&filled.bytes).map_err(|_| {
                wrong(format!("the value of HTTP header `{name}` holds line ends or other control characters"))
            })?;
            if filled.has_secrets {
                value.set_sensitive(true);
                private.push(name.clone());
            }
            headers.append(name, value);
        }
        let timeout = request.timeout.unwrap_or(default_timeout);
        Ok(Self {
            method,
            url,
            headers,
            private,
            body: request.body,
            trust: Trust { authorities: request.authorities, insecure: request.insecure },
            from: request.from,
            redirects_left: request.redirects,
            deadline: Instant::now() + timeout,
            timeout,
        })
    }

    fn go_on_to(&mut self, url: Url, status: StatusCode) {
        if url.origin() != self.url.origin() {
            for name in &self.private {
                self.headers.remove(name);
            }
        }
        let becomes_get = match status {
            StatusCode::SEE_OTHER => self.method != Method::HEAD,
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => self.method == Method::POST,
            _ => false,
        };
        if becomes_get {
            self.method = Method::GET;
            self.body = None;
            self.headers.remove(header::CONTENT_TYPE);
            self.headers.remove(header::CONTENT_LENGTH);
        }
        self.url = url;
    }
}

/// Returns where an answer sends the client, if it does.
fn redirect(answer: &Response, url: &Url) -> Option<Result<Url, Failure>> {
    if !matches!(answer.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = answer.headers().get(header::LOCATION)?;
    let text = String::from_utf8_lossy(location.as_bytes());
    Some(match url.join(&text) {
        Ok(next) => check_scheme(&next).map(|()| next),
        Err(error) => Err(failure(Fault::Target, format!("{} redirects to what is no URL: {error}", shown(url)))),
    })
}

fn check_scheme(url: &Url) -> Result<(), Failure> {
    match url.scheme() {
        "http" | "https" => Ok(()),
        other => Err(failure(Fault::Configuration, format!("`{other}:` URLs can't be requested, only http and https"))),
    }
}

fn place_of(url: &Url) -> Result<(String, u16), Failure> {
    let host = url.host_str().map(|host| host.trim_matches(['[', ']']).to_owned());
    match (host, url.port_or_known_default()) {
        (Some(host), Some(port)) => Ok((host, port)),
        _ => Err(failure(Fault::Configuration, format!("`{}` names no host", shown(url)))),
    }
}

/// Reads a body up to a limit; returns whether there was more.
async fn read_body(answer: &mut Response, body: &mut Vec<u8>, limit: usize) -> Result<bool, reqwest::Error> {
    while let Some(chunk) = answer.chunk().await? {
        let room = limit - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() > room {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn no_success(answer: &mut Response, url: &str) -> Failure {
    let status = answer.status();
    let mut body = Vec::new();
    // The status says enough where the body can't be read.
    let _ = read_body(answer, &mut body, REFUSAL_LIMIT).await;
    let refusal = failure(Fault::Target, format!("{url} answers {status}")).detail(&body);
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS { refusal.retryable() } else { refusal }
}

fn too_slow(url: &str, timeout: Duration) -> Failure {
    failure(Fault::Network, format!("no answer from {url} within {timeout:?}")).retryable()
}

/// Says what went wrong between the two ends.
fn explain(error: &reqwest::Error, url: &Url) -> Failure {
    let causes = causes(error);
    let (shown, host) = (shown(url), url.host_str().unwrap_or_default());
    let kind = io_kind(error);
    let message = if causes.contains("dns error") || causes.contains("failed to lookup address") {
        format!("there is no host named `{host}`")
    } else if causes.contains("certificate")
        || causes.contains("received fatal alert")
        || causes.contains("InvalidContentType")
    {
        let refusal = failure(Fault::Configuration, format!("no secure connection to {shown}"));
        return refusal.detail(causes.as_bytes()).hint("check the server's certificate, and the authorities to trust");
    } else if error.is_timeout() || kind == Some(ErrorKind::TimedOut) {
        format!("no answer from {shown}")
    } else if kind == Some(ErrorKind::ConnectionRefused) {
        format!("{shown} refuses connections")
    } else if matches!(kind, Some(ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable)) {
        format!("there is no route to {shown}")
    } else {
        let message = if error.is_connect() {
            format!("can't connect to {shown}")
        } else {
            format!("the connection to {shown} broke before the answer was complete")
        };
        return failure(Fault::Network, message).detail(innermost(error).as_bytes()).retryable();
    };
    // What the libraries say of it is the same in other words.
    failure(Fault::Network, message).retryable()
}

fn io_kind(error: &reqwest::Error) -> Option<ErrorKind> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            return Some(io.kind());
        }
        cause = error.source();
    }
    None
}

/// Writes an error's causes; its own words repeat the URL, with all that may be in it.
fn causes(error: &reqwest::Error) -> String {
    let mut texts = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        texts.push(error.to_string());
        cause = error.source();
    }
    texts.join(": ")
}

/// Writes an error's last cause: those before it are libraries that hand it on.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause = error.source();
    while let Some(next) = cause.and_then(std::error::Error::source) {
        cause = Some(next);
    }
    cause.map(ToString::to_string).unwrap_or_default()
}

/// A URL for people: without what may be a password.
fn shown(url: &Url) -> String {
    let mut shown = url.clone();
    // Neither can fail for a URL that has a host.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    shown.set_query(None);
    shown.to_string()
}
