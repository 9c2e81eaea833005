//! Which pallets can be benchmarked against this runtime, and what their benchmarks need of it.

use crate::*;
use alloc::{string::String, vec, vec::Vec};
use chasqui_primitives::{
    audit::{AuditLimits, AuditThresholds, Subject},
    hash,
    trace::{encode_trace, trace_root, TraceLeaf, FINGERPRINT_DIMS, TRACE_LEAF_BYTES},
    traits::{DatasetTerms, Ledger, Operators as _},
    CheckpointRoot, EpochIndex, FinishReason, NumericProfile, Roles, DOT,
};
use frame_benchmarking::{
    account, baseline::Pallet as BaselineBench, BenchmarkBatch, BenchmarkConfig, BenchmarkList,
};
use frame_support::{
    traits::{
        fungible::Mutate, OnIdle, OnInitialize, StorageInfo, StorageInfoTrait,
        WhitelistedStorageKeys,
    },
    weights::Weight,
};
use frame_system_benchmarking::Pallet as SystemBench;
use sp_core::{sr25519, H256};
use sp_runtime::MultiSignature;

frame_benchmarking::define_benchmarks!(
    [frame_benchmarking, BaselineBench::<Runtime>]
    [frame_system, SystemBench::<Runtime>]
    [cumulus_pallet_parachain_system, ParachainSystem]
    [cumulus_pallet_weight_reclaim, WeightReclaim]
    [pallet_audits, Audits]
    [pallet_balances, Balances]
    [pallet_checkpoints, Checkpoints]
    [pallet_datasets, Datasets]
    [pallet_economy, Economy]
    [pallet_jobs, Jobs]
    [pallet_message_queue, MessageQueue]
    [pallet_multisig, Multisig]
    [pallet_operators, Operators]
    [pallet_preimage, Preimage]
    [pallet_proxy, Proxy]
    [pallet_referenda, Referenda]
    [pallet_rewards, Rewards]
    [pallet_scheduler, Scheduler]
    [pallet_sessions, Sessions]
    [pallet_sudo, Sudo]
    [pallet_timestamp, Timestamp]
    [pallet_training, Training]
    [pallet_training_fund, TrainingFund]
    [pallet_transaction_payment, TransactionPayment]
    [pallet_utility, Utility]
    [pallet_voting, Voting]
    [pallet_whitelist, Whitelist]
);

impl frame_system_benchmarking::Config for Runtime {
    fn setup_set_code_requirements(
        code: &Vec<u8>,
    ) -> Result<(), frame_benchmarking::BenchmarkError> {
        ParachainSystem::initialize_for_set_code_benchmark(code.len() as u32);
        Ok(())
    }

    fn verify_set_code() {
        System::assert_last_event(
            cumulus_pallet_parachain_system::Event::<Runtime>::ValidationFunctionStored.into(),
        );
    }
}

impl frame_benchmarking::baseline::Config for Runtime {}

impl pallet_transaction_payment::BenchmarkConfig for Runtime {}

/// What the benchmarks of Chasqui's pallets need of each other, made with the real pallets.
pub struct Helper;

/// Validators that serve the checkpoint of a benchmark: more than an electorate needs.
const VALIDATORS: u32 = 10;
/// Missed duties of a new operator after which another is significant, by the default parameters.
const MISSED_BEFORE: u32 = 4;
/// The roles of those who compute.
const COMPUTE: Roles = Roles {
    compute: true,
    validate: false,
};
/// What every operator of a benchmark puts up.
const BOND: Balance = 10_000 * DOT;

impl Helper {
    fn root() -> CheckpointRoot {
        H256::repeat_byte(0xC5)
    }

    /// An accepted checkpoint with room for the longest prompt and output.
    fn accepted_checkpoint() -> CheckpointRoot {
        let limits = AuditLimits {
            mean_margin_micro: 1,
            max_margin_micro: 1,
            mismatch_ppm: 1,
            fingerprint_milli: 1,
        };
        let thresholds = AuditThresholds {
            boundary_micro: 1,
            clip_micro: 1,
            soft: limits,
            hard: limits,
            evidence_tau: 1,
        };
        let info = pallet_checkpoints::CheckpointInfo {
            name: vec![b'n'; 64].try_into().expect("at the bound"),
            parent: None,
            base: None,
            profile: NumericProfile::F32,
            vocabulary: 1 << 16,
            context_tokens: 1 << 16,
            end_tokens: vec![0; 8].try_into().expect("at the bound"),
            has_tokenizer: true,
            units_per_prompt_token: 1,
            units_per_output_token: 1,
            size_bytes: 1,
            licence: vec![b'l'; 32].try_into().expect("at the bound"),
        };
        let checkpoint = pallet_checkpoints::Checkpoint {
            info,
            proposer: None,
            deposit: 0,
            status: pallet_checkpoints::Status::Accepted,
            thresholds: Some(thresholds),
            proposed_at: 0,
        };
        pallet_checkpoints::Registry::<Runtime>::insert(Self::root(), checkpoint);
        Self::root()
    }

    /// Registers `who`, unless it is registered already.
    fn operator(who: &AccountId, hot_key: AccountId, roles: Roles) {
        if pallet_operators::Operators::<Runtime>::contains_key(who) {
            return;
        }
        Balances::mint_into(who, BOND.saturating_mul(2)).expect("issuance does not overflow");
        let endpoint = pallet_operators::Endpoint {
            url: vec![b'u'; 128].try_into().expect("at the bound"),
            tls_key: [1; 32],
        };
        let origin = RuntimeOrigin::signed(who.clone());
        Operators::register(origin, BOND, hot_key, roles, 100, endpoint, None)
            .expect("the account is new and funded");
    }

    /// Has somebody serve a checkpoint, unless it does.
    fn serve(who: &AccountId, root: CheckpointRoot) {
        let serves = pallet_operators::Servers::<Runtime>::contains_key(root, who);
        if !serves {
            Operators::serve(RuntimeOrigin::signed(who.clone()), root)
                .expect("the checkpoint is registered");
        }
    }

    fn numbered_validator(index: u32) -> AccountId {
        let who: AccountId = account("validator", index, 0);
        let roles = Roles {
            compute: false,
            validate: true,
        };
        Self::operator(&who, who.clone(), roles);
        who
    }

    /// Begins the next epoch and freezes everybody's weights in it.
    fn freeze_weights() {
        let epoch = pallet_operators::CurrentEpoch::<Runtime>::get();
        let length = pallet_operators::Parameters::<Runtime>::get().epoch_blocks;
        let now = epoch
            .start
            .saturating_add(length)
            .max(System::block_number());
        System::set_block_number(now);
        Operators::on_initialize(now);
        while pallet_operators::Build::<Runtime>::exists() {
            Operators::on_idle(now, Weight::MAX);
        }
    }
}

impl pallet_operators::BenchmarkHelper for Helper {
    fn registered_checkpoint() -> CheckpointRoot {
        Self::accepted_checkpoint()
    }
}

impl pallet_checkpoints::BenchmarkHelper<AccountId> for Helper {
    fn validator(index: u32) -> AccountId {
        Self::numbered_validator(index)
    }

    fn unfit_validators(checkpoint: &CheckpointRoot, count: u32) {
        let validators: Vec<AccountId> = (0..count).map(Self::numbered_validator).collect();
        for who in &validators {
            Self::serve(who, *checkpoint);
        }
        Self::freeze_weights();
        for who in &validators {
            for _ in 0..=MISSED_BEFORE {
                Operators::record_duty(who, false);
            }
        }
    }
}

impl pallet_rewards::BenchmarkHelper for Helper {
    fn set_epoch(epoch: EpochIndex) {
        pallet_operators::CurrentEpoch::<Runtime>::mutate(|current| current.index = epoch);
    }
}

impl pallet_jobs::BenchmarkHelper<AccountId> for Helper {
    fn checkpoint_served_by(executor: &AccountId, hot_key: &AccountId) -> CheckpointRoot {
        let root = Self::accepted_checkpoint();
        Self::operator(executor, hot_key.clone(), COMPUTE);
        let validators = (0..VALIDATORS).map(Self::numbered_validator);
        for who in validators.chain([executor.clone()]) {
            Self::serve(&who, root);
        }
        Self::freeze_weights();
        root
    }

    fn compute_operators(checkpoint: &CheckpointRoot, count: u32) -> Vec<AccountId> {
        let more: Vec<AccountId> = (0..count).map(|n| account("compute", n, 0)).collect();
        for who in &more {
            Self::operator(who, who.clone(), COMPUTE);
            Self::serve(who, *checkpoint);
        }
        Self::freeze_weights();
        more
    }

    fn auditors(count: u32) -> Vec<AccountId> {
        (0..count).map(Self::numbered_validator).collect()
    }

    fn burden(operator: &AccountId) {
        let price = DOT;
        let current = pallet_operators::CurrentEpoch::<Runtime>::get().index;
        let period = <Runtime as pallet_rewards::Config>::ClaimPeriod::get();
        for epoch in current..=current.saturating_add(period) {
            <Self as pallet_rewards::BenchmarkHelper>::set_epoch(epoch);
            Balances::mint_into(&Rewards::pot_account(), price).expect("issuance is far from full");
            Rewards::record_fee(Subject::Job(u64::MAX), operator, &[], price, 1);
            Rewards::record_poc_points(operator, 1);
            Rewards::on_initialize(System::block_number());
        }
        for _ in 0..MISSED_BEFORE {
            Operators::record_duty(operator, false);
        }
    }
}

impl pallet_sessions::BenchmarkHelper<AccountId> for Helper {
    fn served_checkpoint(count: u32, hot_key: &AccountId) -> (CheckpointRoot, Vec<AccountId>) {
        let root = Self::accepted_checkpoint();
        let validators = (0..VALIDATORS).map(Self::numbered_validator);
        for who in validators {
            Self::serve(&who, root);
        }
        let all: Vec<AccountId> = (0..count).map(|n| account("compute", n, 0)).collect();
        for (n, who) in all.iter().enumerate() {
            let key = if n == 0 { hot_key } else { who };
            Self::operator(who, key.clone(), COMPUTE);
            Self::serve(who, root);
        }
        Self::freeze_weights();
        (root, all)
    }

    fn auditors(count: u32) -> Vec<AccountId> {
        <Self as pallet_jobs::BenchmarkHelper<AccountId>>::auditors(count)
    }

    fn burden(operator: &AccountId) {
        <Self as pallet_jobs::BenchmarkHelper<AccountId>>::burden(operator)
    }

    fn next_epoch() {
        Self::freeze_weights();
    }

    fn demand_opening(case: chasqui_primitives::CaseId) {
        pallet_audits::Cases::<Runtime>::mutate(case, |case| {
            if let Some(case) = case {
                let until = System::block_number();
                case.phase = pallet_audits::Phase::Opening { until };
            }
        });
    }
}

impl pallet_datasets::BenchmarkHelper for Helper {
    fn validators() {
        for index in 0..VALIDATORS {
            Self::numbered_validator(index);
        }
        Self::freeze_weights();
    }
}

impl pallet_training::BenchmarkHelper<AccountId> for Helper {
    fn dataset() -> (H256, u64) {
        let (root, held_out) = (H256::repeat_byte(0xDA), 1_000);
        let dataset = pallet_datasets::Dataset {
            root,
            submitter: account("submitter", 0, 0),
            terms: DatasetTerms {
                bytes: 1 << 30,
                tokens: 1 << 20,
                held_out,
                vocabulary: 1 << 16,
                tokenizer: root,
            },
            licence: Default::default(),
            description: Default::default(),
            deposit: 0,
            submitted_at: 0,
            status: pallet_datasets::Status::Usable,
            runs: 0,
        };
        Self::operator(
            &dataset.submitter,
            dataset.submitter.clone(),
            Roles {
                compute: false,
                validate: true,
            },
        );
        pallet_datasets::Registry::<Runtime>::insert(0, dataset);
        pallet_datasets::Roots::<Runtime>::insert(root, 0);
        (root, held_out)
    }

    fn fund(amount: Balance) {
        use chasqui_primitives::traits::TrainingFund as Fund;
        let fund = <TrainingFund as Fund<AccountId>>::account();
        Balances::set_balance(&fund, amount.saturating_add(DOT));
    }

    fn members(root: &H256, count: u32) -> Vec<AccountId> {
        for index in 0..VALIDATORS {
            Self::serve(&Self::numbered_validator(index), *root);
        }
        let members: Vec<AccountId> = (0..count).map(|n| account("compute", n, 0)).collect();
        for who in &members {
            Self::operator(who, who.clone(), COMPUTE);
            Self::serve(who, *root);
        }
        Self::freeze_weights();
        members
    }

    fn auditors(count: u32) -> Vec<AccountId> {
        <Self as pallet_jobs::BenchmarkHelper<AccountId>>::auditors(count)
    }

    fn evaluator() -> (CheckpointRoot, AccountId) {
        let root = Self::accepted_checkpoint();
        let who = Self::numbered_validator(0);
        Self::serve(&who, root);
        (root, who)
    }

    fn burden(operator: &AccountId) {
        <Self as pallet_jobs::BenchmarkHelper<AccountId>>::burden(operator)
    }
}

impl pallet_economy::BenchmarkHelper<AccountId> for Helper {
    fn operator(index: u32) -> AccountId {
        let who: AccountId = account("computer", index, 0);
        let roles = Roles {
            compute: true,
            validate: true,
        };
        Self::operator(&who, who.clone(), roles);
        who
    }

    fn set_epoch(epoch: EpochIndex) {
        <Self as pallet_rewards::BenchmarkHelper>::set_epoch(epoch);
    }

    fn work(operator: &AccountId) {
        Balances::mint_into(&Rewards::pot_account(), DOT).expect("issuance is far from full");
        Rewards::record_fee(Subject::Job(u64::MAX), operator, &[], DOT, 1_000);
        Rewards::record_poc_points(operator, 1);
    }
}

impl pallet_voting::BenchmarkHelper<AccountId> for Helper {
    fn operator(who: &AccountId) {
        Self::operator(who, who.clone(), COMPUTE);
        let epoch = pallet_economy::Newest::<Runtime>::get().unwrap_or(1);
        let entry = pallet_economy::Entry {
            weight: 100,
            bond: BOND,
            window_units: 1,
            ..Default::default()
        };
        pallet_economy::Entries::<Runtime>::insert(epoch, who, entry);
        pallet_economy::Censuses::<Runtime>::mutate(epoch, |census| {
            let census = census.get_or_insert_with(Default::default);
            census.weight = census.weight.saturating_add(entry.weight);
            census.bond = census.bond.saturating_add(entry.bond);
        });
        pallet_economy::Newest::<Runtime>::put(epoch);
    }
}

impl pallet_audits::BenchmarkHelper<AccountId> for Helper {
    fn validator(index: u32) -> AccountId {
        Self::numbered_validator(index)
    }

    fn electorate(validators: u32) -> CheckpointRoot {
        let root = Self::accepted_checkpoint();
        for index in 0..validators {
            Self::serve(&Self::numbered_validator(index), root);
        }
        Self::freeze_weights();
        root
    }

    fn opening(bytes: u32) -> Option<(AccountId, Subject, Vec<u8>)> {
        let operator: AccountId = account("executor", 0, 0);
        Self::operator(&operator, operator.clone(), COMPUTE);
        let leaf = TraceLeaf {
            token: 1,
            fingerprint: [1; FINGERPRINT_DIMS],
        };
        let trace = vec![leaf; bytes.div_ceil(TRACE_LEAF_BYTES as u32) as usize];
        let tokens = trace.iter().map(|leaf| leaf.token).collect::<Vec<_>>();
        let record = pallet_jobs::CommitmentRecord {
            prompt: pallet_jobs::PromptFacts {
                hash: H256::zero(),
                tokens: 1,
            },
            output_hash: hash::output_hash(&Jobs::genesis_hash(), &tokens),
            output_tokens: tokens.len() as u32,
            trace_root: trace_root(&trace),
            finish: FinishReason::Length,
            price: 1,
            units: 1,
            signature: MultiSignature::Sr25519(sr25519::Signature::from_raw([0; 64])),
            signer: operator.clone(),
            epoch: 0,
            committed_at: 0,
        };
        pallet_jobs::Commitments::<Runtime>::insert(0, record);
        Some((operator, Subject::Job(0), encode_trace(&trace)))
    }
}

/// The benchmarks there are, and the storage they touch.
pub fn metadata(extra: bool) -> (Vec<BenchmarkList>, Vec<StorageInfo>) {
    let mut list = Vec::<BenchmarkList>::new();
    list_benchmarks!(list, extra);
    (list, AllPalletsWithSystem::storage_info())
}

/// Runs the benchmarks that `config` asks for.
pub fn dispatch(config: BenchmarkConfig) -> Result<Vec<BenchmarkBatch>, String> {
    let whitelist = AllPalletsWithSystem::whitelisted_storage_keys();
    let mut batches = Vec::<BenchmarkBatch>::new();
    let params = (&config, &whitelist);
    add_benchmarks!(params, batches);
    Ok(batches)
}
