//! Benchmarks: what the calls and hooks cost.

use super::*;
use chasqui_primitives::credit::WINDOW_EPOCHS;
use frame_benchmarking::v2::*;
use frame_system::RawOrigin;

/// Epochs of a full window.
const EPOCHS: EpochIndex = WINDOW_EPOCHS;

/// So many operators that worked in every epoch of a window, and a census of the last one that is about to begin.
fn worked<T: Config>(operators: u32) -> Progress<T::AccountId> {
    let all: Vec<_> = (0..operators).map(T::BenchmarkHelper::operator).collect();
    for epoch in 0..EPOCHS {
        T::BenchmarkHelper::set_epoch(epoch);
        for operator in &all {
            T::BenchmarkHelper::work(operator);
        }
    }
    T::BenchmarkHelper::set_epoch(EPOCHS);
    for operator in &all {
        PriceVotes::<T>::insert(operator, Price::<T>::get());
    }
    NextEpoch::<T>::put(EPOCHS.saturating_sub(1));
    Ongoing::<T>::kill();
    Pallet::<T>::begin_census();
    Ongoing::<T>::get().expect("an epoch has closed")
}

/// The same, gathered.
fn gathered<T: Config>(operators: u32) -> Progress<T::AccountId> {
    let mut progress = worked::<T>(operators);
    Pallet::<T>::gather(&mut progress, u32::MAX);
    progress.last = None;
    progress.census.rho = RatiosSoFar::<T>::take().median();
    progress.census.rho_of_epoch = EpochRatiosSoFar::<T>::take().median();
    progress.census.price = Price::<T>::get();
    VotesSoFar::<T>::kill();
    progress.stage = Stage::Credit;
    progress
}

#[benchmarks]
mod benchmarks {
    use super::*;

    #[benchmark]
    fn vote_price() {
        let operator = T::BenchmarkHelper::operator(0);

        #[extrinsic_call]
        _(RawOrigin::Signed(operator.clone()), operator.clone(), 7);

        assert_eq!(PriceVotes::<T>::get(&operator), Some(7));
    }

    #[benchmark]
    fn clear_price_vote() {
        let operator = T::BenchmarkHelper::operator(0);
        PriceVotes::<T>::insert(&operator, 7);

        #[extrinsic_call]
        _(RawOrigin::Signed(operator.clone()), operator.clone());

        assert_eq!(PriceVotes::<T>::get(&operator), None);
    }

    #[benchmark]
    fn set_params() -> Result<(), BenchmarkError> {
        let origin =
            T::AdminOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;
        let params = Params {
            units_per_point: 77,
            ..Parameters::<T>::get()
        };

        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, params);

        assert_eq!(Parameters::<T>::get(), params);
        Ok(())
    }

    #[benchmark]
    fn gather(n: Linear<0, { T::Step::get() }>) {
        let mut progress = worked::<T>(n);
        let visited;

        #[block]
        {
            visited = Pallet::<T>::gather(&mut progress, n);
            Ongoing::<T>::put(progress);
        }

        assert_eq!(visited, n);
    }

    #[benchmark]
    fn credit(n: Linear<0, { T::Step::get() }>) {
        let mut progress = gathered::<T>(n);
        let visited;

        #[block]
        {
            visited = Pallet::<T>::credit(&mut progress, n);
            Ongoing::<T>::put(progress);
        }

        assert!(visited <= n);
    }

    #[benchmark]
    fn pay(n: Linear<0, { T::Step::get() }>) {
        let mut progress = gathered::<T>(n);
        Pallet::<T>::credit(&mut progress, u32::MAX);
        progress.last = None;
        let subsidy = T::NativeBalance::minimum_balance().saturating_mul(1_000);
        let deposit = subsidy.saturating_add(T::NativeBalance::minimum_balance());
        let _ = T::NativeBalance::mint_into(&Pallet::<T>::pot_account(), deposit);
        progress.stage = Stage::Pay { subsidy };
        let before = Paid::<T>::get();

        #[block]
        {
            Pallet::<T>::pay(&mut progress, subsidy, n);
            Ongoing::<T>::put(progress);
        }

        assert_eq!(Paid::<T>::get() > before, n > 0);
    }

    #[benchmark]
    fn forget(n: Linear<0, { functions::FORGOTTEN_PER_BLOCK }>) {
        for index in 0..n {
            let who: T::AccountId = account("operator", index, 0);
            Entries::<T>::insert(0, who, Entry::default());
        }
        Oldest::<T>::put(0);
        Newest::<T>::put(Parameters::<T>::get().retention.saturating_add(1));

        #[block]
        {
            Pallet::<T>::forget();
        }

        assert_eq!(Entries::<T>::iter_prefix(0).count(), 0);
    }

    impl_benchmark_test_suite!(Pallet, crate::mock::new_test_ext(), crate::mock::Test);
}
