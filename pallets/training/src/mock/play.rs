//! What people do in tests.

use super::*;
use chasqui_primitives::{
    audit::HardReason,
    training::{Owed, Phase, Run},
    traits::CaseSubjects,
};
use frame_support::dispatch::PostDispatchInfo;
use sp_runtime::DispatchErrorWithPostInfo;

/// A proven lie.
pub const FALSE: Decision = Decision::Hard(HardReason::Mismatch);
/// The auditors who reveal with the majority.
pub const MAJORITY: [AccountId; 3] = [20, 21, 22];

pub fn signed(who: AccountId) -> RuntimeOrigin {
    RuntimeOrigin::signed(who)
}

/// Panics with what went wrong.
pub fn ok<R>(result: Result<R, impl core::fmt::Debug>) {
    if let Err(error) = result {
        panic!("it should be possible: {error:?}");
    }
}

/// Dispatches a call as a block does: what fails leaves nothing behind.
pub fn call<R>(
    call: impl FnOnce() -> Result<R, DispatchErrorWithPostInfo<PostDispatchInfo>>,
) -> DispatchResult {
    frame_support::storage::with_storage_layer(call)
        .map(drop)
        .map_err(|error| error.error)
}

pub fn create(terms: RunTerms) -> RunId {
    let id = NextRun::<Test>::get();
    Training::create_run(RuntimeOrigin::root(), Box::new(terms)).expect("the terms are good");
    id
}

pub fn head(run: RunId) -> Run<AccountId> {
    Runs::<Test>::get(run).expect("a run").head
}

pub fn around(run: RunId) -> Surroundings<AccountId> {
    Runs::<Test>::get(run).expect("a run").around
}

pub fn phase(run: RunId) -> Phase {
    head(run).phase
}

pub fn serve(who: AccountId, run: RunId) {
    Serving::insert((who, around(run).root), ());
}

pub fn join(who: AccountId, run: RunId) -> DispatchResult {
    serve(who, run);
    call(|| Ok(Training::join(signed(who), run, H256::repeat_byte(1))?))
}

/// `count` operators join and are ready.
pub fn gather(run: RunId, count: u64) {
    for who in 0..count {
        join(who, run).expect("there is room");
        Training::heartbeat(signed(who), run).expect("it is a member");
    }
}

/// A run of `count` members that trains its first round.
pub fn training(terms: RunTerms, count: u64) -> RunId {
    let run = create(terms);
    gather(run, count);
    wait_for(run, |phase| matches!(phase, Phase::Train { .. }));
    run
}

/// Blocks until the run is in such a phase; nobody does anything.
pub fn wait_for(run: RunId, wanted: impl Fn(Phase) -> bool) {
    for _ in 0..500 {
        if wanted(phase(run)) {
            return;
        }
        run_for(1);
    }
    panic!("it did not come: {:?}", head(run));
}

/// The running round, or the next one.
pub fn round(run: RunId) -> u32 {
    head(run).round
}

/// What an honest member reports of a round.
pub fn report(who: AccountId, run: RunId, round: u32) -> RoundReport {
    let recipe = Terms::<Test>::get(run).expect("a run").recipe;
    let root = |part: u8| H256((who, run, round, part).using_encoded(sp_io::hashing::blake2_256));
    RoundReport {
        gradient: root(0),
        kept: root(1),
        leaves: recipe.segments + 1,
        tokens: recipe.tokens_per_round(),
        units: recipe.tokens_per_round(),
        loss_micro: 1,
        norm_milli: 1,
    }
}

pub fn salt(who: AccountId) -> [u8; 32] {
    [who as u8; 32]
}

pub fn commit_to(who: AccountId, run: RunId, report: &RoundReport) -> DispatchResult {
    let round = round(run);
    let commitment = report.commitment(&Training::genesis(), &who, run, round, &salt(who));
    call(|| Training::commit(signed(who), run, round, commitment))
}

pub fn commit(who: AccountId, run: RunId) -> DispatchResult {
    commit_to(who, run, &report(who, run, round(run)))
}

pub fn reveal_as(who: AccountId, run: RunId, report: RoundReport) -> DispatchResult {
    call(|| Training::reveal(signed(who), run, round(run), report, salt(who)))
}

pub fn reveal(who: AccountId, run: RunId) -> DispatchResult {
    reveal_as(who, run, report(who, run, round(run)))
}

pub fn attest(who: AccountId, run: RunId, ranks: impl IntoIterator<Item = u32>) -> DispatchResult {
    let members = Training::round(run, round(run)).map_or(1, |record| record.members);
    let ranks = Ranks::of(members, ranks);
    call(|| Training::attest(signed(who), run, round(run), ranks))
}

/// The model that value `value` stands for; 0 is the right one.
pub fn model(run: RunId, round: u32, value: u8) -> ModelState {
    let part = |part: u8| H256((run, round, value, part).using_encoded(sp_io::hashing::blake2_256));
    ModelState {
        hash: part(0),
        params: part(1),
        momentum: part(2),
        checkpoint: part(3),
    }
}

pub fn agree(who: AccountId, run: RunId, value: u8) -> DispatchResult {
    let round = round(run);
    call(|| Training::agree(signed(who), run, round, model(run, round, value)))
}

/// Challenges the agreed round with the model of `value`.
pub fn challenge(who: AccountId, run: RunId, value: u8) -> DispatchResult {
    let round = head(run).pending.map_or(0, |pending| pending.round);
    let model = model(run, round, value);
    call(|| Ok(Training::challenge(signed(who), run, round, model)?))
}

/// What `who` owes the run.
pub fn owed(who: AccountId, run: RunId) -> Option<Owed> {
    let tasks = Training::tasks(who);
    tasks.into_iter().find(|task| task.run == run)?.owed
}

/// Does what the run waits for of `who`; where it `lies`, it holds nobody's work and says that the model is another.
pub fn act(who: AccountId, run: RunId, lies: bool) -> DispatchResult {
    match owed(who, run) {
        None => Ok(()),
        Some(Owed::Heartbeat) => call(|| Ok(Training::heartbeat(signed(who), run)?)),
        Some(Owed::Commitment { .. }) => commit(who, run),
        Some(Owed::Report { .. }) => reveal(who, run),
        Some(Owed::Attestation { .. }) => attest(who, run, 0..if lies { 0 } else { 32 }),
        Some(Owed::Model { .. }) => agree(who, run, u8::from(lies)),
    }
}

/// Everybody honest does what is owed, cases are closed as `judges` says, and blocks pass, until `done`.
pub fn go_until(
    run: RunId,
    judges: impl Fn(AccountId) -> Decision,
    done: impl Fn(&Run<AccountId>) -> bool,
) {
    for _ in 0..1_000 {
        if done(&head(run)) {
            return;
        }
        for who in COMPUTE {
            act(who, run, false).expect("what is owed can be done");
        }
        for (case, opened) in OpenCases::iter().collect::<Vec<_>>() {
            close(case, judges(opened.operator));
        }
        run_for(1);
    }
    panic!("it did not come: {:?}", head(run));
}

/// Honest rounds until such a phase.
pub fn go_to(run: RunId, wanted: impl Fn(Phase) -> bool) {
    go_until(run, |_| Decision::Valid, |head| wanted(head.phase));
}

/// Closes a case.
pub fn close(case: CaseId, decision: Decision) {
    let opened = OpenCases::take(case).expect("the case is open");
    Training::on_closed(&opened.subject, case, decision, &MAJORITY);
    check();
}

/// The open case about a member's work.
pub fn case_of(who: AccountId) -> CaseId {
    let found = OpenCases::iter().find(|(_, case)| case.operator == who && case.client.is_none());
    found.expect("its work is in audit").0
}

/// The open case about a challenge.
pub fn challenge_case() -> Option<CaseId> {
    let found = OpenCases::iter().find(|(_, case)| case.client.is_some());
    found.map(|(case, _)| case)
}

/// Where a member's pay goes.
pub fn owner(who: AccountId) -> AccountId {
    who + 200
}

/// Those who were slashed.
pub fn slashed() -> Vec<AccountId> {
    Slashes::get()
        .into_iter()
        .map(|slash| slash.operator)
        .collect()
}
