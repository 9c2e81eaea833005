//! A conversation of several turns, from the deposit to the settlement.

mod common;

use chasqui_primitives::{
    hash::output_hash, money, session::tree, trace::decode_trace, FinishReason,
};
use chasqui_session::client::{Finished, Output};
use common::{expected, question, terms, World, GENESIS, SLICE};

// GIVEN a session with a slice for one operator
// WHEN its client asks turn after turn, each with the whole conversation as its prompt
// THEN tokens stream, every answer is the model's, prompts are not fed again, receipts add up, and the chain settles
//      exactly their sum
#[tokio::test(flavor = "multi_thread")]
async fn several_turns_stream_and_settle() {
    let world = World::new();
    let session = world.chain.open(1, &["Bob"], SLICE);
    let running = world.start("Bob");
    let client = world.connect();
    let bob = common::account("Bob");
    let mut prompt = vec![0, 40, 41, 42];
    let mut sum = 0;
    for turn in 0..5u64 {
        let asked = question(&prompt, turn, 12);
        let mut answer = client.ask(&session, &bob, asked).await.unwrap();
        let mut streamed = Vec::new();
        let finished: Finished = loop {
            match answer.next().await.unwrap().unwrap() {
                Output::Token(token) => streamed.push(token.id),
                Output::Finished(finished) => break finished,
            }
        };
        assert!(answer.next().await.is_none());
        assert_eq!(finished.output, expected(&prompt, turn, 12));
        assert_eq!(finished.output, streamed);
        assert!(!finished.cut_short);
        let receipt = &finished.receipt.receipt;
        assert_eq!(receipt.seq, turn + 1);
        assert_eq!(receipt.finish, FinishReason::Length);
        let price = money::job_price(100, 1, 4, prompt.len() as u32, 12).unwrap();
        assert_eq!(receipt.price, price);
        sum += price;
        prompt.extend(&finished.output);
        prompt.extend([50 + turn as u32, 51]);
    }
    let (receipted, at_risk) = client.journal().spent(&session, &bob).unwrap();
    assert_eq!((receipted, at_risk), (sum, 0));
    let load = running.batcher.load();
    assert_eq!((load.conversations, load.reused), (5, 4));
    // 16 + 4 more tokens a turn, of which all but the last of the answer and two new ones are held.
    assert!(load.reused_tokens as usize > prompt.len(), "{load:?}");

    let journal = running.executor.journal();
    let (last, claim) = journal.claim(&session).unwrap().unwrap();
    assert_eq!((claim.first, claim.last, claim.sum), (1, 5, sum));
    world.chain.settle(&last, &claim).unwrap();
    assert_eq!(world.chain.channel(&session, "Bob").settled, sum);
    // The same again is refused by the chain, and the executor has nothing more to claim.
    assert!(world.chain.settle(&last, &claim).is_err());
    journal.settled(&session, 5).unwrap();
    assert!(journal.claim(&session).unwrap().is_none());
    // Every leaf opens under the root, and its trace is the output's.
    let leaves = journal.leaves(&session, 1, 5).unwrap();
    for (index, leaf) in leaves.iter().enumerate() {
        let proof = tree::prove(&leaves, index as u64).unwrap();
        assert!(tree::verify(&claim, leaf, &proof).is_some());
        let (kept, answer) = journal.leaf(&session, leaf.seq).unwrap().unwrap();
        let answer = answer.unwrap();
        let trace = decode_trace(&answer.trace).unwrap();
        let output: Vec<u32> = trace.iter().map(|leaf| leaf.token).collect();
        assert_eq!(
            answer.receipt.receipt.output_hash,
            output_hash(&GENESIS, &output)
        );
        assert_eq!(
            kept.signed.request.prompt_tokens as usize,
            kept.prompt.len()
        );
    }
    // The conversation goes on behind the settlement, and ends when the case over it is closed.
    let asked = question(&prompt[..20], 9, 4);
    let answer = client.ask(&session, &bob, asked).await.unwrap();
    assert_eq!(answer.finish().await.unwrap().receipt.receipt.seq, 6);
    journal.finalised(&session, 5).unwrap();
    assert!(journal.leaf(&session, 5).unwrap().is_none());
    assert!(journal.leaf(&session, 6).unwrap().is_some());
}

// GIVEN a client that wants probabilities
// WHEN it asks
// THEN each token comes with its own and the likeliest ones, and a stored answer comes without
#[tokio::test(flavor = "multi_thread")]
async fn probabilities_are_told_on_request() {
    let world = World::new();
    let session = world.chain.open(1, &["Bob"], SLICE);
    let _running = world.start("Bob");
    let client = world.connect();
    let bob = common::account("Bob");
    let mut asked = question(&[0, 40], 3, 5);
    asked.top_logprobs = Some(3);
    let mut answer = client.ask(&session, &bob, asked).await.unwrap();
    let mut told = 0;
    while let Some(output) = answer.next().await {
        if let Output::Token(token) = output.unwrap() {
            let probs = token.logprobs.unwrap();
            assert_eq!(probs.top.len(), 3);
            assert!(probs.chosen <= 0.0 && probs.chosen <= probs.top[0].1);
            told += 1;
        }
    }
    assert_eq!(told, 5);
    let mut again = client.repeat(&session, &bob, 1).await.unwrap();
    assert!(again.is_stored());
    while let Some(output) = again.next().await {
        if let Output::Token(token) = output.unwrap() {
            assert!(token.logprobs.is_none());
        }
    }
}

// GIVEN a slice that covers two requests and not a third
// WHEN the client asks for more, and then the slice grows
// THEN the third is not even signed, with an error that says what to do, and is served afterwards
#[tokio::test(flavor = "multi_thread")]
async fn the_slice_bounds_what_is_signed() {
    let world = World::new();
    let each = money::job_price(terms().unit_price, 1, 4, 2, 5).unwrap();
    let session = world.chain.open(1, &["Bob"], 2 * each);
    let _running = world.start("Bob");
    let client = world.connect();
    let bob = common::account("Bob");
    for _ in 0..2 {
        let answer = client.ask(&session, &bob, question(&[0, 40], 3, 5)).await;
        answer.unwrap().finish().await.unwrap();
    }
    let error = client
        .ask(&session, &bob, question(&[0, 40], 3, 5))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("let the slice grow"), "{error}");
    world
        .chain
        .change(&session, "Bob", |channel, deposit, now| {
            deposit.pay_in(each).unwrap();
            channel.grow(deposit, each, now).unwrap();
        });
    let answer = client.ask(&session, &bob, question(&[0, 40], 3, 5)).await;
    let finished = answer.unwrap().finish().await.unwrap();
    assert_eq!(finished.receipt.receipt.seq, 3);
}
