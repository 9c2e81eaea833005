//! Connections that break, stall or never begin: bounded on both sides.

mod common;

use chasqui_session::{client::Output, wire::REQUEST_PATH, ExecutorConfig, Retry};
use common::{account, expected, proxy::Proxy, question, raw, until, World, SLICE};
use http_body_util::StreamBody;
use hyper::{body::Frame, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::{convert::Infallible, time::Duration};
use tokio::{
    io::AsyncReadExt,
    net::TcpStream,
    time::{timeout, Instant},
};

// GIVEN a network that is cut after any number of tokens, and comes back
// WHEN the client asks again
// THEN it has the right tokens from the first on, one receipt, and a broken answer never counted as a whole one
#[tokio::test(flavor = "multi_thread")]
async fn a_cut_network_costs_nothing() {
    for tokens in [0usize, 1, 20, 90] {
        let world = World::new();
        let session = world.chain.open(1, &["Bob"], SLICE);
        let bob = account("Bob");
        let running = world.start("Bob");
        let proxy = Proxy::start(running.address).await;
        world.register("Bob", proxy.address);
        let client = world.connect();
        let asked = question(&[0, 40], 7, 300);
        let mut answer = client.ask(&session, &bob, asked).await.unwrap();
        for _ in 0..tokens {
            answer.next().await.unwrap().unwrap();
        }
        proxy.cut();
        let broken = loop {
            match answer.next().await.unwrap() {
                Ok(Output::Token(_)) => {}
                Ok(Output::Finished(_)) => break None,
                Err(error) => break Some(error),
            }
        };
        if let Some(error) = broken {
            let known = error.delivered > 0;
            assert_eq!(
                error.retry(),
                if known { Retry::Same } else { Retry::Other }
            );
            let resumed = client.resume(&session, &bob).await.unwrap();
            let whole = expected(&[0, 40], 7, 300);
            let got = &resumed[0].output;
            assert!(got.len() >= error.delivered);
            assert_eq!(got[..], whole[..got.len()]);
        }
        until("nothing is computed", || running.executor.computing() == 0).await;
        assert_eq!(running.executor.counts().receipts, 1);
        let held = running.executor.journal().channel(&session).unwrap();
        let spent = client.journal().spent(&session, &bob).unwrap();
        assert_eq!(spent, (held.unwrap().receipted, 0));
    }
}

/// A world whose executor has little patience.
fn impatient() -> World {
    let mut world = World::new();
    world.executor = ExecutorConfig {
        connections: 3,
        handshake: Duration::from_millis(300),
        body: Duration::from_millis(300),
        idle: Duration::from_millis(500),
        ..ExecutorConfig::default()
    };
    world
}

// GIVEN peers that connect and say nothing, more than there may be connections
// WHEN the time for a handshake has passed
// THEN they are gone, and a client is served
#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_are_closed() {
    let world = impatient();
    let session = world.chain.open(1, &["Bob"], SLICE);
    let running = world.start("Bob");
    let mut silent = Vec::new();
    for _ in 0..8 {
        silent.push(TcpStream::connect(running.address).await.unwrap());
    }
    for socket in &mut silent {
        let mut byte = [0];
        let read = timeout(Duration::from_secs(5), socket.read(&mut byte)).await;
        assert!(matches!(read, Ok(Ok(0) | Err(_))));
    }
    until("all are counted", || {
        running.executor.counts().turned_away == 8
    })
    .await;
    let client = world.connect();
    let bob = account("Bob");
    let answer = client.ask(&session, &bob, question(&[0, 40], 1, 2)).await;
    answer.unwrap().finish().await.unwrap();
}

// GIVEN a client that sends a request's body a byte at a time
// WHEN the time for a body has passed
// THEN it is refused, and others were served meanwhile
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_body_is_refused() {
    let world = impatient();
    let session = world.chain.open(1, &["Bob"], SLICE);
    let running = world.start("Bob");
    let (mut sender, connection) = http2::handshake(
        TokioExecutor::new(),
        TokioIo::new(raw::secure(running.address).await),
    )
    .await
    .unwrap();
    tokio::spawn(connection);
    let drip = futures::stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let byte = bytes::Bytes::from_static(&[0]);
        Some((Ok::<_, Infallible>(Frame::data(byte)), ()))
    });
    let request = http::Request::post(format!("https://{}{REQUEST_PATH}", running.address))
        .body(StreamBody::new(Box::pin(drip)))
        .unwrap();
    let began = Instant::now();
    let slow = sender.send_request(request);
    let client = world.connect();
    let bob = account("Bob");
    let serve = async {
        let answer = client.ask(&session, &bob, question(&[0, 40], 1, 2)).await;
        answer.unwrap().finish().await.unwrap();
    };
    let (slow, ()) = futures::join!(slow, serve);
    assert_eq!(slow.unwrap().status(), 400);
    assert!(began.elapsed() < Duration::from_secs(5));
}

// GIVEN a connection on which nothing is asked any more
// WHEN the idle time has passed
// THEN the executor closes it, and the client's next request opens another without an error
#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_are_closed_and_opened_again() {
    let world = impatient();
    let session = world.chain.open(1, &["Bob"], SLICE);
    let running = world.start("Bob");
    let client = world.connect();
    let bob = account("Bob");
    let mut idle = raw::secure(running.address).await;
    for seq in 1..3 {
        let answer = client.ask(&session, &bob, question(&[0, 40], seq, 2)).await;
        let finished = answer.unwrap().finish().await.unwrap();
        assert_eq!(finished.receipt.receipt.seq, seq);
        tokio::time::sleep(Duration::from_millis(1_200)).await;
    }
    let gone = async {
        let mut bytes = Vec::new();
        let _ = idle.read_to_end(&mut bytes).await;
    };
    timeout(Duration::from_secs(15), gone).await.unwrap();
}

// GIVEN an executor that computes as many requests as it may
// WHEN one more comes
// THEN it is refused before anything is written down, and served later
#[tokio::test(flavor = "multi_thread")]
async fn too_many_requests_are_refused_unharmed() {
    let mut world = World::new();
    world.executor.computing = 1;
    let first = world.chain.open(1, &["Bob"], SLICE);
    let second = world.chain.open(2, &["Bob"], SLICE);
    let running = world.start("Bob");
    let client = world.connect();
    let bob = account("Bob");
    let hold = running.hold();
    let long = question(&[0, 40], 1, 50);
    let answer = client.ask(&first, &bob, long).await.unwrap();
    let refused = client.ask(&second, &bob, question(&[0, 41], 1, 2)).await;
    let error = refused.unwrap_err();
    assert!(error.to_string().contains("computed already"), "{error}");
    assert_eq!(error.retry(), Retry::Other);
    let written = running.executor.journal().channel(&second).unwrap();
    assert!(written.is_none());
    drop(hold);
    answer.finish().await.unwrap();
    until("there is room", || running.executor.computing() == 0).await;
    let answer = client.ask(&second, &bob, question(&[0, 41], 2, 2)).await;
    answer.unwrap().finish().await.unwrap();
}

// GIVEN an endpoint whose URL is none, and one whose key is another's
// WHEN the client asks
// THEN the error names the field, nothing was sent, and another operator may be asked
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_endpoint_is_named() {
    let world = World::new();
    let session = world.chain.open(1, &["Bob"], SLICE);
    let running = world.start("Bob");
    let client = world.connect();
    let bob = account("Bob");
    let set = |url: String, tls_key: [u8; 32]| {
        let endpoint = chasqui_session::Endpoint { url, tls_key };
        world
            .chain
            .with(|state| state.endpoints.insert(account("Bob"), endpoint));
    };
    let right = chasqui_session::tls::TlsKey::from_seed(&common::TLS_SEED).public();
    let there = running.address;
    for (url, tls_key, named) in [
        (format!("http://{there}"), right, "url"),
        (format!("https://{there}/path"), right, "url"),
        ("nonsense".into(), right, "url"),
        ("https://".into(), right, "url"),
        (format!("https://{there}"), [5; 32], "certificate"),
    ] {
        set(url, tls_key);
        let asked = question(&[0, 40], 1, 2);
        let error = client.ask(&session, &bob, asked).await.unwrap_err();
        assert!(error.to_string().contains(named), "{error}");
        assert_eq!(error.retry(), Retry::Other);
    }
    assert_eq!(running.executor.counts().accepted, 0);
}
