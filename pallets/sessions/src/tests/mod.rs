//! Tests by behaviour.

mod committees;
mod dust;
mod ending;
mod fraud;
mod invariants;
mod judges;
mod league;
mod lists;
mod opening;
mod openings;
mod params;
mod reports;
mod settling;
mod slices;
mod takings;
mod try_state;

use crate::{mock::*, pallet::Sessions, *};
use chasqui_primitives::{
    audit::{Decision, HardReason, Subject},
    hash,
    sampling::Sampling,
    session::{
        rules::Stop,
        sample::{OpenedLeaf, ShownAnswer},
        tree::{self, Claim, Leaf},
        Receipt, Request, SessionId, Settlement, ShrinkConsent, SignedReceipt, SignedRequest,
    },
    trace::{encode_trace, trace_root, TraceLeaf, FINGERPRINT_DIMS},
    traits::{CaseSubjects, Epochs, Offence},
    Balance, CaseId, CheckpointRoot, FinishReason,
};
use frame_support::traits::fungible::{InspectHold, Mutate};
use parity_scale_codec::Encode;
use sp_core::{sr25519, Pair, H256};
use sp_runtime::{traits::Dispatchable, DispatchError, MultiSignature, Perbill};

const DEPOSIT: Balance = 10_000;
const OUTPUT: [u32; 3] = [10, 20, END_TOKEN];
const PROMPT: [u32; 4] = [5, 6, 7, 8];
const SALT: [u8; 32] = [9; 32];

type Asked = SignedRequest<AccountId>;
type Answered = SignedReceipt<AccountId>;

/// Calls as the runtime does: what fails is rolled back.
fn dispatch(call: Call<Test>, who: &AccountId) -> Result<(), DispatchError> {
    RuntimeCall::from(call)
        .dispatch(RuntimeOrigin::signed(who.clone()))
        .map(|_| ())
        .map_err(|error| error.error)
}

fn alice() -> AccountId {
    account(ALICE)
}

/// The key that signs Alice's requests.
fn key() -> sr25519::Pair {
    sr25519::Pair::from_seed(&[77; 32])
}

fn genesis_hash() -> H256 {
    Pallet::<Test>::genesis_hash()
}

fn open_with(
    who: &AccountId,
    checkpoint: CheckpointRoot,
    deposit: Balance,
) -> Result<(), DispatchError> {
    let call = Call::open {
        checkpoint,
        deposit,
        key: Some(key().public().into()),
    };
    dispatch(call, who)
}

/// A session of Alice's, without a committee yet.
fn opened(deposit: Balance) -> SessionId {
    open_with(&alice(), CHECKPOINT, deposit).expect("the request is good");
    newest()
}

fn newest() -> SessionId {
    System::events()
        .into_iter()
        .rev()
        .find_map(|record| match record.event {
            RuntimeEvent::Sessions(Event::Opened { session, .. }) => Some(session),
            _ => None,
        })
        .expect("a session was opened")
}

/// Enough blocks that a draw announced now has happened.
fn run_to_draw() {
    run_blocks(u64::from(DELAY + SPAN));
}

/// A session with a committee of three.
fn drawn(deposit: Balance) -> SessionId {
    let id = opened(deposit);
    run_to_draw();
    assert_eq!(session(id).committee.len(), 3);
    id
}

fn session(id: SessionId) -> SessionOf<Test> {
    Sessions::<Test>::get(id).expect("a live session")
}

/// The member of the committee at a place.
fn member(id: SessionId, place: usize) -> AccountId {
    session(id).committee[place].clone()
}

fn channel(id: SessionId, operator: &AccountId) -> ChannelOf<Test> {
    Channels::<Test>::get(id, operator).expect("a channel")
}

fn slice(id: SessionId, operator: &AccountId) -> Balance {
    channel(id, operator).rules.slice
}

fn trace(ids: &[u32]) -> Vec<TraceLeaf> {
    ids.iter()
        .map(|token| TraceLeaf {
            token: *token,
            fingerprint: [*token as i16; FINGERPRINT_DIMS],
        })
        .collect()
}

/// A request of Alice's that may cost `max_price`, with any cap.
fn request(id: SessionId, operator: &AccountId, seq: u64, max: Balance, cap: Balance) -> Asked {
    signed(Request {
        session: id,
        operator: operator.clone(),
        seq,
        checkpoint: CHECKPOINT,
        prompt_hash: hash::prompt_hash(&genesis_hash(), &SALT, &PROMPT),
        prompt_tokens: 4,
        sampling: Sampling::greedy(8),
        unit_price: UNIT_PRICE,
        max_price: max,
        cap,
        valid_until: 1_000,
    })
}

fn signed(request: Request<AccountId>) -> Asked {
    let hash = request.signing_hash(&genesis_hash());
    SignedRequest {
        signature: key().sign(hash.as_bytes()).into(),
        request,
    }
}

/// The operator's answer to it.
fn receipt(asked: &Asked, price: Balance) -> Receipt<AccountId> {
    let request = &asked.request;
    Receipt {
        session: request.session,
        operator: request.operator.clone(),
        seq: request.seq,
        request: request.signing_hash(&genesis_hash()),
        output_hash: hash::output_hash(&genesis_hash(), &OUTPUT),
        trace_root: trace_root(&trace(&OUTPUT)),
        prompt_tokens: request.prompt_tokens,
        output_tokens: OUTPUT.len() as u32,
        finish: FinishReason::Stop,
        price,
    }
}

fn sign_by(operator: &AccountId, hash: H256) -> MultiSignature {
    hot_pair(number_of(operator)).sign(hash.as_bytes()).into()
}

fn signed_receipt(receipt: Receipt<AccountId>) -> Answered {
    let hash = receipt.signing_hash(&genesis_hash());
    SignedReceipt {
        signature: sign_by(&receipt.operator, hash),
        receipt,
    }
}

/// A run of honest requests and answers on one channel, beginning after what is settled.
#[derive(Clone)]
struct Run {
    asked: Vec<Asked>,
    answered: Vec<Receipt<AccountId>>,
}

impl Run {
    fn new(id: SessionId, operator: &AccountId, prices: &[Balance]) -> Self {
        let rules = channel(id, operator).rules;
        let mut cap = rules.settled;
        let (mut asked, mut answered) = (vec![], vec![]);
        for (price, seq) in prices.iter().zip(rules.last_seq + 1..) {
            cap += price;
            let request = request(id, operator, seq, *price, cap);
            answered.push(receipt(&request, *price));
            asked.push(request);
        }
        Self { asked, answered }
    }

    fn leaves(&self) -> Vec<Leaf> {
        let answers = self.asked.iter().zip(&self.answered);
        answers
            .map(|(asked, answer)| Leaf {
                seq: answer.seq,
                request: asked.hash(&genesis_hash()),
                receipt: answer.signing_hash(&genesis_hash()),
                price: answer.price,
            })
            .collect()
    }

    fn claim(&self) -> Claim {
        tree::claim(&self.leaves()).expect("a good run")
    }

    fn entry(&self) -> Entry<AccountId> {
        entry(self.asked.last().expect("not empty"), self.claim())
    }

    /// One leaf of it as the `settlement`-th of a case.
    fn opened(&self, settlement: u32, index: usize) -> OpenedLeaf {
        let proof = tree::prove(&self.leaves(), index as u64).expect("in range");
        OpenedLeaf::new(settlement, &self.asked[index], &self.answered[index], proof)
    }

    /// All that it takes to judge that one.
    fn shown(&self, settlement: u32, index: usize) -> ShownAnswer {
        ShownAnswer {
            leaf: self.opened(settlement, index),
            salt: SALT,
            prompt: PROMPT.to_vec().try_into().expect("short"),
            trace: encode_trace(&trace(&OUTPUT)).try_into().expect("short"),
        }
    }
}

/// A settlement signed by its operator.
fn entry(asked: &Asked, claim: Claim) -> Entry<AccountId> {
    let settlement = Settlement {
        session: asked.request.session,
        operator: asked.request.operator.clone(),
        claim,
    };
    let hash = settlement.signing_hash(&genesis_hash());
    Entry {
        request: asked.clone(),
        claim,
        signature: Some(sign_by(&settlement.operator, hash)),
    }
}

fn settle_all(entries: Vec<Entry<AccountId>>) -> Result<(), DispatchError> {
    let entries = entries.try_into().expect("not too many");
    // Anybody may submit.
    dispatch(Call::settle { entries }, &account(BOB))
}

/// Serves requests of these prices and settles them.
fn settled(id: SessionId, operator: &AccountId, prices: &[Balance]) -> Run {
    let run = Run::new(id, operator, prices);
    settle_all(vec![run.entry()]).expect("the run is good");
    run
}

/// The newest takings of an operator.
fn takings_of(operator: &AccountId) -> TakingsId {
    NewestTakings::<Test>::get(operator, CHECKPOINT).expect("it settled something")
}

fn takings(id: TakingsId) -> TakingsOf<Test> {
    AllTakings::<Test>::get(id).expect("takings that are here")
}

/// Runs until a case over takings is open.
fn in_audit(id: TakingsId) -> CaseId {
    next_epoch();
    run_to_draw();
    match takings(id).stage {
        TakingsStage::InAudit { case, .. } => case,
        stage => panic!("{stage:?}"),
    }
}

/// The audits pallet closes a case with the agreement of all auditors.
fn close_case(case: CaseId, decision: Decision) {
    let (subject, ..) = OpenCases::take(case).expect("an open case");
    let majority: Vec<_> = AUDITORS.map(account).to_vec();
    Pallet::<Test>::on_closed(&subject, case, decision, &majority);
}

const HARD: Decision = Decision::Hard(HardReason::Margin);

fn free(who: &AccountId) -> Balance {
    Balances::free_balance(who)
}

fn held(reason: HoldReason) -> Balance {
    Balances::balance_on_hold(&reason.into(), &alice())
}

fn in_pot() -> Balance {
    free(&Pallet::<Test>::pot()) - EXISTENTIAL_DEPOSIT
}

fn registered(operator: &AccountId) -> Registered {
    Registry::get(operator).expect("registered")
}

fn assert_event(event: Event<Test>) {
    System::assert_has_event(event.into());
}
