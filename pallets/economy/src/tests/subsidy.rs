//! What the subsidy pot adds.

use crate::{mock::*, *};

use frame_support::assert_ok;

/// Three operators of equal weight; each may be credited up to 0.7 of the median's work.
fn three() {
    for who in 1..=3 {
        World::register(who, 100);
    }
}

/// 28 epochs of the same work, so that an epoch is a 28th of the window.
fn steady(units: u128) {
    for _ in 0..28 {
        for who in 1..=3 {
            World::work(who, units);
        }
        close_epoch();
    }
}

#[test]
fn credited_work_is_paid_three_times_its_fees_in_the_first_batch() {
    build_and_execute(|| {
        three();
        steady(1_024_000);
        let (epoch, census) = Economy::census().unwrap();
        // Nobody does less than the others, and each is credited 0.7 of what it did, to what rho is exact to.
        assert!(census.credited_fees <= 3 * 716_800);
        assert!(census.credited_fees > 3 * 690_000);
        assert!(census.subsidy.abs_diff(3 * census.credited_fees) <= 3);
        let booked = World::booked(epoch, 1);
        assert_eq!(booked, World::booked(epoch, 2));
        assert!(booked.abs_diff(census.subsidy / 3) <= 1);
    });
}

#[test]
fn who_buys_its_own_service_is_credited_no_more() {
    build_and_execute(|| {
        three();
        steady(1_024_000);
        let honest = World::booked(27, 1);
        // WHEN one of three buys a hundred times as much from itself
        for who in 1..=3 {
            World::work(who, 1_024_000);
        }
        World::work(3, 100 * 1_024_000);
        let epoch = close_epoch();
        // THEN it is paid like the others, for a hundred times the fees
        assert_eq!(World::booked(epoch, 3), World::booked(epoch, 1));
        assert_eq!(World::booked(epoch, 1), honest);
    });
}

#[test]
fn a_dead_day_pays_nobody() {
    build_and_execute(|| {
        three();
        let epoch = close_epoch();
        assert_eq!(census().subsidy, 0);
        assert!(!happened(&Event::PotEmpty { epoch, fees: 0 }));
    });
}

#[test]
fn an_empty_pot_pays_nothing_and_says_so() {
    build_and_execute(|| {
        three();
        steady(1_024_000);
        let left = Economy::in_pot();
        let to = 77;
        assert_ok!(<Balances as Mutate<u64>>::transfer(
            &Economy::pot_account(),
            &to,
            left,
            frame_support::traits::tokens::Preservation::Preserve
        ));
        for who in 1..=3 {
            World::work(who, 1_024_000);
        }
        let epoch = close_epoch();
        let fees = census().credited_fees;
        assert_eq!(census().subsidy, 0);
        assert!(happened(&Event::PotEmpty { epoch, fees }));
    });
}

#[test]
fn the_pot_is_never_overdrawn() {
    build_and_execute(|| {
        three();
        let left = Economy::in_pot() - 1_000;
        assert_ok!(<Balances as Mutate<u64>>::transfer(
            &Economy::pot_account(),
            &77,
            left,
            frame_support::traits::tokens::Preservation::Preserve
        ));
        steady(1_024_000);
        assert!(Economy::in_pot() < 3, "{}", Economy::in_pot());
        assert!(Balances::free_balance(Economy::pot_account()) >= 10);
    });
}

#[test]
fn budget_and_programme_end_it() {
    build_and_execute(|| {
        three();
        let mut limited = Params {
            epoch_budget: 500,
            ..params()
        };
        assert_ok!(Economy::set_params(RuntimeOrigin::root(), limited));
        steady(1_024_000);
        assert!(census().subsidy <= 500 && census().subsidy >= 497);
        // AND a programme that has paid everything
        limited.programme = Paid::<Test>::get();
        assert_ok!(Economy::set_params(RuntimeOrigin::root(), limited));
        steady(1_024_000);
        assert_eq!(census().subsidy, 0);
    });
}

#[test]
fn the_least_issuance_is_shared_by_accepted_work() {
    build_and_execute(|| {
        three();
        // GIVEN a programme in its last batch, and of a size whose least issuance is 5,000 an epoch
        let programme = 100_000_000;
        assert_ok!(Economy::set_params(
            RuntimeOrigin::root(),
            Params {
                programme,
                ..params()
            }
        ));
        // (paid without being booked, so this mock's sums are told)
        let spent = programme / 20 * 11 + 1;
        World::with(|world| world.booked.insert((0, 1), spent));
        Paid::<Test>::put(spent);
        assert_ok!(<Balances as Mutate<u64>>::transfer(
            &Economy::pot_account(),
            &LEDGER,
            spent,
            frame_support::traits::tokens::Preservation::Preserve
        ));
        steady(10_240);
        let paid = census().subsidy;
        // 7.73% of the total would be less than 2,000.
        assert!((4_990..=5_000).contains(&paid), "{paid}");
    });
}

#[test]
fn views_tell_pot_paid_and_batch() {
    build_and_execute(|| {
        assert_eq!(Economy::subsidy(), (POT - 10, 0, Some(1)));
        let params = Params {
            programme: 0,
            ..params()
        };
        assert_ok!(Economy::set_params(RuntimeOrigin::root(), params));
        assert_eq!(Economy::subsidy().2, None);
    });
}

#[test]
fn who_fills_a_short_day_by_buying_its_own_service_is_credited_as_the_others_are() {
    build_and_execute(|| {
        three();
        steady(1_024_000);
        // GIVEN a day with a tenth of the work that the window is used to
        for who in 1..=3 {
            World::work(who, 102_400);
        }
        // WHEN one buys itself the rest of a usual day
        World::work(3, 921_600);
        let epoch = close_epoch();
        // THEN it is paid what the others are: a usual day's allowance is there for usual days
        let booked = World::booked(epoch, 1);
        assert!(booked > 0);
        assert!(World::booked(epoch, 3).abs_diff(booked) <= 1);
        assert!(census().rho_of_epoch < census().rho / 28 / 9);
    });
}

#[test]
fn credit_goes_by_the_weight_with_which_one_is_drawn() {
    build_and_execute(|| {
        three();
        // GIVEN a newcomer, drawn with a quarter of its weight
        World::with(|world| world.drawn.insert(3, 25));
        steady(1_024_000);
        // WHEN it comes to as much work as the others by buying it
        for who in 1..=3 {
            World::work(who, 1_024_000);
        }
        let epoch = close_epoch();
        // THEN it is credited a quarter of theirs
        let others = World::booked(epoch, 1);
        assert!(World::booked(epoch, 3) <= others / 4 + 1);
    });
}

#[test]
fn validators_do_not_lower_what_those_who_compute_are_credited() {
    build_and_execute(|| {
        three();
        // GIVEN more weight of operators that do not compute than of those that do
        for who in 4..=8 {
            World::register(who, 100);
            World::with(|world| world.drawn.insert(who, 0));
        }
        for _ in 0..28 {
            for who in 1..=3 {
                World::work(who, 1_024_000);
            }
            close_epoch();
        }
        // THEN the epoch's own median is that of those who do
        assert!(census().rho_of_epoch > 0);
    });
}
