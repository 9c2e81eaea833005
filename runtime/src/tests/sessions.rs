//! The whole life of a session on the real pallets: who pays and who is paid.

use super::world::*;
use crate::{
    config::{RESERVE, SESSIONS_POT},
    constants::money::EXISTENTIAL_DEPOSIT,
    AccountId, Balance, Balances, Runtime, Sessions,
};
use chasqui_primitives::{
    audit::{HardReason, Stage, Verdict},
    hash,
    money::{split_fee, Shares},
    sampling::Sampling,
    session::{
        sample::{OpenedLeaf, ShownAnswer},
        tree::{self, Leaf},
        Receipt, Request, SessionId, SignedReceipt, SignedRequest,
    },
    trace::{encode_trace, trace_root},
    FinishReason, DOT,
};
use sp_core::H256;
use sp_runtime::{traits::AccountIdConversion, BoundedVec};

type Call = pallet_sessions::Call<Runtime>;

/// Divides by nothing that fees are split by.
pub const UNIT_PRICE: Balance = 10_000_019;
/// Ends by the checkpoint's end token.
pub const ANSWER: [u32; 5] = [31, 32, 33, 34, 0];
/// Of a prompt of ten tokens and [`ANSWER`].
pub const PRICE: Balance = (10 + 5 * 4) * UNIT_PRICE;
const DEPOSIT: Balance = DOT;

pub fn genesis_hash() -> H256 {
    Sessions::genesis_hash()
}

/// Pending money.
pub fn pot() -> Balance {
    let pot: AccountId = SESSIONS_POT.into_account_truncating();
    wealth(&pot) - EXISTENTIAL_DEPOSIT
}

/// A session of `client` whose committee is drawn.
fn open(client: &AccountId) -> SessionId {
    let call = Call::open {
        checkpoint: root(0),
        deposit: DEPOSIT,
        key: None,
    };
    send(client, call).unwrap();
    let id = pallet_sessions::ClientSessions::<Runtime>::iter_key_prefix(client)
        .next()
        .unwrap();
    await_some(10, || {
        let session = Sessions::session(id)?;
        (!session.committee.is_empty()).then_some(id)
    })
}

/// The request of a place and the answer of `operator` to it.
pub fn exchange(
    client: &AccountId,
    id: SessionId,
    operator: &AccountId,
    seq: u64,
) -> (SignedRequest<AccountId>, Receipt<AccountId>) {
    let request = Request {
        session: id,
        operator: operator.clone(),
        seq,
        checkpoint: root(0),
        prompt_hash: hash::prompt_hash(&genesis_hash(), &SALT, &PROMPT),
        prompt_tokens: PROMPT.len() as u32,
        sampling: Sampling::greedy(5),
        unit_price: UNIT_PRICE,
        max_price: PRICE,
        cap: PRICE * Balance::from(seq),
        valid_until: 1_000,
    };
    let signed = signed(client, request);
    let receipt = Receipt {
        session: id,
        operator: operator.clone(),
        seq,
        request: signed.request.signing_hash(&genesis_hash()),
        output_hash: hash::output_hash(&genesis_hash(), &ANSWER),
        trace_root: trace_root(&trace_of(&ANSWER)),
        prompt_tokens: PROMPT.len() as u32,
        output_tokens: ANSWER.len() as u32,
        finish: FinishReason::Stop,
        price: PRICE,
    };
    (signed, receipt)
}

/// A request signed by its client.
pub fn signed(client: &AccountId, request: Request<AccountId>) -> SignedRequest<AccountId> {
    let message = request.signing_hash(&genesis_hash());
    let signature = sign(client, message.as_bytes());
    SignedRequest { request, signature }
}

/// A receipt signed by the hot key `key`.
pub fn signed_receipt(key: &AccountId, receipt: Receipt<AccountId>) -> SignedReceipt<AccountId> {
    let message = receipt.signing_hash(&genesis_hash());
    let signature = sign(key, message.as_bytes());
    SignedReceipt { receipt, signature }
}

/// The leaves of a run of answers.
pub fn leaves(run: &[(SignedRequest<AccountId>, Receipt<AccountId>)]) -> Vec<Leaf> {
    run.iter()
        .map(|(request, receipt)| Leaf {
            seq: receipt.seq,
            request: request.hash(&genesis_hash()),
            receipt: receipt.signing_hash(&genesis_hash()),
            price: receipt.price,
        })
        .collect()
}

/// The answer of one leaf, with everything that it takes to judge it.
pub fn shown(leaf: OpenedLeaf) -> ShownAnswer {
    ShownAnswer {
        leaf,
        salt: SALT,
        prompt: BoundedVec::truncate_from(PROMPT.to_vec()),
        trace: BoundedVec::truncate_from(encode_trace(&trace_of(&ANSWER))),
    }
}

/// The primary serves `count` requests and settles them.
fn serve(client: &AccountId, id: SessionId, count: u64) -> Vec<OpenedLeaf> {
    let operator = Sessions::session(id).unwrap().committee[0].clone();
    let exchanges: Vec<_> = (1..=count)
        .map(|seq| exchange(client, id, &operator, seq))
        .collect();
    let leaves = leaves(&exchanges);
    let (last, receipt) = exchanges.last().unwrap();
    let entry = pallet_sessions::Entry {
        request: last.clone(),
        claim: tree::claim(&leaves).unwrap(),
        signature: None,
    };
    let entries = BoundedVec::truncate_from(vec![entry]);
    send(&receipt.operator, Call::settle { entries }).unwrap();
    exchanges
        .iter()
        .enumerate()
        .map(|(index, (request, receipt))| {
            let proof = tree::prove(&leaves, index as u64).unwrap();
            OpenedLeaf::new(0, request, receipt, proof)
        })
        .collect()
}

/// Waits for the case over takings.
fn case_of(takings: u64) -> u64 {
    await_some(100, || {
        match pallet_sessions::AllTakings::<Runtime>::get(takings)?.stage {
            pallet_sessions::TakingsStage::InAudit { case, .. } => Some(case),
            _ => None,
        }
    })
}

/// Panel and electorate agree that it is false.
fn find_false(case: u64) {
    let verdict = Verdict::Hard(HardReason::Margin);
    judge(case, Stage::One, verdict);
    await_some(20, || {
        pallet_audits::Duties::<Runtime>::iter()
            .any(|(_, of, stage)| of == case && stage == Stage::Two)
            .then_some(())
    });
    judge(case, Stage::Two, verdict);
}

/// Waits for a phase of a case.
fn await_phase(case: u64, wanted: fn(&pallet_audits::Phase<u32>) -> bool) {
    await_some(40, || {
        let case = pallet_audits::Cases::<Runtime>::get(case)?;
        wanted(&case.phase).then_some(())
    });
}

#[test]
fn honest_sessions_are_paid_like_audited_jobs() {
    chain(11).execute_with(|| {
        // GIVEN two executors and four validators, and a session that its primary served
        network(2, 4, UNIT_PRICE);
        await_epoch(current_epoch() + 1);
        let client = person(8);
        let before = wealth(&client);
        let id = open(&client);
        let operator = Sessions::session(id).unwrap().committee[0].clone();
        serve(&client, id, 4);
        assert_eq!(pot(), 4 * PRICE);
        check_state();

        // WHEN its epoch has ended and the panel finds nothing wrong
        let case = case_of(0);
        assert_eq!(judge(case, Stage::One, Verdict::Valid).len(), 3);

        // THEN the fee is shared with the auditors, and the standing of the operator grows
        let split = split_fee(4 * PRICE, &Shares::default(), 3);
        assert_eq!(
            pallet_rewards::Unclaimed::<Runtime>::get(&operator),
            split.executor
        );
        assert_eq!(pot(), 0);
        let record = pallet_operators::Operators::<Runtime>::get(&operator).unwrap();
        assert_eq!(record.liabilities, 0);
        // AND when the client closes the session, it has the rest back
        send(&client, Call::close { session: id }).unwrap();
        await_some(100, || Sessions::session(id).is_none().then_some(()));
        let spent = (4 * PRICE).max(DEPOSIT / 5);
        assert_eq!(wealth(&client), before - spent);
        check_state();
    });
}

#[test]
fn false_answers_go_back_to_the_client_and_cost_the_operator() {
    chain(12).execute_with(|| {
        // GIVEN a session that its primary settled
        network(1, 4, UNIT_PRICE);
        let client = person(8);
        let id = open(&client);
        let before = wealth(&client);
        serve(&client, id, 4);
        let operator = person(0);
        let bond = held(pallet_operators::HoldReason::Bond, &operator);
        // WHEN panel and electorate find a false answer
        let case = case_of(0);
        find_false(case);
        next_block();
        // THEN the client has everything back, and the operator is slashed
        assert_eq!((wealth(&client), pot()), (before, 0));
        assert!(held(pallet_operators::HoldReason::Bond, &operator) < bond);
        let record = pallet_operators::Operators::<Runtime>::get(&operator).unwrap();
        assert_eq!((record.reputation, record.liabilities), (0, 0));
        check_state();
    });
}

#[test]
fn an_operator_that_is_said_to_withhold_shows_its_answers_on_chain() {
    chain(13).execute_with(|| {
        // GIVEN takings that all auditors say are withheld
        network(1, 4, UNIT_PRICE);
        let client = person(8);
        let id = open(&client);
        let leaves = serve(&client, id, 4);
        let case = case_of(0);
        judge(case, Stage::One, Verdict::Withheld);
        await_phase(case, |phase| {
            matches!(phase, pallet_audits::Phase::Opening { .. })
        });
        let call = || pallet_audits::Call::<Runtime>::post_opening {
            case,
            opening: Default::default(),
        };
        // WHEN the operator shows three of its four answers THEN that opens nothing
        let show = |leaves: &[OpenedLeaf]| {
            let answers = leaves.iter().cloned().map(shown).collect();
            let answers = BoundedVec::truncate_from(answers);
            send(
                &person(0),
                Call::show {
                    takings: 0,
                    answers,
                },
            )
            .unwrap();
        };
        show(&leaves[..3]);
        assert!(send(&person(0), call()).is_err());
        // WHEN it shows the last one, and says that it has opened
        show(&leaves[3..]);
        send(&person(0), call()).unwrap();
        // THEN the auditors judge anew
        await_phase(case, |phase| {
            matches!(phase, pallet_audits::Phase::Commit { .. })
        });
        judge(case, Stage::One, Verdict::Valid);
        assert_eq!(pot(), 0);
        check_state();
    });
}

#[test]
fn who_shows_leaves_and_hides_prompts_is_slashed() {
    chain(16).execute_with(|| {
        // GIVEN takings of an operator that opens nothing to auditors
        network(1, 4, UNIT_PRICE);
        let client = person(8);
        let id = open(&client);
        let before = wealth(&client);
        let leaves = serve(&client, id, 4);
        let bond = held(pallet_operators::HoldReason::Bond, &person(0));
        let case = case_of(0);
        judge(case, Stage::One, Verdict::Withheld);
        await_phase(case, |phase| {
            matches!(phase, pallet_audits::Phase::Opening { .. })
        });
        // WHEN it shows what it signed, without the prompts, and waits
        let mut hidden = shown(leaves[0].clone());
        hidden.prompt = Default::default();
        let answers = BoundedVec::truncate_from(vec![hidden]);
        assert!(send(
            &person(0),
            Call::show {
                takings: 0,
                answers
            }
        )
        .is_err());
        await_some(40, || {
            (!pallet_audits::Cases::<Runtime>::contains_key(case)).then_some(())
        });
        next_block();
        // THEN that is as false as a false answer: the client has its money back, the bond pays
        assert_eq!((wealth(&client), pot()), (before, 0));
        assert!(held(pallet_operators::HoldReason::Bond, &person(0)) < bond);
        check_state();
    });
}

#[test]
fn a_validator_does_not_judge_its_own_session() {
    chain(17).execute_with(|| {
        // GIVEN an executor, four validators, and a session that one of them opened as a client
        network(1, 4, UNIT_PRICE);
        let validators: Vec<AccountId> = pallet_operators::Operators::<Runtime>::iter()
            .filter(|(_, record)| record.roles.validate)
            .map(|(who, _)| who)
            .collect();
        let client = validators[0].clone();
        let id = open(&client);
        serve(&client, id, 4);
        // WHEN it is judged THEN the other three sit on the panel
        let case = case_of(0);
        let seats = pallet_audits::Cases::<Runtime>::get(case).unwrap().seats;
        assert_eq!(seats.len(), 3);
        assert!(seats.iter().all(|seat| seat.auditor != client));
        // AND when it goes to the vote, the client has none
        let verdict = Verdict::Hard(HardReason::Margin);
        judge(case, Stage::One, verdict);
        let ballots = await_some(20, || {
            let ballots = pallet_audits::Ballots::<Runtime>::iter_key_prefix(case);
            let ballots: Vec<AccountId> = ballots.collect();
            (!ballots.is_empty()).then_some(ballots)
        });
        assert_eq!(ballots.len(), 3);
        assert!(!ballots.contains(&client));
        judge(case, Stage::Two, verdict);
        check_state();
    });
}

#[test]
fn a_report_is_judged_about_one_answer() {
    chain(14).execute_with(|| {
        // GIVEN a client that reports an answer with the operator's receipt
        network(1, 4, UNIT_PRICE);
        let client = person(8);
        let id = open(&client);
        let (request, receipt) = exchange(&client, id, &person(0), 1);
        let receipt = signed_receipt(&hot_key(0), receipt);
        let reserve: AccountId = RESERVE.into_account_truncating();
        let before = (wealth(&client), wealth(&reserve));
        let call = Call::report {
            request,
            receipt,
            settlement: None,
        };
        send(&client, call).unwrap();
        let case = await_some(20, || {
            match pallet_sessions::Reports::<Runtime>::get(0)?.stage {
                pallet_sessions::ReportStage::InAudit { case } => Some(case),
                _ => None,
            }
        });
        // WHEN it is false
        find_false(case);
        // THEN the client has its part of the slash, and the reserve the most of it
        assert!(wealth(&client) > before.0 && wealth(&reserve) > before.1);
        check_state();
    });
}

#[test]
fn a_close_window_is_at_least_an_epoch() {
    // I6: by default, and in the presets.
    let epoch = pallet_operators::Params::default().epoch_blocks;
    let params = pallet_sessions::ParamsOf::<Runtime>::default();
    assert!(params.close_blocks >= epoch);
    chain(1).execute_with(|| {
        let epoch = pallet_operators::Parameters::<Runtime>::get().epoch_blocks;
        assert!(Sessions::params().close_blocks >= epoch);
        assert_eq!(Balances::free_balance(Sessions::pot()), EXISTENTIAL_DEPOSIT);
    });
}
