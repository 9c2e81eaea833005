//! Connections: bounded in number, time and memory, whatever the peer does.

use super::{count, live::Follower, openings::Opening, Executor, Inner};
use crate::{
    audit::{self, AuditAsk, AUDIT_PATH},
    blobs::{ChunksAsk, DescribeAsk, Desk, Pieces, CHUNKS_PATH, DESCRIBE_PATH, MAX_BLOB_ASK_BYTES},
    tls::{self, TlsError, TlsKey},
    wire::{
        frame, Ask, Event, Refusal, RefusalCode, Resume, VoidAsk, WireError, MAX_ASK_BYTES,
        MEDIA_TYPE, REQUEST_PATH, RESUME_PATH, VOID_PATH,
    },
};
use bytes::Bytes;
use futures::stream;
use http::{header::CONTENT_TYPE, Method, Response, StatusCode};
use http_body_util::{
    combinators::UnsyncBoxBody, BodyExt, Full, LengthLimitError, Limited, StreamBody,
};
use hyper::{
    body::{Body, Frame, Incoming},
    server::conn::http2,
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::{
    collections::HashMap,
    convert::Infallible,
    future::Future,
    net::IpAddr,
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc, Mutex, PoisonError,
    },
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{timeout, Instant},
};
use tokio_rustls::TlsAcceptor;

type AnswerBody = UnsyncBoxBody<Bytes, Infallible>;

/// Largest list of headers, in bytes.
const MAX_HEADERS: u32 = 8 * 1_024;
/// Longest body of a question that carries no prompt, in bytes.
const MAX_SHORT_BYTES: usize = 4_096;
/// How often a connection's age and idleness are looked at.
const LOOK: Duration = Duration::from_millis(250);
/// What a connection that is asked to end may still take to end by itself.
const GRACE: Duration = Duration::from_secs(10);
/// Pause after the system could not accept a connection.
const PAUSE: Duration = Duration::from_millis(100);

/// How much goes on on a connection.
#[derive(Debug)]
struct Activity(Mutex<Going>);

#[derive(Debug)]
struct Going {
    /// Requests whose answers are not at their end.
    active: usize,
    /// When the last of them ended.
    since: Instant,
    /// Since when the readers of blobs have not taken what is ready for them, and whether they have lost their place.
    waiting: HashMap<u64, (Instant, Arc<AtomicBool>)>,
    next: u64,
}

impl Activity {
    fn new(now: Instant) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Going {
            active: 0,
            since: now,
            waiting: HashMap::new(),
            next: 0,
        })))
    }

    fn going(&self) -> std::sync::MutexGuard<'_, Going> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(self: &Arc<Self>) -> Busy {
        let mut going = self.going();
        going.active += 1;
        going.next += 1;
        Busy(self.clone(), going.next)
    }

    /// For how long nothing has gone on.
    fn idle(&self) -> Duration {
        let going = self.going();
        match going.active {
            0 => going.since.elapsed(),
            _ => Duration::ZERO,
        }
    }

    /// For how long the slowest reader of a blob has taken nothing; for ever where its place is needed.
    fn stalled(&self) -> Duration {
        let going = self.going();
        let waits =
            going
                .waiting
                .values()
                .map(|(since, lost)| match lost.load(Ordering::Relaxed) {
                    true => Duration::MAX,
                    false => since.elapsed(),
                });
        waits.max().unwrap_or_default()
    }
}

/// One request of a connection, as long as its answer is not at its end.
struct Busy(Arc<Activity>, u64);

impl Busy {
    /// The reader has taken all that was ready.
    fn works(&self) {
        self.0.going().waiting.remove(&self.1);
    }

    /// A piece is ready for the reader, which may have `lost` its place.
    fn waits(&self, lost: Arc<AtomicBool>) {
        let waits = (Instant::now(), lost);
        self.0.going().waiting.insert(self.1, waits);
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut going = self.0.going();
        going.active -= 1;
        going.since = Instant::now();
        going.waiting.remove(&self.1);
    }
}

impl Executor {
    /// Serves connections of `listener` with a certificate of `key`, until `stop` ends; then waits a little for answers
    /// under way.
    ///
    /// # Errors
    /// The key is none.
    pub async fn serve(
        &self,
        listener: TcpListener,
        key: &TlsKey,
        stop: impl Future<Output = ()> + Send,
    ) -> Result<(), TlsError> {
        let acceptor = TlsAcceptor::from(Arc::new(tls::server_config(key)?));
        let (ended, _) = tokio::sync::watch::channel(false);
        let mut connections = JoinSet::new();
        tokio::pin!(stop);
        loop {
            let socket = tokio::select! {
                () = &mut stop => break,
                // Those that ended: their memory goes.
                Some(_) = connections.join_next(), if !connections.is_empty() => continue,
                socket = listener.accept() => socket,
            };
            let socket = match socket {
                Ok((socket, _)) => socket,
                Err(error) => {
                    // Out of descriptors, or a connection that was gone at once.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let Ok(permit) = self.inner.connections.clone().try_acquire_owned() else {
                count(&self.inner.counters.turned_away);
                continue;
            };
            let (inner, acceptor, stop) = (self.inner.clone(), acceptor.clone(), ended.subscribe());
            connections.spawn(async move {
                inner.connection(socket, acceptor, stop).await;
                drop(permit);
            });
        }
        drop(listener);
        ended.send_replace(true);
        let rest = async { while connections.join_next().await.is_some() {} };
        if timeout(GRACE, rest).await.is_err() {
            tracing::warn!("answers under way are broken off; clients can ask for them again");
        }
        Ok(())
    }
}

impl Inner {
    /// One connection from its handshake to its end.
    async fn connection(
        self: Arc<Self>,
        socket: TcpStream,
        acceptor: TlsAcceptor,
        mut stop: tokio::sync::watch::Receiver<bool>,
    ) {
        // Tokens are small and wanted at once.
        let _ = socket.set_nodelay(true);
        let Ok(peer) = socket.peer_addr().map(|address| address.ip()) else {
            return count(&self.counters.turned_away);
        };
        let secured = match timeout(self.config.handshake, acceptor.accept(socket)).await {
            Ok(Ok(secured)) if secured.get_ref().1.alpn_protocol() == Some(tls::ALPN) => secured,
            _ => return count(&self.counters.turned_away),
        };
        let began = Instant::now();
        let activity = Activity::new(began);
        let (inner, watched) = (self.clone(), activity.clone());
        let service = service_fn(move |request| {
            let (inner, busy) = (inner.clone(), watched.begin());
            async move { Ok::<_, Infallible>(inner.respond(request, peer, busy).await) }
        });
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(self.config.streams)
            .max_header_list_size(MAX_HEADERS)
            .initial_stream_window_size(64 * 1_024)
            .initial_connection_window_size(1_024 * 1_024)
            .max_send_buf_size(64 * 1_024)
            .keep_alive_interval(self.config.keep_alive)
            .keep_alive_timeout(self.config.keep_alive)
            .serve_connection(TokioIo::new(secured), service);
        tokio::pin!(connection);
        let stall = self.desk.get().map(|desk| desk.limits.stall);
        let mut look = tokio::time::interval(LOOK);
        let mut ends_by: Option<Instant> = None;
        loop {
            tokio::select! {
                _ = &mut connection => return,
                _ = look.tick() => {}
                _ = stop.changed(), if ends_by.is_none() => {}
            }
            if stall.is_some_and(|stall| activity.stalled() >= stall) {
                tracing::debug!(%peer, "reads a blob too slowly");
                return count(&self.counters.turned_away);
            }
            match ends_by {
                Some(at) if Instant::now() >= at => return count(&self.counters.turned_away),
                Some(_) => {}
                None => {
                    let old = began.elapsed() >= self.config.age;
                    let idle = activity.idle() >= self.config.idle;
                    if old || idle || *stop.borrow() {
                        connection.as_mut().graceful_shutdown();
                        ends_by = Some(Instant::now() + GRACE);
                    }
                }
            }
        }
    }

    async fn respond(
        self: Arc<Self>,
        request: http::Request<Incoming>,
        peer: IpAddr,
        busy: Busy,
    ) -> Response<AnswerBody> {
        match self.answer(request, peer).await {
            Ok(Served::Stream(follower)) => {
                let frames = stream::unfold((follower, busy), |(mut follower, busy)| async move {
                    let frame = follower.next().await?;
                    Some((Ok(Frame::data(frame)), (follower, busy)))
                });
                response(StatusCode::OK, StreamBody::new(frames).boxed_unsync())
            }
            Ok(Served::Blob(pieces)) => {
                let frames = stream::unfold((pieces, busy), |(mut pieces, busy)| async move {
                    busy.works();
                    let piece = pieces.next().await?;
                    busy.waits(pieces.lost());
                    Some((Ok(Frame::data(piece)), (pieces, busy)))
                });
                response(StatusCode::OK, StreamBody::new(frames).boxed_unsync())
            }
            Ok(Served::Opened(opening)) => {
                let frames = stream::unfold((opening, busy), |(opening, busy)| async move {
                    let frame = opening.next()?;
                    Some((Ok(Frame::data(frame)), (opening, busy)))
                });
                response(StatusCode::OK, StreamBody::new(frames).boxed_unsync())
            }
            Ok(Served::Whole(event)) => {
                response(StatusCode::OK, Full::new(frame(&event)).boxed_unsync())
            }
            Err(refusal) => {
                count(&self.counters.refused);
                tracing::debug!(%refusal, "refused");
                let status = status(refusal.code);
                let body = Full::new(frame(&Event::Refused(refusal)));
                response(status, body.boxed_unsync())
            }
        }
    }

    async fn answer(
        self: &Arc<Self>,
        request: http::Request<Incoming>,
        peer: IpAddr,
    ) -> Result<Served, Refusal> {
        let malformed = |field, reason: &str| Refusal::new(RefusalCode::Malformed, field, reason);
        if request.method() != Method::POST {
            return Err(malformed("method", "must be POST"));
        }
        let path = match request.uri().path() {
            REQUEST_PATH => REQUEST_PATH,
            RESUME_PATH => RESUME_PATH,
            VOID_PATH => VOID_PATH,
            AUDIT_PATH => AUDIT_PATH,
            DESCRIBE_PATH => DESCRIBE_PATH,
            CHUNKS_PATH => CHUNKS_PATH,
            _ => {
                let reason = format!(
                    "must be {REQUEST_PATH}, {RESUME_PATH}, {VOID_PATH}, {AUDIT_PATH}, {DESCRIBE_PATH} or {CHUNKS_PATH}"
                );
                return Err(Refusal::new(RefusalCode::Version, "path", reason));
            }
        };
        let most = match path {
            DESCRIBE_PATH | CHUNKS_PATH => MAX_BLOB_ASK_BYTES,
            REQUEST_PATH => MAX_ASK_BYTES,
            _ => MAX_SHORT_BYTES,
        };
        let bytes = self.read(request.into_body(), most + 4).await?;
        match path {
            DESCRIBE_PATH => {
                let ask = DescribeAsk::read(&bytes).map_err(of_wire)?;
                Ok(Served::Blob(self.desk()?.describe(peer, ask).await?))
            }
            CHUNKS_PATH => {
                let ask = ChunksAsk::read(&bytes).map_err(of_wire)?;
                Ok(Served::Blob(self.desk()?.chunks(peer, ask).await?))
            }
            RESUME_PATH => {
                let query = Resume::read(&bytes).map_err(of_wire)?;
                let held = Event::Held(self.resume(query).await?);
                Ok(Served::Whole(Box::new(held)))
            }
            VOID_PATH => {
                let ask = VoidAsk::read(&bytes).map_err(of_wire)?;
                let receipt = Event::Receipt(self.void(ask).await?);
                Ok(Served::Whole(Box::new(receipt)))
            }
            AUDIT_PATH => {
                let ask = AuditAsk::read(&bytes).map_err(of_wire)?;
                Ok(Served::Opened(self.open(ask).await?))
            }
            _ => {
                let ask = Ask::read(&bytes).map_err(of_wire)?;
                drop(bytes);
                Ok(Served::Stream(self.ask(ask).await?))
            }
        }
    }

    fn desk(&self) -> Result<&Arc<Desk>, Refusal> {
        self.desk
            .get()
            .ok_or_else(|| Refusal::new(RefusalCode::NotServed, "path", "no blobs are shared here"))
    }

    /// What an auditor asks for.
    async fn open(&self, ask: AuditAsk) -> Result<Opening, Refusal> {
        if ask.operator != self.operator {
            let reason = format!("this is {}", self.operator);
            return Err(Refusal::new(RefusalCode::NotServed, "operator", reason));
        }
        let audits = self.audits.get().ok_or_else(|| {
            Refusal::new(RefusalCode::NotServed, "path", "nothing is opened here")
        })?;
        // Who may not ask takes nobody's place.
        audits.check(&ask).await?;
        let opening = self.openings.begin(&ask.auditor).ok_or_else(|| {
            Refusal::new(
                RefusalCode::Overloaded,
                "path",
                "too many auditors ask at once; try again in a second",
            )
        })?;
        let frames = audit::frames(audits.open(ask).await?);
        self.openings.fill(&opening, frames);
        Ok(opening)
    }

    /// A request's body, within its bounds of size, time and memory.
    async fn read(&self, body: Incoming, most: usize) -> Result<Bytes, Refusal> {
        let too_long = || {
            let reason = format!("is longer than {most} bytes");
            Refusal::new(RefusalCode::Malformed, "body", reason)
        };
        if body.size_hint().lower() > most as u64 {
            return Err(too_long());
        }
        // Those who send long bodies slowly keep nobody waiting whose question is short: an auditor that is turned away would
        // have to say that answers are withheld.
        let places = match most > MAX_SHORT_BYTES + 4 {
            true => &self.reading,
            false => &self.reading_short,
        };
        let _permit = places.try_acquire().map_err(|_| {
            Refusal::new(
                RefusalCode::Overloaded,
                "body",
                "too many requests arrive at once; try again later, or another operator",
            )
        })?;
        match timeout(self.config.body, Limited::new(body, most).collect()).await {
            Ok(Ok(whole)) => Ok(whole.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_long()),
            Ok(Err(error)) => Err(Refusal::new(RefusalCode::Malformed, "body", error)),
            Err(_) => {
                count(&self.counters.turned_away);
                let reason = format!("did not arrive within {:?}", self.config.body);
                Err(Refusal::new(RefusalCode::Malformed, "body", reason))
            }
        }
    }
}

enum Served {
    Stream(Follower),
    Opened(Opening),
    Blob(Pieces),
    Whole(Box<Event>),
}

fn of_wire(error: WireError) -> Refusal {
    match error {
        WireError::Version(_) => Refusal::new(RefusalCode::Version, "version", error),
        WireError::Malformed { field, reason } => {
            Refusal::new(RefusalCode::Malformed, field, reason)
        }
        WireError::TooLong { .. } | WireError::Truncated => {
            Refusal::new(RefusalCode::Malformed, "body", error)
        }
    }
}

fn response(status: StatusCode, body: AnswerBody) -> Response<AnswerBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let media = http::HeaderValue::from_static(MEDIA_TYPE);
    response.headers_mut().insert(CONTENT_TYPE, media);
    response
}

/// For whoever looks at a connection from outside; the frame says it exactly.
fn status(code: RefusalCode) -> StatusCode {
    match code {
        RefusalCode::Malformed | RefusalCode::Version | RefusalCode::Request => {
            StatusCode::BAD_REQUEST
        }
        RefusalCode::Signature => StatusCode::FORBIDDEN,
        RefusalCode::UnknownSession | RefusalCode::NotServed => StatusCode::NOT_FOUND,
        RefusalCode::OutOfOrder
        | RefusalCode::Busy
        | RefusalCode::Equivocation
        | RefusalCode::Stopped
        | RefusalCode::Expired => StatusCode::CONFLICT,
        RefusalCode::CapTooLow | RefusalCode::SliceTooSmall | RefusalCode::Price => {
            StatusCode::PAYMENT_REQUIRED
        }
        RefusalCode::Overloaded | RefusalCode::Chain => StatusCode::SERVICE_UNAVAILABLE,
        RefusalCode::Compute | RefusalCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
