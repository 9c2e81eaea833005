//! Benchmarks: what the calls and hooks cost.

use super::*;
use alloc::vec::Vec;
use frame_benchmarking::v2::*;
use frame_system::RawOrigin;
use sp_runtime::traits::{One, Saturating};

const EVIDENCE: H256 = H256::repeat_byte(7);

/// Puts so many existential deposits into the fund.
fn donate<T: Config>(deposits: u32) {
    let amount = T::NativeBalance::minimum_balance().saturating_mul(deposits.into());
    let _ = T::NativeBalance::mint_into(&Pallet::<T>::account_id(), amount);
}

fn terms<T: Config>(count: u32) -> MilestoneList<BlockNumberFor<T>> {
    let deadline = frame_system::Pallet::<T>::block_number().saturating_add(1_000u32.into());
    let one = MilestoneTerms {
        amount: T::NativeBalance::minimum_balance(),
        description: EVIDENCE,
        deadline,
    };
    MilestoneList::truncate_from((0..count).map(|_| one.clone()).collect())
}

/// A grant with so many milestones.
fn granted<T: Config>(milestones: u32) -> T::AccountId {
    donate::<T>(milestones.saturating_add(10));
    let beneficiary: T::AccountId = account("beneficiary", 0, 0);
    let _ = Pallet::<T>::do_create_grant(beneficiary.clone(), terms::<T>(milestones), Balance::MAX);
    beneficiary
}

#[benchmarks]
mod benchmarks {
    use super::*;

    fn admin<T: Config>() -> Result<T::RuntimeOrigin, BenchmarkError> {
        T::SpendOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)
    }

    #[benchmark]
    fn create_grant(m: Linear<1, MAX_MILESTONES>) -> Result<(), BenchmarkError> {
        let origin = admin::<T>()?;
        donate::<T>(m.saturating_add(10));
        let beneficiary: T::AccountId = account("beneficiary", 0, 0);
        let terms = terms::<T>(m);

        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, beneficiary, terms);

        assert_eq!(NextGrant::<T>::get(), 1);
        Ok(())
    }

    #[benchmark]
    fn prove() {
        let beneficiary = granted::<T>(MAX_MILESTONES);

        #[extrinsic_call]
        _(RawOrigin::Signed(beneficiary), 0, 1, EVIDENCE);

        let grant = Grants::<T>::get(0).unwrap();
        assert!(matches!(
            grant.milestones[1].state,
            MilestoneState::Proven { .. }
        ));
    }

    #[benchmark]
    fn approve() -> Result<(), BenchmarkError> {
        let origin = admin::<T>()?;
        let beneficiary = granted::<T>(MAX_MILESTONES);
        Pallet::<T>::do_prove(beneficiary.clone(), 0, 1, EVIDENCE)?;

        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, 0, 1);

        assert!(T::NativeBalance::balance(&beneficiary) > 0);
        Ok(())
    }

    #[benchmark]
    fn decline() -> Result<(), BenchmarkError> {
        let origin = admin::<T>()?;
        let beneficiary = granted::<T>(MAX_MILESTONES);
        Pallet::<T>::do_prove(beneficiary, 0, 1, EVIDENCE)?;

        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, 0, 1);

        let grant = Grants::<T>::get(0).unwrap();
        assert_eq!(grant.milestones[1].state, MilestoneState::Open);
        Ok(())
    }

    #[benchmark]
    fn cancel_grant() -> Result<(), BenchmarkError> {
        let origin = admin::<T>()?;
        granted::<T>(MAX_MILESTONES);

        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, 0);

        assert!(!Grants::<T>::contains_key(0));
        Ok(())
    }

    /// `n` grants with as many milestones as there can be lose one each.
    #[benchmark]
    fn pass_deadlines(n: Linear<0, 64>) {
        let n = n.min(T::MaxDeadlines::get());
        for _ in 0..n {
            granted::<T>(MAX_MILESTONES);
        }
        let due: Vec<_> = (0..n).map(|grant| (grant, 0)).collect();
        let now = frame_system::Pallet::<T>::block_number().saturating_add(One::one());
        let _ = Deadlines::<T>::clear(u32::MAX, None);
        Deadlines::<T>::insert(now, BoundedVec::truncate_from(due));
        frame_system::Pallet::<T>::set_block_number(now);

        #[block]
        {
            Pallet::<T>::pass_deadlines(now);
        }
        let lapsed = Grants::<T>::iter_values()
            .filter(|grant| grant.milestones[0].state == MilestoneState::Lapsed)
            .count();
        assert_eq!(lapsed as u32, n);
    }

    impl_benchmark_test_suite!(Pallet, crate::mock::new_test_ext(), crate::mock::Test);
}
