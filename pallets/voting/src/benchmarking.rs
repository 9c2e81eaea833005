//! Benchmarks: what the calls cost, over the runtime's own polls.

use super::*;
use alloc::vec::Vec;
use frame_benchmarking::v2::*;
use frame_system::RawOrigin;
use sp_runtime::traits::{One, Saturating};

/// An operator with weight.
fn operator<T: Config>(index: u32) -> T::AccountId {
    let who: T::AccountId = account("operator", index, 0);
    T::BenchmarkHelper::operator(&who);
    who
}

/// A delegate with so many who delegate to it in a class.
fn delegate_with<T: Config>(class: &ClassOf<T>, delegators: u32) -> T::AccountId {
    let delegate = operator::<T>(0);
    for index in 1..=delegators {
        let who = operator::<T>(index);
        let _ = Pallet::<T>::do_delegate(who, class.clone(), delegate.clone());
    }
    let next = frame_system::Pallet::<T>::block_number().saturating_add(One::one());
    frame_system::Pallet::<T>::set_block_number(next);
    delegate
}

/// The class that benchmarks are about, the first there is: it may need bond, and so costs the most.
fn class<T: Config>() -> Result<ClassOf<T>, BenchmarkError> {
    T::Polls::classes()
        .into_iter()
        .next()
        .ok_or(BenchmarkError::Stop("no class"))
}

fn poll<T: Config>(class: ClassOf<T>) -> Result<PollIndexOf<T>, BenchmarkError> {
    T::Polls::create_ongoing(class).map_err(|()| BenchmarkError::Stop("no poll"))
}

#[benchmarks]
mod benchmarks {
    use super::*;

    #[benchmark]
    fn vote(d: Linear<0, { T::MaxDelegators::get() }>) -> Result<(), BenchmarkError> {
        let class = class::<T>()?;
        let voter = delegate_with::<T>(&class, d);
        let poll = poll::<T>(class)?;
        // A change costs more than a first vote.
        let _ = Pallet::<T>::do_vote(voter.clone(), poll, false)?;

        #[extrinsic_call]
        _(RawOrigin::Signed(voter.clone()), voter.clone(), poll, true);

        let cast = Votes::<T>::get(poll, &voter);
        assert!(cast.is_some_and(|cast| cast.aye && (cast.delegated > 0) == (d > 0)));
        Ok(())
    }

    #[benchmark]
    fn remove_vote(d: Linear<0, { T::MaxDelegators::get() }>) -> Result<(), BenchmarkError> {
        let class = class::<T>()?;
        let voter = delegate_with::<T>(&class, d);
        let poll = poll::<T>(class)?;
        let _ = Pallet::<T>::do_vote(voter.clone(), poll, true)?;

        #[extrinsic_call]
        _(RawOrigin::Signed(voter.clone()), voter.clone(), poll);

        assert!(!Votes::<T>::contains_key(poll, &voter));
        Ok(())
    }

    /// From another delegate to this one, with `d` of its places taken.
    #[benchmark]
    fn delegate(d: Linear<0, { T::MaxDelegators::get() - 1 }>) -> Result<(), BenchmarkError> {
        let class = class::<T>()?;
        let voter = delegate_with::<T>(&class, d);
        let (who, other) = (operator::<T>(1_000), operator::<T>(1_001));
        Pallet::<T>::do_delegate(who.clone(), class.clone(), other)?;

        #[extrinsic_call]
        _(
            RawOrigin::Signed(who.clone()),
            who.clone(),
            class.clone(),
            voter.clone(),
        );

        assert!(Delegations::<T>::get(&who, &class).is_some_and(|at| at.to == voter));
        Ok(())
    }

    #[benchmark]
    fn undelegate(d: Linear<1, { T::MaxDelegators::get() }>) -> Result<(), BenchmarkError> {
        let class = class::<T>()?;
        let _ = delegate_with::<T>(&class, d);
        let who: T::AccountId = account("operator", d, 0);

        #[extrinsic_call]
        _(RawOrigin::Signed(who.clone()), who.clone(), class.clone());

        assert!(!Delegations::<T>::contains_key(&who, &class));
        Ok(())
    }

    #[benchmark]
    fn clean_up(n: Linear<1, 256>) -> Result<(), BenchmarkError> {
        let voters: Vec<_> = (0..n).map(|index| operator::<T>(index)).collect();
        let poll = poll::<T>(class::<T>()?)?;
        for who in voters {
            let _ = Pallet::<T>::do_vote(who, poll, true)?;
        }
        T::Polls::end_ongoing(poll, false).map_err(|()| BenchmarkError::Stop("it goes on"))?;

        #[extrinsic_call]
        _(RawOrigin::Signed(account("anybody", 0, 0)), poll, n);

        assert_eq!(Votes::<T>::iter_prefix(poll).count(), 0);
        Ok(())
    }

    impl_benchmark_test_suite!(Pallet, crate::mock::new_test_ext(), crate::mock::Test);
}
