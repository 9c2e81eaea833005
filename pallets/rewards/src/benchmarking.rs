//! Benchmarks: what the calls and hooks cost.

use super::*;
use chasqui_primitives::traits::Ledger;
use frame_benchmarking::v2::*;
use frame_support::traits::fungible::Unbalanced;
use frame_system::RawOrigin;
use sp_runtime::{traits::One, Perbill};

#[benchmarks(where T::NativeBalance: Unbalanced<T::AccountId>)]
mod benchmarks {
    use super::*;

    /// Pays a fee of a hundred existential deposits for a job of `executor`, audited by three.
    fn fee<T: Config>(executor: &T::AccountId) {
        let pot = Pallet::<T>::pot_account();
        let deposit = T::NativeBalance::minimum_balance();
        if T::NativeBalance::balance(&pot) < deposit {
            T::NativeBalance::mint_into(&pot, deposit).unwrap();
        }
        let price = deposit.saturating_mul(100);
        T::NativeBalance::mint_into(&pot, price).unwrap();
        let auditors: Vec<T::AccountId> = (0..3).map(|n| account("auditor", n, 0)).collect();
        Pallet::<T>::record_fee(Subject::Job(0), executor, &auditors, price, 1_000);
        Pallet::<T>::record_poc_points(executor, 1);
    }

    #[benchmark]
    fn set_shares() -> Result<(), BenchmarkError> {
        let origin =
            T::AdminOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;
        frame_system::Pallet::<T>::set_block_number(BlockNumberFor::<T>::one());
        let shares = Shares {
            poi: Perbill::from_percent(65),
            poc: Perbill::from_percent(10),
            ..FeeShares::<T>::get()
        };

        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, shares);

        assert_eq!(FeeShares::<T>::get(), shares);
        Ok(())
    }

    /// Compute pay, and a share of the pool.
    #[benchmark]
    fn claim() {
        let who: T::AccountId = account("operator", 0, 0);
        T::BenchmarkHelper::set_epoch(0);
        fee::<T>(&who);
        Pallet::<T>::close_epoch(0);
        T::BenchmarkHelper::set_epoch(T::ClaimDelay::get());
        // A case on later work, which has to be looked at.
        Pallet::<T>::case_opened(&who, 1);

        #[extrinsic_call]
        _(RawOrigin::Signed(who.clone()), 0);

        assert!(!Earnings::<T>::contains_key(0, &who));
        assert!(T::NativeBalance::balance(&who) > 0);
    }

    #[benchmark]
    fn begin_block() {
        #[block]
        {
            Pallet::<T>::begin_block();
        }
    }

    /// Pays both dues and divides a pool with forfeited points.
    #[benchmark]
    fn close_epoch() {
        let who: T::AccountId = account("operator", 0, 0);
        let epoch = T::Epochs::current();
        fee::<T>(&who);
        Pallet::<T>::forfeit(&who);

        #[block]
        {
            Pallet::<T>::close_epoch(epoch);
        }
        assert!(FundDue::<T>::get() == 0 && ReserveDue::<T>::get() == 0);
    }

    /// `n` operators that never claimed.
    #[benchmark]
    fn sweep(n: Linear<1, 64>) {
        T::BenchmarkHelper::set_epoch(0);
        for i in 0..n {
            fee::<T>(&account("operator", i, 0));
        }
        Pallet::<T>::close_epoch(0);
        NextToSweep::<T>::put(0);
        let current = T::ClaimPeriod::get().saturating_add(1);

        #[block]
        {
            Pallet::<T>::sweep(current, n);
        }
        // The auditors' records are among those swept, or left for the next block.
        assert!(Earnings::<T>::iter_prefix(0).count() <= 3);
    }

    impl_benchmark_test_suite!(Pallet, crate::mock::new_test_ext(), crate::mock::Test);
}
