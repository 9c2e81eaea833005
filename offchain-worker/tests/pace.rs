//! An operator pays for settlements, not for tries: whatever a client does to its channel.

use chasqui_primitives::session::SessionId;
use chasqui_worker::sessions::pace::{Due, Pace, Policy, Rules};

const SESSION: SessionId = SessionId::repeat_byte(1);
const POLICY: Policy = Policy {
    planck: 100,
    blocks: 50,
};
const RULES: Rules = Rules {
    least: 10,
    most: 4,
    epoch: 7,
};

fn due(sum: u128) -> Due {
    Due {
        first: 1,
        sum,
        waited: 0,
        ending: false,
        settled: (7, 0),
    }
}

fn is_due(pace: &Pace, due: &Due, now: u32) -> bool {
    pace.is_due(&SESSION, due, &POLICY, &RULES, now)
}

// GIVEN channels with much or little to settle, that wait for long or are about to end
// WHEN they are looked at
// THEN those are settled that the policy wants and the chain takes
#[test]
fn what_is_wanted_and_taken_is_settled() {
    let pace = Pace::default();
    assert!(is_due(&pace, &due(100), 0));
    assert!(!is_due(&pace, &due(99), 0));
    let waited = |sum| Due {
        waited: 50,
        ..due(sum)
    };
    assert!(is_due(&pace, &waited(10), 0));
    assert!(!is_due(&pace, &waited(9), 0));
    let ending = |sum| Due {
        ending: true,
        ..due(sum)
    };
    assert!(is_due(&pace, &ending(1), 0));
    assert!(!is_due(&pace, &ending(0), 0));
}

// GIVEN a client that has spent so much that its channel was settled as often as an epoch allows
// WHEN there is more to settle
// THEN nothing is sent that the chain would refuse, and it goes on in the next epoch
#[test]
fn more_settlements_than_an_epoch_takes_are_not_tried() {
    let pace = Pace::default();
    let full = |epoch, count| Due {
        settled: (epoch, count),
        ..due(1_000)
    };
    assert!(is_due(&pace, &full(7, 3), 0));
    assert!(!is_due(&pace, &full(7, 4), 0));
    assert!(is_due(&pace, &full(6, 4), 0));
}

// GIVEN a claim that the chain refuses again and again
// WHEN thousands of blocks pass
// THEN it is tried a few dozen times, and at once when there is another claim
#[test]
fn a_claim_that_is_refused_is_tried_ever_more_rarely() {
    let mut pace = Pace::default();
    let mut tries = 0;
    for now in 0..10_000 {
        if is_due(&pace, &due(500), now) {
            tries += 1;
            pace.tried(SESSION, 1, false, now);
        }
    }
    assert!((10..40).contains(&tries), "{tries}");
    let next = Due {
        first: 2,
        ..due(500)
    };
    assert!(is_due(&pace, &next, 10_000));
}

// GIVEN a claim that is in a block which is not final yet
// WHEN the finalised chain does not show it
// THEN it is not sent twice
#[test]
fn a_claim_that_is_on_its_way_is_not_sent_again() {
    let mut pace = Pace::default();
    pace.tried(SESSION, 1, false, 100);
    assert!((100..108).all(|now| !is_due(&pace, &due(500), now)));
    assert!(is_due(&pace, &due(500), 108));
}

// GIVEN a channel that is about to end, whose claim was refused
// WHEN blocks pass
// THEN it is tried again within the window, at equal pauses
#[test]
fn the_last_chance_is_not_waited_for() {
    let mut pace = Pace::default();
    let ending = Due {
        ending: true,
        ..due(500)
    };
    let mut tries = 0;
    for now in 0..80 {
        if is_due(&pace, &ending, now) {
            tries += 1;
            pace.tried(SESSION, 1, true, now);
        }
    }
    assert_eq!(tries, 10);
}
