//! What an operator shows when auditors say that it withholds.

use super::*;

fn opens(subject: Subject, bytes: &[u8]) -> bool {
    Pallet::<Test>::opening_matches(&subject, bytes)
}

fn show(id: TakingsId, answers: Vec<ShownAnswer>, who: &AccountId) -> Result<(), DispatchError> {
    let answers = answers.try_into().expect("not too many");
    let call = Call::show {
        takings: id,
        answers,
    };
    dispatch(call, who)
}

#[test]
fn showing_every_drawn_answer_opens_takings() {
    build_and_execute(|| {
        // GIVEN takings of two settlements in audit: 64 plancks of 200 lie under every answer of value
        let id = drawn(DEPOSIT);
        let who = member(id, 0);
        let runs = [settled(id, &who, &[100, 0, 40]), settled(id, &who, &[60])];
        let of = takings_of(&who);
        let subject = Subject::SessionTakings(of);
        assert_eq!(
            show(of, vec![runs[0].shown(0, 0)], &who),
            Err(Error::<Test>::NotInAudit.into())
        );
        let case = in_audit(of);
        // WHEN the operator, or its hot key, shows one after the other THEN they open the case when none is missing
        assert!(!opens(subject, &[]));
        show(of, vec![runs[0].shown(0, 0), runs[0].shown(0, 2)], &who).unwrap();
        assert!(!opens(subject, &[]));
        show(of, vec![runs[1].shown(1, 0)], &hot(number_of(&who))).unwrap();
        assert!(opens(subject, &[]));
        // AND the chain says where they stand, without keeping them
        let now = System::block_number();
        let shown = Shown::<Test>::get(of);
        assert_eq!(shown.len(), 3);
        assert!(shown.iter().all(|answer| answer.at == now));
        assert_event(Event::AnswerShown {
            takings: of,
            settlement: 1,
            seq: 4,
            start: 140,
            end: 200,
        });
        // AND nothing else is posted with it
        assert!(!opens(subject, &[0]));
        assert!(!opens(Subject::SessionTakings(of + 1), &[]));
        assert!(!opens(Subject::Job(of), &[]));
        // AND when the case is decided nothing of it is left
        close_case(case, Decision::Valid);
        assert!(Shown::<Test>::get(of).is_empty());
    });
}

#[test]
fn an_answer_without_its_prompt_or_trace_shows_nothing() {
    build_and_execute(|| {
        // GIVEN takings in audit
        let id = drawn(DEPOSIT);
        let who = member(id, 0);
        let run = settled(id, &who, &[100, 0, 100]);
        let of = takings_of(&who);
        in_audit(of);
        // WHEN what is shown is not what was signed and settled THEN it is refused, and nothing counts as shown
        let spoil: [fn(&mut ShownAnswer); 8] = [
            |answer| answer.prompt = Default::default(),
            |answer| answer.prompt[0] += 1,
            |answer| answer.salt[0] += 1,
            |answer| answer.trace = Default::default(),
            |answer| answer.trace[0] += 1,
            |answer| answer.trace[31] += 1,
            |answer| answer.leaf.settlement = 1,
            |answer| answer.leaf.price += 1,
        ];
        for spoil in spoil {
            let mut answer = run.shown(0, 0);
            spoil(&mut answer);
            assert_eq!(
                show(of, vec![run.shown(0, 2), answer], &who),
                Err(Error::<Test>::NotWhatWasSettled.into())
            );
        }
        // AND so is what nobody asked for, or what comes twice, or from somebody else
        let refused = |answers, who: &AccountId, error: Error<Test>| {
            assert_eq!(show(of, answers, who), Err(error.into()));
        };
        refused(vec![run.shown(0, 1)], &who, Error::NotDrawn);
        refused(vec![run.shown(0, 0); 2], &who, Error::AlreadyShown);
        refused(vec![run.shown(0, 0)], &alice(), Error::NotTakingsOperator);
        refused(vec![], &who, Error::NoEntries);
        // AND what nobody has asked for is not shown for free
        NotDemanded::put(true);
        refused(vec![run.shown(0, 0)], &who, Error::OpeningNotDemanded);
        assert!(Shown::<Test>::get(of).is_empty());
        assert!(!opens(Subject::SessionTakings(of), &[]));
    });
}

#[test]
fn a_root_over_nothing_cannot_be_shown() {
    build_and_execute(|| {
        // GIVEN an operator that settled a root that it made up
        let id = drawn(DEPOSIT);
        let who = member(id, 0);
        let run = Run::new(id, &who, &[100]);
        let mut claim = run.claim();
        claim.root = H256::repeat_byte(1);
        settle_all(vec![entry(&run.asked[0], claim)]).unwrap();
        let of = takings_of(&who);
        in_audit(of);
        // WHEN it shows an answer of its own invention THEN that is not what it settled
        assert_eq!(
            show(of, vec![run.shown(0, 0)], &who),
            Err(Error::<Test>::NotWhatWasSettled.into())
        );
        assert!(!opens(Subject::SessionTakings(of), &[]));
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
