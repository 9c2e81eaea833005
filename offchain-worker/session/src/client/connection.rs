//! Connections to operators: HTTP/2 over pinned TLS, kept open.

use super::{ClientConfig, ClientError, ErrorKind};
use crate::{chain::Endpoint, tls, wire::MEDIA_TYPE};
use bytes::Bytes;
use http::{header::CONTENT_TYPE, Method, Request, Uri};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::ServerName;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

type Sender = http2::SendRequest<Full<Bytes>>;

/// Largest list of headers that an operator may send, in bytes.
const MAX_HEADERS: u32 = 8 * 1_024;

/// Open connections, the newest last.
pub(crate) struct Connections {
    config: ClientConfig,
    open: Mutex<Vec<(Endpoint, Sender)>>,
}

fn unreachable(endpoint: &Endpoint, reason: impl ToString) -> ClientError {
    ErrorKind::Unreachable(format!("{}: {}", endpoint.url, reason.to_string())).into()
}

/// Host and port of an endpoint.
fn address(endpoint: &Endpoint) -> Result<(String, u16), ClientError> {
    let wrong = |reason: &str| {
        let reason = format!("field `url`: {reason}; expected https://host:port");
        unreachable(endpoint, reason)
    };
    let uri: Uri = endpoint
        .url
        .parse()
        .map_err(|error: http::uri::InvalidUri| wrong(&error.to_string()))?;
    if uri.scheme_str() != Some("https") {
        return Err(wrong("is not https"));
    }
    if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
        return Err(wrong("has a path"));
    }
    let host = uri.host().ok_or_else(|| wrong("has no host"))?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Ok((host.to_string(), uri.port_u16().unwrap_or(443)))
}

impl Connections {
    pub(crate) fn new(config: ClientConfig) -> Self {
        Self {
            config,
            open: Mutex::default(),
        }
    }

    fn open(&self) -> MutexGuard<'_, Vec<(Endpoint, Sender)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection that is open as far as is known here.
    fn kept(&self, endpoint: &Endpoint) -> Option<Sender> {
        let mut open = self.open();
        open.retain(|(_, sender)| !sender.is_closed());
        let kept = open.iter().find(|(held, _)| held == endpoint);
        kept.map(|(_, sender)| sender.clone())
    }

    fn keep(&self, endpoint: &Endpoint, sender: Sender) {
        let mut open = self.open();
        open.retain(|(held, _)| held != endpoint);
        if open.len() >= self.config.connections {
            open.remove(0);
        }
        open.push((endpoint.clone(), sender));
    }

    async fn connect(&self, endpoint: &Endpoint) -> Result<Sender, ClientError> {
        let (host, port) = address(endpoint)?;
        let connect = async {
            let failed = |reason: String| unreachable(endpoint, reason);
            let socket = TcpStream::connect((host.as_str(), port))
                .await
                .map_err(|error| failed(error.to_string()))?;
            // A question is one small write.
            let _ = socket.set_nodelay(true);
            let config = tls::client_config(endpoint.tls_key).map_err(ErrorKind::Tls)?;
            // The name means nothing: the key does.
            let name = ServerName::try_from(host.clone())
                .map_err(|error| failed(format!("field `url`: {error}")))?;
            let secured = TlsConnector::from(Arc::new(config))
                .connect(name, socket)
                .await
                .map_err(|error| {
                    failed(format!(
                        "{error}; the certificate must be of the key {} that the chain names",
                        sp_core::H256(endpoint.tls_key)
                    ))
                })?;
            if secured.get_ref().1.alpn_protocol() != Some(tls::ALPN) {
                return Err(failed("does not speak HTTP/2".into()));
            }
            let (sender, connection) = http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .keep_alive_interval(self.config.keep_alive)
                .keep_alive_timeout(self.config.keep_alive)
                .initial_stream_window_size(256 * 1_024)
                .max_header_list_size(MAX_HEADERS)
                .handshake(TokioIo::new(secured))
                .await
                .map_err(|error| failed(error.to_string()))?;
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "a connection to an operator ended");
                }
            });
            Ok::<_, ClientError>(sender)
        };
        match timeout(self.config.connect, connect).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let reason = format!("no connection within {:?}", self.config.connect);
                Err(unreachable(endpoint, reason))
            }
        }
    }

    /// Posts `body` and returns the answer's body. Whatever is posted may be posted twice.
    pub(crate) async fn post(
        &self,
        endpoint: &Endpoint,
        path: &str,
        body: Bytes,
    ) -> Result<Stream, ClientError> {
        // A kept connection may have ended without anybody noticing: then a new one counts.
        if let Some(sender) = self.kept(endpoint) {
            if let Ok(stream) = self.try_post(endpoint, sender, path, body.clone()).await {
                return Ok(stream);
            }
            self.open().retain(|(held, _)| held != endpoint);
        }
        let sender = self.connect(endpoint).await?;
        self.keep(endpoint, sender.clone());
        self.try_post(endpoint, sender, path, body).await
    }

    async fn try_post(
        &self,
        endpoint: &Endpoint,
        mut sender: Sender,
        path: &str,
        body: Bytes,
    ) -> Result<Stream, ClientError> {
        let url = format!("{}{path}", endpoint.url.trim_end_matches('/'));
        let request = Request::builder()
            .method(Method::POST)
            .uri(url)
            .header(CONTENT_TYPE, MEDIA_TYPE)
            .body(Full::new(body))
            .map_err(|error| unreachable(endpoint, error))?;
        let send = async {
            sender.ready().await?;
            sender.send_request(request).await
        };
        match timeout(self.config.silence, send).await {
            Ok(Ok(response)) => Ok(Stream {
                body: response.into_body(),
                silence: self.config.silence,
            }),
            Ok(Err(error)) => Err(unreachable(endpoint, error)),
            Err(_) => {
                let reason = format!("nothing within {:?}", self.config.silence);
                Err(unreachable(endpoint, reason))
            }
        }
    }
}

/// An answer's body. Dropping it hangs up.
pub(crate) struct Stream {
    body: Incoming,
    silence: Duration,
}

impl Stream {
    /// The next bytes; `None` at the end.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, ClientError> {
        loop {
            match timeout(self.silence, self.body.frame()).await {
                Ok(None) => return Ok(None),
                Ok(Some(Ok(frame))) => {
                    // Trailers say nothing here.
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
                Ok(Some(Err(error))) => return Err(ErrorKind::Broken(error.to_string()).into()),
                Err(_) => {
                    let reason = format!("nothing for {:?}", self.silence);
                    return Err(ErrorKind::Broken(reason).into());
                }
            }
        }
    }
}
