//! What happens now and then: a request lapses, an operator shows its answers on chain.

use super::*;

impl World {
    /// The oldest request that waits lapses, and its client asks to void it; the void arrives or is lost.
    pub fn void(&mut self, at: (SessionId, AccountId), arrives: bool) {
        let rules = channel(at.0, &at.1).rules;
        let side = self.side(&at);
        let Some((seq, _)) = side.client.waiting().next() else {
            return;
        };
        let asked = side.asked.iter().find(|asked| asked.request.seq == seq);
        let asked = asked.expect("it was signed").clone();
        let late = asked.request.valid_until + 1;
        let outcome = side.executor.void(&facts(&asked), &rules, late);
        if outcome == Void::Sign {
            let answer = Receipt::void(&genesis_hash(), &asked.request);
            side.answered.insert(seq, (asked, answer));
        }
        if matches!(outcome, Void::Sign | Void::Again) {
            if arrives {
                assert!(side.client.receipt(seq, 0));
            }
            self.seen.insert("a request was voided".into());
        }
    }

    /// An operator shows all that a case over its takings is about.
    pub fn show(&mut self, pick: usize) {
        let mut all: Vec<_> = AllTakings::<Test>::iter()
            .filter(|(_, takings)| matches!(takings.stage, TakingsStage::InAudit { .. }))
            .map(|(id, takings)| (id, takings.operator))
            .filter(|(_, who)| is_honest(who))
            .collect();
        all.sort();
        if all.is_empty() {
            return;
        }
        let (id, who) = all[pick % all.len()].clone();
        if Pallet::<Test>::all_is_shown(id) {
            return;
        }
        let plancks = Pallet::<Test>::plancks(id);
        let mut answers = BTreeMap::new();
        for (index, record) in Settlements::<Test>::iter_prefix(id) {
            let side = &self.sides[&(record.session, who.clone())];
            let (asked, answered) = (record.claim.first..=record.claim.last)
                .map(|seq| side.answered[&seq].clone())
                .unzip();
            let run = Run { asked, answered };
            let (start, end) = (record.before, record.before + record.claim.sum);
            for planck in plancks.iter().filter(|p| (start..end).contains(*p)) {
                let at = tree::covering(&run.leaves(), planck - start).expect("within") as usize;
                answers.insert((index, at), run.shown(index, at));
            }
        }
        let answers = answers.into_values().collect::<Vec<_>>().try_into();
        let call = Call::show {
            takings: id,
            answers: answers.expect("no more than plancks"),
        };
        assert!(attempt(call, &who), "honest work can be shown");
        assert!(Pallet::<Test>::opening_matches(
            &Subject::SessionTakings(id),
            &[]
        ));
        self.seen.insert("answers were shown".into());
    }
}
