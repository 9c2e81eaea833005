//! Many requests at once.

use crate::{
    common::{expected, World},
    world::{price, Setup},
};
use std::{collections::BTreeMap, sync::Arc};

// GIVEN more requests at once than there may be sessions
// WHEN all are asked
// THEN each gets its own whole answer, every place of a channel is used once, and the receipts add up to the journal
#[tokio::test(flavor = "multi_thread")]
async fn every_request_gets_its_answer_and_every_place_is_used_once() {
    let world = World::new();
    let honest = [world.start("Bob"), world.start("Dave")];
    let gateway = Setup::new(&["Bob", "Dave"])
        .start(&world)
        .await
        .warm()
        .await;
    let gateway = Arc::new(gateway);
    let asking: Vec<_> = (0..24u64)
        .map(|seed| {
            let gateway = gateway.clone();
            tokio::spawn(async move { (seed, gateway.ask(seed, 16).await) })
        })
        .collect();
    let mut places: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let mut sum = 0;
    for task in asking {
        let (seed, heard) = task.await.unwrap();
        assert_eq!(heard.tokens, expected(&[0, 40, 41], seed, 16));
        let finished = heard.finished();
        assert_eq!(finished.price, price(3, 16));
        sum += finished.price;
        let session = finished.session.unwrap();
        let channel = format!("{session}/{}", finished.operator.unwrap());
        places
            .entry(channel)
            .or_default()
            .push(finished.sequence.unwrap());
    }
    for (channel, mut places) in places {
        places.sort_unstable();
        let expected: Vec<u64> = (1..=places.len() as u64).collect();
        assert_eq!(places, expected, "{channel}");
    }
    assert_eq!(gateway.spent(&["Bob", "Dave"]), (sum, 0));
    assert!(gateway.sessions() <= 4);
    assert!(gateway.sessions() > 1);
    drop(honest);
}
