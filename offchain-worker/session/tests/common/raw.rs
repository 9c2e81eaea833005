//! A client without manners: sends any bytes.

use super::{account, key, sampling, terms, CHECKPOINT, GENESIS, TLS_SEED};
use bytes::Bytes;
use chasqui_primitives::{hash::prompt_hash, session::SessionId, Balance};
use chasqui_session::{
    tls::{client_config, TlsKey},
    wire::{frame, Ask, Event, Frames, RefusalCode, MAX_ANSWER_BYTES, REQUEST_PATH},
    HashSigner, Request, SignedRequest,
};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use std::{net::SocketAddr, sync::Arc};
use tokio::net::TcpStream;
use tokio_rustls::{client::TlsStream, TlsConnector};

pub async fn secure(address: SocketAddr) -> TlsStream<TcpStream> {
    let socket = TcpStream::connect(address).await.unwrap();
    let config = client_config(TlsKey::from_seed(&TLS_SEED).public()).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, socket)
        .await
        .unwrap()
}

/// Posts `body` and reads the whole answer.
pub async fn post(address: SocketAddr, path: &str, body: Bytes) -> Vec<Event> {
    let (mut sender, connection) = http2::handshake::<_, _, Full<Bytes>>(
        TokioExecutor::new(),
        TokioIo::new(secure(address).await),
    )
    .await
    .unwrap();
    tokio::spawn(connection);
    let request = http::Request::post(format!("https://{address}{path}"))
        .body(Full::new(body))
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    let mut frames = Frames::new(MAX_ANSWER_BYTES);
    frames.push(&bytes);
    let mut events = Vec::new();
    while let Some(content) = frames.take().unwrap() {
        events.push(Event::read(&content).unwrap());
    }
    frames.end().unwrap();
    events
}

pub async fn ask(address: SocketAddr, ask: &Ask) -> Vec<Event> {
    post(address, REQUEST_PATH, frame(ask)).await
}

/// The code of an answer that is nothing but a refusal.
pub fn refusal(events: &[Event]) -> (RefusalCode, &str) {
    match events {
        [Event::Refused(refusal)] => (refusal.code, &refusal.field),
        other => panic!("not refused: {other:?}"),
    }
}

/// A request that an executor serves, before `change` spoils it.
pub fn request(
    session: SessionId,
    seq: u64,
    cap: Balance,
    prompt: &[u32],
    change: impl FnOnce(&mut Request),
) -> Ask {
    let salt = [seq as u8; 32];
    let max_tokens = 6;
    let mut request = Request {
        session,
        operator: account("Bob"),
        seq,
        checkpoint: CHECKPOINT,
        prompt_hash: prompt_hash(&GENESIS, &salt, prompt),
        prompt_tokens: prompt.len() as u32,
        sampling: sampling(seq, max_tokens),
        unit_price: terms().unit_price,
        max_price: 100 * (prompt.len() as Balance + 4 * Balance::from(max_tokens)),
        cap,
        valid_until: 1_100,
    };
    change(&mut request);
    let hash = request.signing_hash(&GENESIS).0;
    Ask {
        signed: SignedRequest {
            signature: HashSigner::sign(&key("Client"), &hash),
            request,
        },
        salt,
        prompt: prompt.to_vec(),
        top_logprobs: None,
    }
}
