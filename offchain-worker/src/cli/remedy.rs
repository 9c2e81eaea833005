//! What to do about the refusals of the chain. The chain names a rule; the person at the command line has options.

/// By the chain's own names, `Pallet::Error`.
const REFUSALS: &[(&str, &str)] = &[
    (
        "Jobs::UnknownCheckpoint",
        "give the root of an accepted checkpoint: see `chasqui-worker checkpoint list`",
    ),
    (
        "Jobs::CheckpointTakesNoPayment",
        "too few independent validators serve it: choose another (`chasqui-worker checkpoint list`), or wait for more \
         (`chasqui-worker operator list`)",
    ),
    (
        "Jobs::CheckpointHasNoTokenizer",
        "give the prompt as token ids, by --ids",
    ),
    ("Jobs::PromptEmpty", "give a prompt that is not empty"),
    (
        "Jobs::PromptOutOfVocabulary",
        "check --ids against the checkpoint's vocabulary: see `chasqui-worker checkpoint list --json`",
    ),
    (
        "Jobs::ContextExceeded",
        "shorten the prompt or lower --max-tokens; on chain a text counts a token for every byte, with --as-blob (or \
         as --ids) what it really has",
    ),
    ("Jobs::MaxTokensTooLarge", "lower --max-tokens"),
    (
        "Jobs::StopIdOutOfVocabulary",
        "check --stop-ids against the checkpoint's vocabulary: see `chasqui-worker checkpoint list --json`",
    ),
    (
        "Jobs::PriceAboveMax",
        "raise --max-price, lower --max-tokens, shorten the prompt, or choose a cheaper checkpoint",
    ),
    (
        "Jobs::PriceOverflow",
        "lower --max-tokens or shorten the prompt",
    ),
    (
        "Operators::AlreadyRegistered",
        "see `chasqui-worker operator status`; to serve another checkpoint use `chasqui-worker operator serve`",
    ),
    (
        "Operators::NotOperator",
        "sign with the bonded account's key or its hot key, or register first: `chasqui-worker operator register`",
    ),
    (
        "Operators::HotKeyTaken",
        "give each operator a hot key of its own",
    ),
    (
        "Operators::IsHotKey",
        "register with another account: this one signs for an operator",
    ),
    ("Operators::BondTooLow", "raise --bond"),
    ("Operators::NoRole", "give --roles compute, validate, or both"),
    (
        "Operators::InvalidCapacity",
        "give a --capacity of at least 1, and not above the chain's maximum",
    ),
    (
        "Operators::InvalidEndpoint",
        "give a --url of printable ASCII characters",
    ),
    (
        "Operators::TooManyOperators",
        "wait until another operator leaves",
    ),
    (
        "Operators::UnknownCheckpoint",
        "give the root of a registered checkpoint: see `chasqui-worker checkpoint list`",
    ),
    (
        "Operators::AlreadyServing",
        "nothing needs to be done: see `chasqui-worker operator status`",
    ),
    (
        "Operators::TooManyCheckpoints",
        "this operator serves as many checkpoints as one can: register another",
    ),
    (
        "Operators::Unbonding",
        "the operator is leaving: see `chasqui-worker operator status` for the block from which \
         `chasqui-worker operator withdraw` pays the bond back",
    ),
    (
        "Operators::NotUnbonding",
        "start to leave first: `chasqui-worker operator unbond`",
    ),
    (
        "Operators::StillUnbonding",
        "wait for the block that `chasqui-worker operator status` names",
    ),
    (
        "Operators::HasLiabilities",
        "wait until its open jobs and cases are closed, and keep its worker running: see `openMatters` in \
         `chasqui-worker operator status --json`",
    ),
    (
        "Operators::NotJailed",
        "nothing needs to be done: see `chasqui-worker operator status`",
    ),
    (
        "Operators::StillJailed",
        "wait for the epoch that `chasqui-worker operator status` names",
    ),
    (
        "Checkpoints::AlreadyRegistered",
        "nothing needs to be done: see `chasqui-worker checkpoint list`",
    ),
    (
        "Checkpoints::InvalidInfo",
        "check --name, --licence, --units-per-prompt-token and --units-per-output-token: none may be empty or zero",
    ),
    (
        "Checkpoints::UnknownCheckpoint",
        "propose it first: `chasqui-worker checkpoint register`",
    ),
    (
        "Sessions::UnknownCheckpoint",
        "give the root of an accepted checkpoint: see `chasqui-worker checkpoint list`",
    ),
    (
        "Sessions::CheckpointTakesNoPayment",
        "too few independent validators serve it: choose another (`chasqui-worker checkpoint list`), or wait for more \
         (`chasqui-worker operator list`)",
    ),
    ("Sessions::DepositTooLow", "raise --deposit"),
    (
        "Sessions::DrawnThisEpoch",
        "wait for the next epoch: see `chasqui-worker status`",
    ),
    (
        "Sessions::NotFree",
        "put more in, or wait until the slices of an earlier committee fall away: see `chasqui-worker session show`",
    ),
    (
        "Sessions::SessionClosing",
        "open another: `chasqui-worker session open`",
    ),
    (
        "Sessions::NotClient",
        "sign with the key that opened the session",
    ),
    (
        "Sessions::SettlementMismatch",
        "the takings that hold the answer are decided by now: report an answer before its epoch is audited",
    ),
    (
        "Sessions::AlreadyReported",
        "each answer is reported once: its case is open, or has ended",
    ),
    (
        "Sessions::TooManyReports",
        "as many answers of this channel were reported as may be: close the session, and use another operator",
    ),
    (
        "Voting::NotOperator",
        "sign with the operator's bonded account's key or its owner's, never its hot key; another operator is named by \
         --operator",
    ),
    (
        "Voting::NotOngoing",
        "the referendum is over, or there is none of this number: see `chasqui-worker gov list`",
    ),
    (
        "Voting::NoWeight",
        "a vote weighs what its operator did in the 28 epochs before the referendum: see `chasqui-worker gov show NUMBER \
         --operator ADDRESS`",
    ),
    (
        "Voting::TooManyDelegators",
        "delegate to somebody else: this operator has as many as one may",
    ),
    (
        "Economy::NotOperator",
        "sign with the operator's bonded account's key or its owner's, never its hot key; another operator is named by \
         --operator",
    ),
    (
        "Economy::PriceOutOfRange",
        "give a --price above zero",
    ),
    (
        "Economy::NotVoted",
        "nothing needs to be done: the operator has no vote on the price",
    ),
    (
        "Sudo::RequireSudo",
        "sign with the chain's root key: only it may do this until governance decides",
    ),
    (
        "Rewards::TooEarly",
        "an epoch can be claimed from the second one after it: see `epoch` in `chasqui-worker status`",
    ),
    (
        "Rewards::CaseOpen",
        "wait until the open case on that epoch's work is closed, then claim again",
    ),
    (
        "Rewards::NothingToClaim",
        "leave out --epoch to claim whatever there is",
    ),
    (
        "Datasets::AlreadySubmitted",
        "nothing needs to be done: see `chasqui-worker dataset show ROOT`",
    ),
    (
        "Datasets::InconsistentTerms",
        "build the dataset anew: `chasqui-worker dataset build`",
    ),
    (
        "Datasets::InvalidLicence",
        "give --licence as an SPDX expression, such as CC-BY-4.0 or `MIT OR Apache-2.0`",
    ),
    (
        "Datasets::InvalidDescription",
        "give a --description in words, without control characters",
    ),
    (
        "Datasets::HotKey",
        "sign with the bonded account's key: what a dataset earns could not be claimed by a hot key",
    ),
    (
        "Datasets::TooManyUndecided",
        "wait until validators have decided on others: see `chasqui-worker dataset list`",
    ),
    (
        "Datasets::NoSuchDataset",
        "see `chasqui-worker dataset list`: it is gone, or never was",
    ),
    (
        "Datasets::NotTheSubmitter",
        "sign with the key that submitted it: see `chasqui-worker dataset show DATASET`",
    ),
    (
        "Datasets::InAudit",
        "wait until its case is decided: see `chasqui-worker dataset show DATASET`",
    ),
    (
        "Datasets::InUse",
        "wait until the runs that use it have ended: see `chasqui-worker dataset show DATASET`",
    ),
    (
        "Training::UnusableDataset",
        "wait until validators have found the dataset usable (`chasqui-worker dataset show ROOT`), or name another",
    ),
    (
        "Training::UnknownCheckpoint",
        "name a registered checkpoint: see `chasqui-worker checkpoint list`",
    ),
    (
        "Training::TooManyEvaluations",
        "wait until another validator takes one back: see `chasqui-worker checkpoint evaluations ROOT`",
    ),
    (
        "Training::NoSuchEvaluation",
        "nothing needs to be done: see `chasqui-worker checkpoint evaluations ROOT` for who said what on which dataset",
    ),
    (
        "Training::InvalidEvaluation",
        "the loss is above a thousand nats a token, or not a number of tokens that the dataset holds out",
    ),
    (
        "Training::SmallVocabulary",
        "take a dataset whose tokens this model knows: it must have been built with the model's tokenizer",
    ),
    (
        "Training::TooManyMembers",
        "lower `members.max` of the terms",
    ),
    (
        "Training::TooManyRuns",
        "wait until another run has ended: see `chasqui-worker train status`",
    ),
    (
        "TrainingFund::NotEnoughFree",
        "lower `round_pay` or `rounds`, or wait until the fund holds more: see `chasqui-worker fund status`",
    ),
    (
        "Training::NotAnOperator",
        "sign with the bonded account's key or its hot key, or register first: `chasqui-worker operator register`",
    ),
    (
        "Training::NotServing",
        "the operator must be active, serve the run's root with the role compute (or, to attest an evaluation, the \
         checkpoint with the role validate): see `chasqui-worker operator status`",
    ),
    (
        "Training::Full",
        "wait until a member leaves: see `chasqui-worker train status`",
    ),
    (
        "Training::AlreadyMember",
        "nothing needs to be done: see `chasqui-worker train status`",
    ),
    (
        "Training::NotMember",
        "see `chasqui-worker train status` for who is a member",
    ),
    (
        "Training::Leaving",
        "nothing needs to be done: it leaves when the running round has ended",
    ),
    (
        "Training::NothingMade",
        "no final round of the run made a checkpoint, so there is nothing to register",
    ),
    (
        "Training::AlreadyRegistered",
        "nothing needs to be done: see `chasqui-worker checkpoint list`",
    ),
];

/// What to do about an error in these words, where the words alone do not say.
pub fn remedy(words: &str) -> Option<&'static str> {
    REFUSALS
        .iter()
        .find(|(name, _)| names(words, name))
        .map(|(_, remedy)| *remedy)
}

/// Whether `name` stands in `words` by itself: `Operators::Unbonding` is not in `Operators::UnbondingX`.
fn names(words: &str, name: &str) -> bool {
    words.match_indices(name).any(|(at, _)| {
        words
            .get(at.saturating_add(name.len())..)
            .and_then(|rest| rest.chars().next())
            .is_none_or(|next| !next.is_alphanumeric())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use parity_scale_codec::Decode;
    use subxt::Metadata;

    // GIVEN the metadata of the runtime that this program is built for
    // WHEN each refusal that has a remedy is looked up
    // THEN the chain really has it
    #[test]
    fn every_refusal_is_one_of_the_chain() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/chain/metadata.scale");
        let bytes = std::fs::read(file).unwrap();
        let metadata = Metadata::decode(&mut bytes.as_slice()).unwrap();
        for (name, _) in REFUSALS {
            let (pallet, error) = name.split_once("::").unwrap();
            let pallet = metadata.pallet_by_name(pallet).unwrap();
            let errors = pallet.error_variants().unwrap();
            assert!(errors.iter().any(|e| e.name == error), "{name}");
        }
    }

    // GIVEN a refusal in the chain's words
    // WHEN its remedy is asked for
    // THEN it is that refusal's, not one whose name begins the same
    #[test]
    fn a_refusal_has_its_own_remedy() {
        let said = "operators.withdraw: Pallet error: Operators::Unbonding";
        assert!(remedy(said).is_some_and(|r| r.contains("withdraw")));
        assert_eq!(remedy("Pallet error: Operators::UnbondingNever"), None);
        assert_eq!(remedy("the disk is full"), None);
    }
}
