//! Answers that are replayed.

use crate::{
    common::{
        engine, expected,
        liar::{self, accepted, receipt, signed, tokens},
        until, World, CHECKPOINT,
    },
    world::{name, Notes, Setup},
};
use anyhow::Result;
use chasqui_engine::Engine;
use chasqui_primitives::{CheckpointRoot, NumericProfile};
use chasqui_session::wire::{frame, Ask, Event};
use chasqui_worker::sessions::gateway::audit::{Auditor, Weights, WHOLE};
use std::sync::Arc;

struct OneEngine;

impl Weights for OneEngine {
    fn has(&self, checkpoint: &CheckpointRoot) -> bool {
        *checkpoint == CHECKPOINT
    }

    fn engine(&self, _: &CheckpointRoot, _: NumericProfile) -> Result<Arc<Engine>> {
        Ok(engine())
    }
}

fn auditor(court: &Arc<Notes>, share: u32, reports: bool) -> Auditor {
    Auditor::new(share, Arc::new(OneEngine), court.clone(), reports)
}

// GIVEN a gateway that replays every answer
// WHEN an operator is honest
// THEN every answer is found valid and nobody is accused
#[tokio::test(flavor = "multi_thread")]
async fn honest_answers_are_found_valid() {
    let world = World::new();
    let honest = world.start("Bob");
    let court = Arc::new(Notes::default());
    let mut setup = Setup::new(&["Bob"]);
    setup.auditor = Some(auditor(&court, WHOLE, true));
    let gateway = setup.start(&world).await.warm().await;
    for seed in 0..5 {
        gateway.ask(seed, 24).await.finished();
    }
    let audits = &gateway.upstream.metrics().audits;
    until("all are audited", || {
        audits.with_label_values(&["valid"]).get() == 5
    })
    .await;
    for other in ["soft", "hard", "failed", "dropped"] {
        assert_eq!(audits.with_label_values(&[other]).get(), 0, "{other}");
    }
    assert!(court.reports.lock().unwrap().is_empty());
    drop(honest);
}

// GIVEN a gateway that replays every answer
// WHEN an operator signs for tokens that the model did not make
// THEN it is found, counted, reported with request and receipt, and never asked again; the answer was not held up
#[tokio::test(flavor = "multi_thread")]
async fn a_cheat_is_found_reported_and_shunned() {
    let world = World::new();
    let honest = world.start("Dave");
    let cheat = |ask: Ask| {
        let count = ask.signed.request.sampling.max_tokens;
        let output: Vec<u32> = (0..count).map(|index| 40 + index).collect();
        vec![
            accepted(&ask),
            tokens(&output),
            frame(&Event::Receipt(signed(receipt(&ask, &output), "Bob"))),
        ]
    };
    liar::start(&world.chain, "Bob", Arc::new(cheat)).await;
    let court = Arc::new(Notes::default());
    let mut setup = Setup::new(&["Bob", "Dave"]);
    setup.auditor = Some(auditor(&court, WHOLE, true));
    let gateway = setup.start(&world).await.warm().await;
    let finished = gateway.ask(7, 16).await.finished();
    assert_eq!(finished.operator, Some(name("Bob")));
    let audits = &gateway.upstream.metrics().audits;
    until("it is found", || {
        audits.with_label_values(&["hard"]).get() == 1
    })
    .await;
    let heard = gateway.ask(8, 16).await;
    assert_eq!(heard.tokens, expected(&[0, 40, 41], 8, 16));
    assert_eq!(heard.finished().operator, Some(name("Dave")));
    let reports = court.reports.lock().unwrap();
    assert_eq!(reports.len(), 1);
    let (request, receipt) = &reports[0];
    assert_eq!(receipt.receipt.seq, request.request.seq);
    drop(honest);
}

// GIVEN a gateway that replays nothing, and one that does not report
// WHEN an operator cheats
// THEN nothing is found, or found and not reported
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_wanted_is_not_done() {
    for (share, found) in [(0, 0), (WHOLE, 1)] {
        let world = World::new();
        let cheat = |ask: Ask| {
            let output: Vec<u32> = (0..16).map(|index| 40 + index).collect();
            vec![
                accepted(&ask),
                tokens(&output),
                frame(&Event::Receipt(signed(receipt(&ask, &output), "Bob"))),
            ]
        };
        liar::start(&world.chain, "Bob", Arc::new(cheat)).await;
        let court = Arc::new(Notes::default());
        let mut setup = Setup::new(&["Bob"]);
        setup.auditor = Some(auditor(&court, share, false));
        let gateway = setup.start(&world).await.warm().await;
        gateway.ask(7, 16).await.finished();
        let audits = &gateway.upstream.metrics().audits;
        let hard = || audits.with_label_values(&["hard"]).get();
        if found > 0 {
            until("it is found", || hard() == found).await;
        }
        assert_eq!(hard(), found);
        assert!(court.reports.lock().unwrap().is_empty());
    }
}
