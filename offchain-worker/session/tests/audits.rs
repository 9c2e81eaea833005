//! Opening answers to those who judge them.

mod common;

use async_trait::async_trait;
use chasqui_primitives::session::{sample::OpenedLeaf, tree};
use chasqui_session::{
    audit::{fetch, AuditAsk, Audits, OpenedAnswer},
    client::ErrorKind,
    journal::ExecutorJournal,
    wire::{Refusal, RefusalCode},
    ClientError,
};
use common::{account, key, question, World, GENESIS, SLICE};
use std::sync::Arc;

/// Opens every answer of one channel to "Dave".
struct ToDave {
    journal: Arc<ExecutorJournal>,
    session: chasqui_primitives::session::SessionId,
}

#[async_trait]
impl Audits for ToDave {
    async fn open(&self, ask: AuditAsk) -> Result<Vec<OpenedAnswer>, Refusal> {
        if !ask.verify(&GENESIS, &account("Dave")) {
            return Err(Refusal::new(
                RefusalCode::Signature,
                "signature",
                "not Dave's",
            ));
        }
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
