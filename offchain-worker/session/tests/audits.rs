//! Opening answers to those who judge them.

mod common;

use async_trait::async_trait;
use chasqui_primitives::session::{sample::OpenedLeaf, tree};
use chasqui_session::{
    audit::{fetch, AuditAsk, Audits, OpenedAnswer},
    client::ErrorKind,
    journal::ExecutorJournal,
    wire::{Refusal, RefusalCode, REQUEST_PATH},
    ClientError,
};
use common::{account, key, question, raw, World, GENESIS, SLICE};
use hyper::body::Frame;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

/// Opens every answer of one channel to "Dave".
struct ToDave {
    journal: Arc<ExecutorJournal>,
    session: chasqui_primitives::session::SessionId,
}

#[async_trait]
impl Audits for ToDave {
    async fn check(&self, ask: &AuditAsk) -> Result<(), Refusal> {
        match ask.verify(&GENESIS, &account("Dave")) {
            true => Ok(()),
            false => Err(Refusal::new(
                RefusalCode::Signature,
                "signature",
                "not Dave's",
            )),
        }
    }

    async fn open(&self, _: AuditAsk) -> Result<Vec<OpenedAnswer>, Refusal> {
        let last = self.journal.channel(&self.session).unwrap().unwrap().last;
        let last = last.unwrap().request.seq;
        let leaves = self.journal.leaves(&self.session, 1, last).unwrap();
        let opened = (1..=last).map(|seq| {
            let (leaf, answer) = self.journal.leaf(&self.session, seq).unwrap().unwrap();
            let answer = answer.unwrap();
            let proof = tree::prove(&leaves, seq - 1).unwrap();
            OpenedAnswer {
                leaf: OpenedLeaf::new(0, &leaf.signed, &answer.receipt.receipt, proof),
                receipt: answer.receipt.receipt,
                salt: leaf.salt,
                prompt: leaf.prompt,
                trace: answer.trace,
            }
        });
        Ok(opened.collect())
    }
}

fn ask(auditor: &str, signer: &str, operator: &str) -> AuditAsk {
    let (operator, auditor) = (account(operator), account(auditor));
    AuditAsk::new(&GENESIS, 7, operator, auditor, 9, &key(signer))
}

async fn refused(world: &World, ask: AuditAsk) -> Refusal {
    let endpoint = world
        .chain
        .with(|state| state.endpoints[&account("Bob")].clone());
    let outcome = fetch(&world.client, &endpoint, &ask).await;
    match outcome.map_err(|ClientError { kind, .. }| *kind) {
        Err(ErrorKind::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

// GIVEN an executor with three answers
// WHEN the drawn auditor asks for them, and then others do in its name or for other work
// THEN it gets prompt, salt, trace and what was signed of each, whole; the others get a reason and nothing else
#[tokio::test(flavor = "multi_thread")]
async fn answers_are_opened_to_whom_they_are_due() {
    let world = World::new();
    let session = world.chain.open(1, &["Bob"], SLICE);
    let running = world.start("Bob");
    let client = world.connect();
    // Before anything is opened.
    let refusal = refused(&world, ask("Dave", "Dave", "Bob")).await;
    assert_eq!(refusal.code, RefusalCode::NotServed);
    let mut outputs = Vec::new();
    for seed in 0..3 {
        let asked = question(&[0, 40, 41 + seed as u32], seed, 6);
        let answer = client.ask(&session, &account("Bob"), asked).await.unwrap();
        outputs.push(answer.finish().await.unwrap());
    }
    running.executor.open_to_auditors(Arc::new(ToDave {
        journal: running.executor.journal().clone(),
        session,
    }));

    let endpoint = world
        .chain
        .with(|state| state.endpoints[&account("Bob")].clone());
    let asked = ask("Dave", "Dave", "Bob");
    let opened = fetch(&world.client, &endpoint, &asked).await.unwrap();
    assert_eq!(opened.len(), 3);
    for (answer, finished) in opened.iter().zip(&outputs) {
        assert_eq!(answer.receipt, finished.receipt.receipt);
        let trace = chasqui_primitives::trace::decode_trace(&answer.trace).unwrap();
        let output: Vec<u32> = trace.iter().map(|leaf| leaf.token).collect();
        assert_eq!(output, finished.output);
        let hash = chasqui_primitives::hash::prompt_hash(&GENESIS, &answer.salt, &answer.prompt);
        assert_eq!(hash, answer.leaf.prompt_hash);
    }

    let refusal = refused(&world, ask("Dave", "Eve", "Bob")).await;
    assert_eq!(refusal.code, RefusalCode::Signature);
    let refusal = refused(&world, ask("Dave", "Dave", "Charlie")).await;
    assert_eq!(refusal.code, RefusalCode::NotServed);
    assert_eq!(refusal.field, "operator");
}

/// Opens nothing much to "Dave", and looks at everybody else for long.
struct Slow;

#[async_trait]
impl Audits for Slow {
    async fn check(&self, ask: &AuditAsk) -> Result<(), Refusal> {
        if ask.verify(&GENESIS, &account("Dave")) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_secs(3)).await;
        let reason = "is not to judge this case";
        Err(Refusal::new(RefusalCode::NotServed, "auditor", reason))
    }

    async fn open(&self, _: AuditAsk) -> Result<Vec<OpenedAnswer>, Refusal> {
        Ok(Vec::new())
    }
}

// GIVEN many who ask for what they may not see, in the names of auditors too
// WHEN an auditor asks meanwhile
// THEN it is answered at once: else anybody could have an honest operator called one that withholds
#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_ask_takes_nobodys_place() {
    let world = Arc::new(World::new());
    let running = world.start("Bob");
    running.executor.open_to_auditors(Arc::new(Slow));
    let crowd: Vec<_> = (0..20)
        .map(|_| {
            let world = world.clone();
            tokio::spawn(async move { refused(&world, ask("Dave", "Eve", "Bob")).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let endpoint = world
        .chain
        .with(|state| state.endpoints[&account("Bob")].clone());
    let began = Instant::now();
    let opened = fetch(&world.client, &endpoint, &ask("Dave", "Dave", "Bob")).await;
    assert!(opened.unwrap().is_empty());
    assert!(began.elapsed() < Duration::from_secs(2));
    for refused in crowd {
        assert_eq!(refused.await.unwrap().code, RefusalCode::NotServed);
    }
}

// GIVEN clients that send long bodies as slowly as they may, as many as are read at once
// WHEN an auditor asks
// THEN it is heard
#[tokio::test(flavor = "multi_thread")]
async fn who_dawdles_keeps_no_auditor_away() {
    let mut world = World::new();
    world.executor.reading = 2;
    let running = world.start("Bob");
    running.executor.open_to_auditors(Arc::new(Slow));
    for _ in 0..2 {
        let socket = TokioIo::new(raw::secure(running.address).await);
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), socket)
                .await
                .unwrap();
        tokio::spawn(connection);
        let drip = futures::stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let byte = bytes::Bytes::from_static(&[0]);
            Some((Ok::<_, Infallible>(Frame::data(byte)), ()))
        });
        let request = http::Request::post(format!("https://{}{REQUEST_PATH}", running.address))
            .body(http_body_util::StreamBody::new(Box::pin(drip)))
            .unwrap();
        tokio::spawn(async move { sender.send_request(request).await });
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let endpoint = world
        .chain
        .with(|state| state.endpoints[&account("Bob")].clone());
    let opened = fetch(&world.client, &endpoint, &ask("Dave", "Dave", "Bob")).await;
    assert!(opened.unwrap().is_empty());
}
