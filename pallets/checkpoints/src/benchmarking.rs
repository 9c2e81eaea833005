//! Benchmarks.

use crate::{
    Agenda, Calibration, CalibrationDuties, CalibrationPhase, CalibrationSeat, Calibrations, Call,
    Checkpoint, CheckpointInfo, Config, Lineage, Lineages, Pallet, Parameters, Params, Registry,
    Status,
};
use chasqui_primitives::{
    audit::{AuditLimits, AuditThresholds},
    draw::MAX_CANDIDATES,
    traits::Operators,
    CheckpointRoot, NumericProfile,
};
use frame_benchmarking::v2::*;
use frame_support::traits::{fungible::Mutate, EnsureOrigin, Get};
use frame_system::RawOrigin;
use sp_core::H256;
use sp_runtime::traits::One;

/// What the benchmarks need of the runtime around the pallet.
pub trait BenchmarkHelper<AccountId> {
    /// Registers a bonded validator, another one for each index, and returns its bonded account.
    fn validator(index: u32) -> AccountId;
    /// Has so many validators serve `checkpoint`, freezes their weights, and makes all of them unfit to be drawn.
    fn unfit_validators(checkpoint: &CheckpointRoot, count: u32);
}

const ROOT: CheckpointRoot = H256([9; 32]);
/// Missed duties of a new operator after which another is significant, by the default parameters.
const MISSED_BEFORE: u32 = 4;

fn info() -> CheckpointInfo {
    CheckpointInfo {
        name: alloc::vec![b'n'; 64].try_into().unwrap_or_default(),
        parent: None,
        base: None,
        profile: NumericProfile::F32,
        vocabulary: 1_000,
        context_tokens: 1_000,
        end_tokens: alloc::vec![1; 8].try_into().unwrap_or_default(),
        has_tokenizer: true,
        units_per_prompt_token: 1,
        units_per_output_token: 2,
        size_bytes: 1,
        licence: alloc::vec![b'l'; 32].try_into().unwrap_or_default(),
    }
}

/// A description with a registered adapter for a parent, and a registered base.
fn adapter<T: Config>() -> CheckpointInfo {
    let (base, parent) = (H256::repeat_byte(1), H256::repeat_byte(2));
    let insert = |root, info| {
        let checkpoint = Checkpoint {
            info,
            proposer: None,
            deposit: 0,
            status: Status::Accepted,
            thresholds: Some(thresholds()),
            proposed_at: Pallet::<T>::now(),
        };
        Registry::<T>::insert(root, checkpoint);
    };
    insert(base, info());
    let on_base = |parent| CheckpointInfo {
        parent: Some(parent),
        base: Some(base),
        ..info()
    };
    insert(parent, on_base(base));
    on_base(parent)
}

fn thresholds() -> AuditThresholds {
    let limits = AuditLimits {
        mean_margin_micro: 10,
        max_margin_micro: 10,
        mismatch_ppm: 10,
        fingerprint_milli: 10,
    };
    AuditThresholds {
        boundary_micro: 1,
        clip_micro: 1,
        soft: limits,
        hard: limits,
        evidence_tau: 1,
    }
}

fn proposer<T: Config>() -> T::AccountId {
    let proposer = account("proposer", 0, 0);
    let funds = T::ProposalDeposit::get()
        .saturating_mul(2)
        .saturating_add(1_000_000_000_000);
    T::NativeBalance::set_balance(&proposer, funds);
    proposer
}

/// A proposed checkpoint.
fn proposed<T: Config>() -> Result<T::AccountId, BenchmarkError> {
    let proposer = proposer::<T>();
    Pallet::<T>::propose(RawOrigin::Signed(proposer.clone()).into(), ROOT, info())?;
    Ok(proposer)
}

/// A calibration whose validators are drawn; all but the last have submitted.
fn collecting<T: Config>() -> Result<T::AccountId, BenchmarkError> {
    proposed::<T>()?;
    let mut calibration =
        Calibrations::<T>::get(ROOT).ok_or(BenchmarkError::Stop("no calibration"))?;
    let wanted = T::MaxCalibrators::get();
    calibration.wanted = wanted;
    calibration.phase = CalibrationPhase::Collect {
        until: Pallet::<T>::after(10),
    };
    let mut last = None;
    for index in 0..wanted {
        let validator = T::BenchmarkHelper::validator(index);
        let submitted = index.saturating_add(1) < wanted;
        if !submitted {
            CalibrationDuties::<T>::insert(&validator, ROOT, ());
        }
        let seat = CalibrationSeat {
            validator: validator.clone(),
            thresholds: submitted.then(thresholds),
        };
        calibration
            .seats
            .try_push(seat)
            .map_err(|_| BenchmarkError::Stop("no seat"))?;
        last = Some(validator);
    }
    Calibrations::<T>::insert(ROOT, calibration);
    last.ok_or(BenchmarkError::Stop("no validator"))
}

fn set_status<T: Config>(status: Status) {
    if let Some(calibration) = Calibrations::<T>::get(ROOT) {
        if status == Status::Stalled {
            let stalled = Calibration::<T> {
                phase: CalibrationPhase::Stalled,
                ..calibration.clone()
            };
            Calibrations::<T>::insert(ROOT, stalled);
        } else {
            Calibrations::<T>::remove(ROOT);
        }
        Pallet::<T>::unschedule(ROOT, &calibration);
    }
    Registry::<T>::mutate(ROOT, |checkpoint| {
        if let Some(checkpoint) = checkpoint {
            checkpoint.status = status;
            checkpoint.thresholds = (status != Status::Stalled).then(thresholds);
        }
    });
}

#[benchmarks]
mod benchmarks {
    use super::*;

    fn admin<T: Config>() -> Result<T::RuntimeOrigin, BenchmarkError> {
        T::AdminOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)
    }

    /// An adapter on what another adapter adapts.
    #[benchmark]
    fn propose() {
        let proposer = proposer::<T>();
        let info = adapter::<T>();

        #[extrinsic_call]
        _(RawOrigin::Signed(proposer), ROOT, info);

        assert!(Calibrations::<T>::contains_key(ROOT));
    }

    #[benchmark]
    fn describe_trained() -> Result<(), BenchmarkError> {
        let by = proposer::<T>();
        let info = adapter::<T>();
        let lineage = Lineage {
            parent: info.parent,
            base: info.base,
            run: 1,
            round: 1,
            dataset: H256::zero(),
            by: by.clone(),
            registered_at: Pallet::<T>::now(),
            described: false,
        };
        Lineages::<T>::insert(ROOT, lineage);

        #[extrinsic_call]
        _(RawOrigin::Signed(by), ROOT, info);

        assert!(Calibrations::<T>::contains_key(ROOT));
        Ok(())
    }

    /// The last calibration, after which the thresholds are known.
    #[benchmark]
    fn calibrate() -> Result<(), BenchmarkError> {
        let validator = collecting::<T>()?;

        #[extrinsic_call]
        _(RawOrigin::Signed(validator), ROOT, thresholds());

        assert!(!Calibrations::<T>::contains_key(ROOT));
        Ok(())
    }

    #[benchmark]
    fn restart_calibration() -> Result<(), BenchmarkError> {
        let proposer = proposed::<T>()?;
        set_status::<T>(Status::Stalled);

        #[extrinsic_call]
        _(RawOrigin::Signed(proposer), ROOT);

        assert!(Registry::<T>::get(ROOT).is_some_and(|c| c.status == Status::Calibrating));
        Ok(())
    }

    #[benchmark]
    fn remove_proposal() -> Result<(), BenchmarkError> {
        collecting::<T>()?;
        let origin = admin::<T>()?;

        #[extrinsic_call]
        reject(origin as T::RuntimeOrigin, ROOT);

        assert!(!Registry::<T>::contains_key(ROOT));
        Ok(())
    }

    #[benchmark]
    fn accept() -> Result<(), BenchmarkError> {
        proposed::<T>()?;
        set_status::<T>(Status::Calibrated);
        let origin = admin::<T>()?;

        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, ROOT);

        assert!(Registry::<T>::get(ROOT).is_some_and(|c| c.status == Status::Accepted));
        Ok(())
    }

    #[benchmark]
    fn retire() -> Result<(), BenchmarkError> {
        proposed::<T>()?;
        set_status::<T>(Status::Accepted);
        let origin = admin::<T>()?;

        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, ROOT);

        assert!(Registry::<T>::get(ROOT).is_some_and(|c| c.status == Status::Retired));
        Ok(())
    }

    #[benchmark]
    fn set_params() -> Result<(), BenchmarkError> {
        let params = Params {
            calibrators: 1,
            ..Default::default()
        };
        let origin = admin::<T>()?;

        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, params.clone());

        assert_eq!(Parameters::<T>::get(), params);
        Ok(())
    }

    #[benchmark]
    fn agenda() {
        let now = Pallet::<T>::now();

        #[block]
        {
            Pallet::<T>::move_calibrations_on(now);
        }

        assert!(!Agenda::<T>::contains_key(now));
    }

    /// A round in which nobody answered, and everybody has missed one duty too many.
    #[benchmark]
    fn step() -> Result<(), BenchmarkError> {
        let validator = collecting::<T>()?;
        let mut calibration =
            Calibrations::<T>::get(ROOT).ok_or(BenchmarkError::Stop("no calibration"))?;
        for seat in calibration.seats.iter_mut() {
            seat.thresholds = None;
            CalibrationDuties::<T>::insert(&seat.validator, ROOT, ());
            for _ in 0..MISSED_BEFORE {
                T::Operators::record_duty(&seat.validator, false);
            }
        }
        Calibrations::<T>::insert(ROOT, calibration);
        let next = Pallet::<T>::now() + One::one();
        frame_system::Pallet::<T>::set_block_number(next);

        #[block]
        {
            Pallet::<T>::move_calibrations_on(next);
        }

        assert!(!CalibrationDuties::<T>::contains_key(validator, ROOT));
        Ok(())
    }

    /// A draw that looks at `c` validators, none of them fit.
    #[benchmark]
    fn draw(c: Linear<1, { MAX_CANDIDATES }>) -> Result<(), BenchmarkError> {
        proposed::<T>()?;
        let calibration =
            Calibrations::<T>::get(ROOT).ok_or(BenchmarkError::Stop("no calibration"))?;
        T::BenchmarkHelper::unfit_validators(&ROOT, c);

        #[block]
        {
            Pallet::<T>::draw_calibrators(ROOT, calibration, &H256::repeat_byte(7));
        }

        assert!(Calibrations::<T>::get(ROOT).is_some_and(|calibration| calibration.round == 1));
        Ok(())
    }

    impl_benchmark_test_suite!(Pallet, crate::mock::ext(), crate::mock::Test);
}
