//! An executor that says whatever a test wants.

use super::{account, key, MemoryChain, GENESIS, TLS_SEED};
use bytes::Bytes;
use chasqui_primitives::{hash::output_hash, trace::trace_root, FinishReason};
use chasqui_session::{
    tls::{server_config, TlsKey},
    wire::{frame, Ask, Event, Token, REQUEST_PATH},
    Endpoint, HashSigner, Receipt, SignedReceipt,
};
use http_body_util::{BodyExt, Full};
use hyper::{server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::{convert::Infallible, sync::Arc};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What it sends to a request; nothing held to a resume query.
pub type Script = Arc<dyn Fn(Ask) -> Vec<Bytes> + Send + Sync>;

pub fn tokens(ids: &[u32]) -> Bytes {
    let token = |id: &u32| Token {
        id: *id,
        logprobs: None,
    };
    frame(&Event::Tokens(ids.iter().map(token).collect()))
}

pub fn accepted(ask: &Ask) -> Bytes {
    frame(&Event::Accepted {
        seq: ask.signed.request.seq,
        stored: false,
    })
}

/// An honest receipt for `output`.
pub fn receipt(ask: &Ask, output: &[u32]) -> Receipt {
    let request = &ask.signed.request;
    let terms = super::terms();
    let count = output.len() as u32;
    let finish = match count == request.sampling.max_tokens {
        true => FinishReason::Length,
        false => FinishReason::Cancelled,
    };
    Receipt {
        session: request.session,
        operator: request.operator.clone(),
        seq: request.seq,
        request: request.signing_hash(&GENESIS),
        output_hash: output_hash(&GENESIS, output),
        trace_root: trace_root(&[]),
        prompt_tokens: request.prompt_tokens,
        output_tokens: count,
        finish,
        price: request
            .price(
                terms.units_per_prompt_token,
                terms.units_per_output_token,
                count,
            )
            .unwrap(),
    }
}

pub fn signed(receipt: Receipt, by: &str) -> SignedReceipt {
    let hash = receipt.signing_hash(&GENESIS).0;
    SignedReceipt {
        receipt,
        signature: HashSigner::sign(&key(by), &hash),
    }
}

/// Serves `script` as `operator`.
pub async fn start(chain: &MemoryChain, operator: &str, script: Script) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tls = TlsKey::from_seed(&TLS_SEED);
    let endpoint = Endpoint {
        url: format!("https://{}", listener.local_addr().unwrap()),
        tls_key: tls.public(),
    };
    chain.with(|state| state.endpoints.insert(account(operator), endpoint));
    let acceptor = TlsAcceptor::from(Arc::new(server_config(&tls).unwrap()));
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let (acceptor, script) = (acceptor.clone(), script.clone());
            tokio::spawn(async move {
                let Ok(secured) = acceptor.accept(socket).await else {
                    return;
                };
                let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                    let script = script.clone();
                    async move {
                        let asks = request.uri().path() == REQUEST_PATH;
                        let body = request.into_body().collect().await.unwrap().to_bytes();
                        let answer = if asks {
                            script(Ask::read(&body).unwrap()).concat()
                        } else {
                            frame(&Event::Held(chasqui_session::wire::Held {
                                last: None,
                                receipt: None,
                                receipted: 0,
                                settled_to: 0,
                            }))
                            .to_vec()
                        };
                        Ok::<_, Infallible>(http::Response::new(Full::new(Bytes::from(answer))))
                    }
                });
                let _ = http2::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(secured), service)
                    .await;
            });
        }
    });
}
