//! Benchmarks: what the calls and hooks cost.

use super::*;
use alloc::vec;
use chasqui_primitives::{audit::Decision, dataset};
use frame_benchmarking::v2::*;
use frame_system::RawOrigin;
use sp_runtime::traits::One;

const SEED: H256 = H256::repeat_byte(5);
const CASE: CaseId = 77;

fn terms() -> DatasetTerms {
    let tokens = 1 << 20;
    DatasetTerms {
        bytes: dataset::HEADER_BYTES + 2 * tokens,
        tokens,
        held_out: 1,
        vocabulary: 1 << 16,
        tokenizer: SEED,
    }
}

fn licence() -> Licence {
    Licence::truncate_from(vec![b'l'; MAX_LICENCE_BYTES as usize])
}

fn description() -> Description {
    Description::truncate_from(vec![b'd'; MAX_DESCRIPTION_BYTES as usize])
}

fn rich<T: Config>() -> T::AccountId {
    let who: T::AccountId = account("submitter", 0, 0);
    let deposit = Parameters::<T>::get().deposit_for(terms().bytes);
    let funds = T::NativeBalance::minimum_balance()
        .saturating_mul(10)
        .saturating_add(deposit.saturating_mul(2));
    T::NativeBalance::set_balance(&who, funds);
    // So that it can take fees and lost deposits, however small.
    let deposit = T::NativeBalance::minimum_balance();
    T::NativeBalance::set_balance(&T::Reserve::get(), deposit);
    who
}

/// So many undecided datasets, of high numbers, that wait like this.
fn crowd<T: Config>(count: u32, wait: Wait<BlockNumberFor<T>>) {
    let entries = (0..count).map(|n| Undecided {
        dataset: u32::MAX - n,
        failed: 0,
        wait,
    });
    UndecidedDatasets::<T>::put(BoundedVec::truncate_from(entries.collect()));
}

/// One dataset in a nearly full list of others.
fn submitted<T: Config>() -> Result<T::AccountId, BenchmarkError> {
    let who = rich::<T>();
    let until = frame_system::Pallet::<T>::block_number();
    crowd::<T>(T::MaxUndecided::get() - 1, Wait::Pause { until });
    Pallet::<T>::do_submit(who.clone(), SEED, terms(), licence(), description())?;
    Ok(who)
}

#[benchmarks]
mod benchmarks {
    use super::*;

    fn admin<T: Config>() -> Result<T::RuntimeOrigin, BenchmarkError> {
        T::AdminOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)
    }

    #[benchmark]
    fn submit() {
        let who = rich::<T>();
        let until = frame_system::Pallet::<T>::block_number();
        crowd::<T>(T::MaxUndecided::get() - 1, Wait::Pause { until });

        #[extrinsic_call]
        _(
            RawOrigin::Signed(who),
            SEED,
            terms(),
            licence(),
            description(),
        );

        assert!(Registry::<T>::contains_key(0));
    }

    #[benchmark]
    fn withdraw() -> Result<(), BenchmarkError> {
        let who = submitted::<T>()?;

        #[extrinsic_call]
        _(RawOrigin::Signed(who), 0);

        assert!(!Registry::<T>::contains_key(0));
        Ok(())
    }

    #[benchmark]
    fn delist() -> Result<(), BenchmarkError> {
        let origin = admin::<T>()?;
        submitted::<T>()?;
        Registry::<T>::mutate(0, |dataset| {
            if let Some(dataset) = dataset {
                dataset.status = Status::Usable;
            }
        });

        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, 0);

        assert!(!Registry::<T>::contains_key(0));
        Ok(())
    }

    #[benchmark]
    fn set_params() -> Result<(), BenchmarkError> {
        let origin = admin::<T>()?;
        let params = Params {
            max_tries: 4,
            ..Parameters::<T>::get()
        };

        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, params);

        assert_eq!(Parameters::<T>::get(), params);
        Ok(())
    }

    /// `n` datasets wait: half for a seed, half for a pause that is over.
    #[benchmark]
    fn move_on(n: Linear<0, 128>) {
        let now = frame_system::Pallet::<T>::block_number();
        crowd::<T>(n.min(T::MaxUndecided::get()), Wait::Pause { until: now });
        let due = T::Randomness::next_due();
        UndecidedDatasets::<T>::mutate(|list| {
            for entry in list.iter_mut().skip(1).step_by(2) {
                entry.wait = Wait::Draw { due };
            }
        });

        #[block]
        {
            Pallet::<T>::move_on(now);
        }
        let moved = UndecidedDatasets::<T>::get();
        assert!(moved
            .iter()
            .all(|entry| matches!(entry.wait, Wait::Draw { .. })));
    }

    #[benchmark]
    fn open_case() -> Result<(), BenchmarkError> {
        T::BenchmarkHelper::validators();
        submitted::<T>()?;

        #[block]
        {
            Pallet::<T>::open_case(0, SEED);
        }
        let entry = UndecidedDatasets::<T>::get().into_iter().last();
        assert!(entry.is_some_and(|entry| matches!(entry.wait, Wait::Case(_))));
        Ok(())
    }

    #[benchmark]
    fn decide() -> Result<(), BenchmarkError> {
        submitted::<T>()?;
        UndecidedDatasets::<T>::mutate(|list| {
            if let Some(entry) = list.iter_mut().last() {
                entry.wait = Wait::Case(CASE);
            }
        });
        frame_system::Pallet::<T>::set_block_number(BlockNumberFor::<T>::one());

        #[block]
        {
            Pallet::<T>::decide(0, CASE, Decision::Hard(HardReason::Dataset));
        }
        assert!(!Registry::<T>::contains_key(0));
        Ok(())
    }

    impl_benchmark_test_suite!(Pallet, crate::mock::new_test_ext(), crate::mock::Test);
}
