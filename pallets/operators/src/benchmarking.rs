//! Benchmarks: what the calls and hooks cost.

use super::*;
use crate::epochs::{ANY_CHECKPOINT, PRUNED_PER_BLOCK};
use alloc::vec;
use chasqui_primitives::traits::Operators as OperatorsApi;
use frame_benchmarking::v2::*;
use frame_support::traits::fungible::{Mutate, Unbalanced};
use frame_system::RawOrigin;

/// What benchmarks need of the other pallets.
pub trait BenchmarkHelper {
    /// Makes sure that a checkpoint is registered, and names it.
    fn registered_checkpoint() -> CheckpointRoot;
}

const SEED: u32 = 0;

fn endpoint() -> Endpoint {
    Endpoint {
        url: vec![b'x'; MAX_URL_BYTES as usize].try_into().unwrap(),
        tls_key: [7; 32],
    }
}

const BOTH: Roles = Roles {
    compute: true,
    validate: true,
};

fn checkpoint(n: u32) -> CheckpointRoot {
    // `H256::from_low_u64_be` does not exist in the WASM runtime.
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&n.saturating_add(1).to_le_bytes());
    CheckpointRoot::from(bytes)
}

#[benchmarks(where T::NativeBalance: Mutate<T::AccountId> + Unbalanced<T::AccountId>)]
mod benchmarks {
    use super::*;

    fn funded<T: Config>(name: &'static str, n: u32) -> T::AccountId
    where
        T::NativeBalance: Mutate<T::AccountId>,
    {
        let who: T::AccountId = account(name, n, SEED);
        let amount = Parameters::<T>::get().minimum_bond.saturating_mul(10);
        T::NativeBalance::mint_into(&who, amount).unwrap();
        who
    }

    fn registered<T: Config>(n: u32) -> T::AccountId
    where
        T::NativeBalance: Mutate<T::AccountId>,
    {
        let who = funded::<T>("operator", n);
        let bond = Parameters::<T>::get().minimum_bond;
        let hot_key = account("hot", n, SEED);
        Pallet::<T>::do_register(who.clone(), bond, hot_key, BOTH, 1, endpoint(), None).unwrap();
        who
    }

    #[benchmark]
    fn register() {
        let who = funded::<T>("operator", 0);
        let owner: T::AccountId = account("owner", 0, SEED);
        OwnerApprovals::<T>::insert(&owner, &who);
        let bond = Parameters::<T>::get().minimum_bond;
        let hot_key = account("hot", 0, SEED);

        #[extrinsic_call]
        _(
            RawOrigin::Signed(who.clone()),
            bond,
            hot_key,
            BOTH,
            1,
            endpoint(),
            Some(owner),
        );

        assert!(Operators::<T>::contains_key(&who));
    }

    #[benchmark]
    fn bond_extra() {
        let who = registered::<T>(0);
        let amount = Parameters::<T>::get().minimum_bond;

        #[extrinsic_call]
        _(RawOrigin::Signed(who.clone()), amount);

        assert_eq!(Pallet::<T>::bond(&who), amount.saturating_mul(2));
    }

    #[benchmark]
    fn set_hot_key() {
        let who = registered::<T>(0);
        let hot_key: T::AccountId = account("hot", 1, SEED);

        #[extrinsic_call]
        _(RawOrigin::Signed(who.clone()), hot_key.clone());

        assert_eq!(HotKeys::<T>::get(&hot_key), Some(who));
    }

    #[benchmark]
    fn set_endpoint() {
        let who = registered::<T>(0);
        let hot_key: T::AccountId = account("hot", 0, SEED);
        let new = Endpoint {
            tls_key: [8; 32],
            ..endpoint()
        };

        #[extrinsic_call]
        _(RawOrigin::Signed(hot_key), new.clone());

        assert_eq!(Operators::<T>::get(&who).unwrap().endpoint, new);
    }

    #[benchmark]
    fn serve() {
        let who = registered::<T>(0);
        for n in 1..MAX_CHECKPOINTS {
            Pallet::<T>::do_serve(who.clone(), checkpoint(n)).unwrap();
        }
        let root = T::BenchmarkHelper::registered_checkpoint();
        let hot_key: T::AccountId = account("hot", 0, SEED);

        #[extrinsic_call]
        _(RawOrigin::Signed(hot_key), root);

        assert!(Servers::<T>::contains_key(root, &who));
    }

    #[benchmark]
    fn unserve() {
        let who = registered::<T>(0);
        for n in 0..MAX_CHECKPOINTS {
            Pallet::<T>::do_serve(who.clone(), checkpoint(n)).unwrap();
        }
        let hot_key: T::AccountId = account("hot", 0, SEED);

        #[extrinsic_call]
        _(RawOrigin::Signed(hot_key), checkpoint(0));

        assert!(!Servers::<T>::contains_key(checkpoint(0), &who));
    }

    #[benchmark]
    fn set_capacity() {
        let who = registered::<T>(0);

        #[extrinsic_call]
        _(RawOrigin::Signed(who.clone()), 2);

        assert_eq!(Operators::<T>::get(&who).unwrap().capacity, 2);
    }

    #[benchmark]
    fn set_roles() {
        let who = registered::<T>(0);
        let roles = Roles {
            compute: false,
            validate: true,
        };

        #[extrinsic_call]
        _(RawOrigin::Signed(who.clone()), roles);

        assert_eq!(Operators::<T>::get(&who).unwrap().roles, roles);
    }

    #[benchmark]
    fn approve_operator() {
        let owner: T::AccountId = account("owner", 0, SEED);
        let operator: T::AccountId = account("operator", 0, SEED);

        #[extrinsic_call]
        _(RawOrigin::Signed(owner.clone()), Some(operator.clone()));

        assert_eq!(OwnerApprovals::<T>::get(&owner), Some(operator));
    }

    #[benchmark]
    fn unbond() {
        let who = registered::<T>(0);

        #[extrinsic_call]
        _(RawOrigin::Signed(who.clone()));

        let status = Operators::<T>::get(&who).unwrap().status;
        assert!(matches!(status, Status::Unbonding { .. }));
    }

    #[benchmark]
    fn withdraw(c: Linear<0, MAX_CHECKPOINTS>) {
        let who = registered::<T>(0);
        for n in 0..c {
            Pallet::<T>::do_serve(who.clone(), checkpoint(n)).unwrap();
        }
        let until = frame_system::Pallet::<T>::block_number();
        Pallet::<T>::try_mutate(&who, |record| {
            record.status = Status::Unbonding { until };
            Ok(())
        })
        .unwrap();

        #[extrinsic_call]
        _(RawOrigin::Signed(who.clone()));

        assert!(!Operators::<T>::contains_key(&who));
    }

    #[benchmark]
    fn unjail() {
        let who = registered::<T>(0);
        Pallet::<T>::try_mutate(&who, |record| {
            record.status = Status::Jailed { until: 0 };
            Ok(())
        })
        .unwrap();
        let hot_key: T::AccountId = account("hot", 0, SEED);

        #[extrinsic_call]
        _(RawOrigin::Signed(hot_key));

        assert!(matches!(
            Operators::<T>::get(&who).unwrap().status,
            Status::Active
        ));
    }

    #[benchmark]
    fn set_params() -> Result<(), BenchmarkError> {
        let origin =
            T::AdminOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;
        let params = Params {
            max_capacity: 5,
            ..Parameters::<T>::get()
        };

        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, params.clone());

        assert_eq!(Parameters::<T>::get(), params);
        Ok(())
    }

    #[benchmark]
    fn resign_hot_key() {
        let who = registered::<T>(0);
        let hot_key: T::AccountId = account("hot", 0, SEED);

        #[extrinsic_call]
        _(RawOrigin::Signed(hot_key.clone()));

        assert_eq!(HotKeys::<T>::get(&hot_key), None);
        assert_eq!(HotKeys::<T>::get(&who), Some(who));
    }

    #[benchmark]
    fn begin_epoch() {
        #[block]
        {
            Pallet::<T>::begin_epoch(1, 10u32.into());
        }
        assert_eq!(CurrentEpoch::<T>::get().index, 1);
    }

    /// `n` servers of one checkpoint, each visited.
    #[benchmark]
    fn build_indices(n: Linear<1, 256>) {
        for i in 0..n {
            let who = registered::<T>(i);
            Pallet::<T>::do_serve(who, checkpoint(0)).unwrap();
        }
        Pallet::<T>::begin_epoch(1, 10u32.into());
        // Up to the checkpoint's own index.
        Pallet::<T>::build_indices(n.saturating_add(1));

        #[block]
        {
            Pallet::<T>::build_indices(n.saturating_add(1));
        }
        assert_eq!(BuiltEpoch::<T>::get(), Some(1));
        let weight = Pallet::<T>::electorate(&checkpoint(0), &[account("nobody", 0, SEED)]).weight;
        assert_eq!(weight, u64::from(n));
    }

    #[benchmark]
    fn prune_indices(n: Linear<1, PRUNED_PER_BLOCK>) {
        for i in 0..n {
            Indices::<T>::insert((0, Role::Validate, checkpoint(i)), IndexOf::<T>::default());
        }
        BuiltEpoch::<T>::put(Parameters::<T>::get().index_retention.saturating_add(1));

        #[block]
        {
            Pallet::<T>::prune_indices();
        }
        assert!(!Indices::<T>::contains_key((
            0,
            Role::Validate,
            ANY_CHECKPOINT
        )));
    }

    impl_benchmark_test_suite!(Pallet, crate::mock::new_test_ext(), crate::mock::Test);
}
