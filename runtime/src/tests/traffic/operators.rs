//! What operators do: auditors judge, and everybody bonds, serves and leaves.

use super::*;

impl Traffic {
    /// What an auditor of `case` says: most cases have a mood of their own.
    fn verdict(&mut self, case: CaseId) -> Verdict {
        let reasons = [
            HardReason::Margin,
            HardReason::Fingerprint,
            HardReason::Finish,
        ];
        let usual = match case % 8 {
            0 | 1 => Verdict::Valid,
            2 => Verdict::Hard(reasons[self.dice.below(3)]),
            3..=5 => Verdict::Soft,
            6 => Verdict::Withheld,
            _ => [Verdict::Valid, Verdict::Soft, Verdict::Hard(reasons[0])][self.dice.below(3)],
        };
        match self.dice.below(50) {
            0 => Verdict::NoModel,
            1 => Verdict::Valid,
            2 => Verdict::Hard(reasons[1]),
            3 => Verdict::Withheld,
            _ => usual,
        }
    }

    pub(super) fn auditor(&mut self) -> (AccountId, RuntimeCall) {
        let cases: BTreeMap<_, _> = pallet_audits::Cases::<Runtime>::iter().collect();
        let opening: Vec<_> = cases
            .iter()
            .filter(|(_, case)| matches!(case.phase, pallet_audits::Phase::Opening { .. }))
            .collect();
        if let (Some((id, case)), true) = (self.dice.pick(&opening), self.dice.chance(30)) {
            let chasqui_primitives::audit::Subject::Job(job) = case.subject else {
                unreachable!("this traffic has no sessions");
            };
            let mut opening = encode_trace(&trace_of(
                self.answers.get(&job).map_or(&[][..], |ids| &ids[..]),
            ));
            if self.dice.chance(20) {
                opening.push(1);
            }
            let call = pallet_audits::Call::post_opening {
                case: *id,
                opening: opening.try_into().unwrap(),
            };
            return (case.operator.clone(), call.into());
        }
        self.secrets.retain(|(case, ..)| cases.contains_key(case));
        let revealing: Vec<Secret> = self
            .secrets
            .iter()
            .filter(|(case, ..)| matches!(cases[case].phase, pallet_audits::Phase::Reveal { .. }))
            .cloned()
            .collect();
        if let (Some((case, auditor, verdict, evidence, mut salt)), true) =
            (self.dice.pick(&revealing), self.dice.chance(60))
        {
            if self.dice.chance(3) {
                salt = [0; 32];
            } else {
                self.secrets
                    .retain(|secret| (secret.0, &secret.1) != (case, &auditor));
            }
            let call = pallet_audits::Call::reveal {
                case,
                verdict,
                evidence,
                salt,
            };
            return (auditor, call.into());
        }
        let sealed_already = |auditor: &AccountId, case: CaseId, stage: Stage| match stage {
            Stage::One => cases[&case]
                .seats
                .iter()
                .any(|seat| seat.auditor == *auditor && seat.commitment.is_some()),
            Stage::Two => pallet_audits::Ballots::<Runtime>::get(case, auditor)
                .is_some_and(|ballot| ballot.commitment.is_some()),
        };
        let eager = self.dice.chance(3);
        let duties: Vec<_> = pallet_audits::Duties::<Runtime>::iter()
            .filter(|(auditor, case, stage)| {
                let open = matches!(cases[case].phase, pallet_audits::Phase::Commit { .. });
                eager || (open && !sealed_already(auditor, *case, *stage))
            })
            .collect();
        let Some((auditor, case, stage)) = self.dice.pick(&duties) else {
            return if self.dice.chance(80) {
                self.executor()
            } else {
                self.operator()
            };
        };
        let verdict = self.verdict(case);
        let mut evidence = evidence();
        if self.dice.chance(5) {
            evidence = vec![i32::MAX; self.dice.below(17)].try_into().unwrap();
        }
        let mut commitment = sealed(case, stage, &auditor, verdict, &evidence);
        if self.dice.chance(3) {
            commitment = H256::zero();
        }
        self.secrets
            .push((case, auditor.clone(), verdict, evidence, SALT));
        (
            auditor,
            pallet_audits::Call::commit { case, commitment }.into(),
        )
    }

    pub(super) fn operator(&mut self) -> (AccountId, RuntimeCall) {
        use pallet_operators::Call;
        let mut n = self.dice.person();
        let strangers: Vec<u8> = (0..PEOPLE)
            .filter(|n| !pallet_operators::Operators::<Runtime>::contains_key(person(*n)))
            .collect();
        let kind = self.dice.below(26);
        if kind < 4 && self.dice.chance(80) {
            n = self.dice.pick(&strangers).unwrap_or(n);
        }
        let who = person(n);
        let roles = [
            COMPUTE,
            VALIDATE,
            Roles {
                compute: true,
                validate: true,
            },
            Roles {
                compute: false,
                validate: false,
            },
        ][self.dice.below(4)];
        let checkpoint = root(self.dice.below(3) as u8);
        let call: Call<Runtime> = match kind {
            0..=3 => Call::register {
                bond: if self.dice.chance(90) { BOND } else { DOT },
                hot_key: if self.dice.chance(80) {
                    hot_key(n)
                } else {
                    self.somebody()
                },
                roles,
                capacity: self.dice.below(20) as u32,
                endpoint: endpoint(n),
                owner: self.dice.chance(20).then(|| self.somebody()),
            },
            4 => Call::bond_extra {
                amount: DOT * self.dice.below(500) as Balance,
            },
            5 => Call::set_hot_key {
                hot_key: if self.dice.chance(70) {
                    hot_key(n)
                } else {
                    self.somebody()
                },
            },
            6 => Call::set_endpoint {
                endpoint: endpoint(self.dice.person()),
            },
            7..=10 | 22..=24 => Call::serve { checkpoint },
            11 => Call::unserve { checkpoint },
            12 => Call::set_capacity {
                capacity: self.dice.below(50) as u32,
            },
            13 => Call::set_roles { roles },
            14 => Call::approve_operator {
                operator: self.dice.chance(90).then(|| self.somebody()),
            },
            15 if self.dice.chance(50) => Call::unbond {},
            16 | 17 => {
                let leaving: Vec<_> = pallet_operators::Operators::<Runtime>::iter()
                    .filter(|(_, o)| matches!(o.status, pallet_operators::Status::Unbonding { .. }))
                    .map(|(who, _)| who)
                    .collect();
                let who = self.dice.pick(&leaving).unwrap_or(who);
                return (who, Call::<Runtime>::withdraw {}.into());
            }
            15 | 18..=20 => {
                let jailed: Vec<_> = pallet_operators::Operators::<Runtime>::iter()
                    .filter(|(_, o)| match o.status {
                        pallet_operators::Status::Jailed { until } => until <= current_epoch(),
                        _ => false,
                    })
                    .map(|(who, _)| who)
                    .collect();
                let who = self.dice.pick(&jailed).unwrap_or(who);
                return (who, Call::<Runtime>::unjail {}.into());
            }
            _ => return (hot_key(n), Call::<Runtime>::resign_hot_key {}.into()),
        };
        (who, call.into())
    }
}
