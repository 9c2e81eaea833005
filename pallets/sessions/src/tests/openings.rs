//! What an operator posts when auditors say that it withholds.

use super::*;

fn opens(subject: Subject, bytes: &[u8]) -> bool {
    Pallet::<Test>::opening_matches(&subject, bytes)
}

#[test]
fn leaves_that_cover_the_drawn_plancks_open_takings() {
    build_and_execute(|| {
        // GIVEN takings of two settlements in audit
        let id = drawn(DEPOSIT);
        let who = member(id, 0);
        let runs = [settled(id, &who, &[100, 0, 40]), settled(id, &who, &[60])];
        let of = takings_of(&who);
        let subject = Subject::SessionTakings(of);
        let leaves = || {
            vec![
                runs[0].opened(0, 0),
                runs[0].opened(0, 2),
                runs[1].opened(1, 0),
            ]
        };
        let encoded = |leaves: Vec<OpenedLeaf>| {
            let leaves = leaves.try_into().unwrap();
            Opening { leaves }.encode()
        };
        assert!(!opens(subject, &encoded(leaves())), "no case is open");
        in_audit(of);
        // WHEN all leaves of value are shown THEN whatever was drawn is under them
        assert!(opens(subject, &encoded(leaves())));
        // AND 64 plancks of 200 are under every leaf: without one of them something is missing
        for missing in 0..3 {
            let mut some = leaves();
            some.remove(missing);
            assert!(!opens(subject, &encoded(some)));
        }
        // AND neither a leaf in the wrong place nor anything else counts
        let mut swapped = leaves();
        swapped[2].settlement = 0;
        assert!(!opens(subject, &encoded(swapped)));
        let mut long = encoded(leaves());
        long.push(0);
        assert!(!opens(subject, &long));
        assert!(!opens(subject, &[]));
        assert!(!opens(Subject::SessionTakings(of + 1), &encoded(leaves())));
        assert!(!opens(Subject::Job(of), &encoded(leaves())));
    });
}

#[test]
fn the_trace_opens_a_reported_answer() {
    build_and_execute(|| {
        // GIVEN a report
        let id = drawn(DEPOSIT);
        let who = member(id, 0);
        let asked = request(id, &who, 1, 100, 100);
        let call = Call::report {
            receipt: signed_receipt(receipt(&asked, 100)),
            request: asked,
            settlement: None,
        };
        dispatch(call, &alice()).unwrap();
        // WHEN the trace of its output is posted THEN it matches, and no other does
        let subject = Subject::SessionReceipt(0);
        assert!(opens(subject, &encode_trace(&trace(&OUTPUT))));
        assert!(!opens(subject, &encode_trace(&trace(&OUTPUT[..2]))));
        assert!(!opens(subject, &encode_trace(&trace(&[10, 21, END_TOKEN]))));
        assert!(!opens(
            Subject::SessionReceipt(1),
            &encode_trace(&trace(&OUTPUT))
        ));
    });
}
