//! What the calls and the work of `on_initialize` cost.

use super::*;
use alloc::{vec, vec::Vec};
use chasqui_primitives::{
    audit::{Decision, HardReason, Subject},
    draw::MAX_CANDIDATES,
    hash,
    sampling::Sampling,
    session::{
        sample::{OpenedLeaf, ShownAnswer, MAX_PROMPT_TOKENS, MOST_PLANCKS},
        tree::{self, Claim, Leaf},
        Receipt, Request, SessionId, Settlement, ShrinkConsent, SignedReceipt, SignedRequest,
    },
    trace::{encode_trace, trace_root, TraceLeaf, FINGERPRINT_DIMS},
    traits::{CaseSubjects, Epochs, Ledger, Randomness},
    Balance, CaseId, FinishReason,
};
use frame_benchmarking::v2::*;
use frame_support::{
    traits::{
        fungible::{Inspect, Mutate},
        EnsureOrigin, Get,
    },
    BoundedVec,
};
use frame_system::RawOrigin;
use sp_core::{crypto::KeyTypeId, sr25519, H256};
use sp_runtime::{traits::IdentifyAccount, MultiSignature, MultiSigner, Saturating};

const KEYS: KeyTypeId = KeyTypeId(*b"sess");
const SEED: H256 = H256([9; 32]);
const PLENTY: Balance = 1 << 80;
const DEPOSIT: Balance = 1 << 50;
/// Most auditors that the benchmarks pay; what one costs does not depend on how many there are.
const MAX_AUDITORS: u32 = 128;

/// A client, and operators who serve a checkpoint. One key signs for the client and for the first of the operators.
struct Actors<T: Config> {
    client: T::AccountId,
    public: sr25519::Public,
    hot_key: T::AccountId,
    operator: T::AccountId,
    checkpoint: H256,
}

fn actors<T: Config>(operators: u32) -> Actors<T> {
    Parameters::<T>::put(ParamsOf::<T>::default());
    let public = sp_io::crypto::sr25519_generate(KEYS, None);
    let hot_key: T::AccountId = MultiSigner::from(public).into_account();
    let (checkpoint, all) = T::BenchmarkHelper::served_checkpoint(operators, &hot_key);
    let client: T::AccountId = account("client", 0, 0);
    for who in [&client, &hot_key] {
        T::NativeBalance::set_balance(who, PLENTY);
    }
    for pot in [T::Ledger::pot(), T::Reserve::get(), Pallet::<T>::pot()] {
        let minimum = T::NativeBalance::minimum_balance();
        T::NativeBalance::mint_into(&pot, minimum).expect("issuance does not overflow");
    }
    Actors {
        client,
        public,
        hot_key,
        operator: all.into_iter().next().expect("there is one"),
        checkpoint,
    }
}

impl<T: Config> Actors<T> {
    fn opened(&self) -> SessionId {
        let before: Vec<_> = ClientSessions::<T>::iter_key_prefix(&self.client).collect();
        Pallet::<T>::do_open(
            self.client.clone(),
            self.checkpoint,
            DEPOSIT,
            Some(self.hot_key.clone()),
        )
        .expect("the request is good");
        ClientSessions::<T>::iter_key_prefix(&self.client)
            .find(|id| !before.contains(id))
            .expect("just opened")
    }

    /// A session whose committee is drawn: the first operator, if there is one only.
    fn drawn(&self) -> SessionId {
        let id = self.opened();
        let session = Sessions::<T>::get(id).expect("live");
        Draws::<T>::remove(session.draw.expect("waits for a draw"));
        Pallet::<T>::on_seed(Drawn::Committee(id), SEED);
        id
    }

    fn sign(&self, hash: H256) -> MultiSignature {
        sp_io::crypto::sr25519_sign(KEYS, &self.public, hash.as_bytes())
            .expect("the key was generated")
            .into()
    }

    fn request(&self, session: SessionId, seq: u64, cap: Balance) -> SignedRequest<T::AccountId> {
        let request = Request {
            session,
            operator: self.operator.clone(),
            seq,
            checkpoint: self.checkpoint,
            prompt_hash: SEED,
            prompt_tokens: 1,
            sampling: Sampling {
                stop_ids: vec![0; 8].try_into().expect("at the bound"),
                ..Sampling::greedy(1)
            },
            unit_price: 1,
            max_price: cap,
            cap,
            valid_until: 1,
        };
        let signature = self.sign(request.signing_hash(&Pallet::<T>::genesis_hash()));
        SignedRequest { request, signature }
    }

    fn receipt(
        &self,
        to: &SignedRequest<T::AccountId>,
        output_hash: H256,
    ) -> SignedReceipt<T::AccountId> {
        let genesis = Pallet::<T>::genesis_hash();
        let receipt = Receipt {
            session: to.request.session,
            operator: self.operator.clone(),
            seq: to.request.seq,
            request: to.request.signing_hash(&genesis),
            output_hash,
            trace_root: SEED,
            prompt_tokens: 1,
            output_tokens: 1,
            finish: FinishReason::Length,
            price: to.request.max_price,
        };
        let signature = self.sign(receipt.signing_hash(&genesis));
        SignedReceipt { receipt, signature }
    }

    fn entry(&self, session: SessionId, seq: u64) -> Entry<T::AccountId> {
        let request = self.request(session, seq, DEPOSIT);
        let claim: Claim = tree::claim(&[Leaf {
            seq,
            request: SEED,
            receipt: SEED,
            price: 1 << 40,
        }])
        .expect("one leaf");
        let settlement = Settlement {
            session,
            operator: self.operator.clone(),
            claim,
        };
        let signature = self.sign(settlement.signing_hash(&Pallet::<T>::genesis_hash()));
        Entry {
            request,
            claim,
            signature: Some(signature),
        }
    }

    /// Takings of one settlement, with a case open.
    fn takings_in_audit(&self) -> (TakingsId, CaseId) {
        let id = self.takings_drawing();
        Pallet::<T>::on_seed(Drawn::Takings(id), SEED);
        match AllTakings::<T>::get(id).expect("pending").stage {
            TakingsStage::InAudit { case, .. } => (id, case),
            stage => panic!("{stage:?}"),
        }
    }

    fn takings_drawing(&self) -> TakingsId {
        let session = self.drawn();
        let entries = vec![self.entry(session, 1)].try_into().expect("one");
        Pallet::<T>::do_settle(self.client.clone(), entries).expect("a good settlement");
        let id = NextTakings::<T>::get().saturating_sub(1);
        Pallet::<T>::announce_takings(id);
        TakingsCursor::<T>::put(id.saturating_add(1));
        Draws::<T>::remove(DrawTail::<T>::get().saturating_sub(1));
        id
    }
}

/// Fills a session up to so many channels.
fn with_channels<T: Config>(id: SessionId, count: u32) {
    for n in 0..count {
        let who: T::AccountId = account("other", n, 0);
        if Sessions::<T>::get(id).is_some_and(|session| session.channels >= count) {
            return;
        }
        let record = ChannelRecord {
            rules: Default::default(),
            signer: who.clone(),
            former: None,
            settled_in: T::Epochs::current(),
            settlements: 0,
            reported: BoundedVec::new(),
        };
        Channels::<T>::insert(id, &who, record);
        Engagements::<T>::insert(&who, id, ());
        Sessions::<T>::mutate(id, |session| {
            if let Some(session) = session {
                session.channels = session.channels.saturating_add(1);
            }
        });
    }
}

#[benchmarks]
mod benchmarks {
    use super::*;

    #[benchmark]
    fn open() {
        let by = actors::<T>(1);
        #[extrinsic_call]
        _(
            RawOrigin::Signed(by.client.clone()),
            by.checkpoint,
            DEPOSIT,
            Some(by.hot_key.clone()),
        );
        assert_eq!(ClientSessions::<T>::iter_key_prefix(&by.client).count(), 1);
    }

    #[benchmark]
    fn top_up() {
        let by = actors::<T>(1);
        let id = by.drawn();
        #[extrinsic_call]
        _(RawOrigin::Signed(by.client.clone()), id, DEPOSIT);
        let session = Sessions::<T>::get(id).expect("live");
        assert_eq!(session.deposit.paid_in, DEPOSIT.saturating_mul(2));
    }

    #[benchmark]
    fn renew() {
        let by = actors::<T>(1);
        let id = by.drawn();
        T::BenchmarkHelper::next_epoch();
        #[extrinsic_call]
        _(RawOrigin::Signed(by.client.clone()), id);
        assert!(Sessions::<T>::get(id).is_some_and(|session| session.draw.is_some()));
    }

    #[benchmark]
    fn grow() {
        let by = actors::<T>(1);
        let id = by.drawn();
        Pallet::<T>::do_top_up(by.client.clone(), id, DEPOSIT).expect("plenty");
        #[extrinsic_call]
        _(
            RawOrigin::Signed(by.client.clone()),
            id,
            by.operator.clone(),
            DEPOSIT,
        );
        let slice = Channels::<T>::get(id, &by.operator)
            .expect("drawn")
            .rules
            .slice;
        assert_eq!(slice, DEPOSIT.saturating_mul(2));
    }

    #[benchmark]
    fn shrink() {
        let by = actors::<T>(1);
        let id = by.drawn();
        #[extrinsic_call]
        _(
            RawOrigin::Signed(by.client.clone()),
            id,
            by.operator.clone(),
            1,
        );
        let rules = Channels::<T>::get(id, &by.operator).expect("drawn").rules;
        assert_eq!(rules.promised(), 1);
    }

    #[benchmark]
    fn shrink_now() {
        let by = actors::<T>(1);
        let id = by.drawn();
        let version = Channels::<T>::get(id, &by.operator)
            .expect("drawn")
            .rules
            .version;
        let consent = ShrinkConsent {
            session: id,
            operator: by.operator.clone(),
            to: 1,
            version,
        };
        let signature = by.sign(consent.signing_hash(&Pallet::<T>::genesis_hash()));
        #[extrinsic_call]
        _(
            RawOrigin::Signed(by.client.clone()),
            id,
            by.operator.clone(),
            1,
            Some(signature),
        );
        let rules = Channels::<T>::get(id, &by.operator).expect("drawn").rules;
        assert_eq!(rules.slice, 1);
    }

    #[benchmark]
    fn apply_shrink() {
        let by = actors::<T>(1);
        let id = by.drawn();
        Pallet::<T>::do_shrink(by.client.clone(), id, by.operator.clone(), 1).expect("smaller");
        frame_system::Pallet::<T>::set_block_number(Pallet::<T>::window_end());
        #[extrinsic_call]
        _(
            RawOrigin::Signed(by.client.clone()),
            id,
            by.operator.clone(),
        );
        let rules = Channels::<T>::get(id, &by.operator).expect("drawn").rules;
        assert_eq!(rules.slice, 1);
    }

    #[benchmark]
    fn settle(n: Linear<1, MAX_ENTRIES>) {
        let by = actors::<T>(1);
        let entries: Vec<_> = (0..n).map(|_| by.entry(by.drawn(), 1)).collect();
        let entries: EntriesOf<T> = entries.try_into().expect("within the bound");
        #[extrinsic_call]
        _(RawOrigin::Signed(by.client.clone()), entries);
        let takings = AllTakings::<T>::get(0).expect("settled");
        assert_eq!(takings.settlements, n);
    }

    #[benchmark]
    fn prove_fraud() {
        let by = actors::<T>(1);
        let id = by.drawn();
        let request = by.request(id, 1, 1);
        let (first, second) = (
            by.receipt(&request, SEED),
            by.receipt(&request, H256::zero()),
        );
        T::BenchmarkHelper::burden(&by.operator);
        #[extrinsic_call]
        _(RawOrigin::Signed(by.client.clone()), first, second);
        let channel = Channels::<T>::get(id, &by.operator).expect("drawn");
        assert!(channel.rules.stopped.is_some());
        assert_eq!(T::Ledger::unclaimed(&by.operator), 0);
    }

    #[benchmark]
    fn prove_equivocation() {
        let by = actors::<T>(1);
        let id = by.drawn();
        let (first, second) = (by.request(id, 1, 1), by.request(id, 1, 2));
        #[extrinsic_call]
        _(RawOrigin::Signed(by.client.clone()), first, second);
        let channel = Channels::<T>::get(id, &by.operator).expect("drawn");
        assert!(channel.rules.stopped.is_some());
    }

    #[benchmark]
    fn report() {
        let by = actors::<T>(1);
        let id = by.drawn();
        let entry = by.entry(id, 1);
        let request = entry.request.clone();
        Pallet::<T>::do_settle(by.client.clone(), vec![entry].try_into().expect("one"))
            .expect("a good settlement");
        let receipt = by.receipt(&request, SEED);
        #[extrinsic_call]
        _(
            RawOrigin::Signed(by.client.clone()),
            request,
            receipt,
            Some((0, 0)),
        );
        assert!(Reports::<T>::contains_key(0));
    }

    #[benchmark]
    fn close(c: Linear<1, MAX_CHANNELS>) {
        let by = actors::<T>(1);
        let id = by.drawn();
        with_channels::<T>(id, c);
        #[extrinsic_call]
        _(RawOrigin::Signed(by.client.clone()), id);
        assert_ne!(Sessions::<T>::get(id).expect("live").stage, Stage::Open);
    }

    #[benchmark]
    fn set_params() -> Result<(), BenchmarkError> {
        let origin =
            T::AdminOrigin::try_successful_origin().map_err(|_| BenchmarkError::Weightless)?;
        let params = ParamsOf::<T>::default();
        #[extrinsic_call]
        _(origin as T::RuntimeOrigin, params.clone());
        assert_eq!(Parameters::<T>::get(), params);
        Ok(())
    }

    #[benchmark]
    fn service_base() {
        let now = Pallet::<T>::now();
        #[block]
        {
            Pallet::<T>::service(now, &mut frame_support::weights::WeightMeter::new());
        }
        assert_eq!(
            AgendaCursor::<T>::get(),
            Some(now.saturating_add(1u32.into()))
        );
    }

    #[benchmark]
    fn finish(c: Linear<1, MAX_CHANNELS>) {
        let by = actors::<T>(1);
        let id = by.drawn();
        with_channels::<T>(id, c);
        Pallet::<T>::do_close(by.client.clone(), id).expect("live");
        Sessions::<T>::mutate(id, |session| {
            if let Some(session) = session {
                session.finder = Some(by.hot_key.clone());
            }
        });
        let until = Pallet::<T>::window_end();
        #[block]
        {
            Agenda::<T>::remove(until, id);
            Pallet::<T>::on_window_end(id);
        }
        assert!(!Sessions::<T>::contains_key(id));
        assert_eq!(Channels::<T>::iter_prefix(id).count(), 0);
    }

    #[benchmark]
    fn announce_takings() {
        let by = actors::<T>(1);
        let id = by.drawn();
        let entries = vec![by.entry(id, 1)].try_into().expect("one");
        Pallet::<T>::do_settle(by.client.clone(), entries).expect("a good settlement");
        #[block]
        {
            Pallet::<T>::announce_takings(0);
        }
        let takings = AllTakings::<T>::get(0).expect("pending");
        assert!(matches!(takings.stage, TakingsStage::Drawing { .. }));
    }

    /// A draw that looks at `c` operators, for a session whose channels are all used up.
    #[benchmark]
    fn draw_committee(c: Linear<4, MAX_CANDIDATES>) {
        let by = actors::<T>(c);
        let id = by.drawn();
        with_channels::<T>(id, MAX_CHANNELS);
        T::BenchmarkHelper::next_epoch();
        Pallet::<T>::do_renew(by.client.clone(), id).expect("another epoch");
        let ticket = DrawTail::<T>::get().saturating_sub(1);
        let due = Draws::<T>::get(ticket).expect("announced").due;
        #[block]
        {
            let _ = T::Randomness::seed(due);
            Draws::<T>::remove(ticket);
            Pallet::<T>::on_seed(Drawn::Committee(id), H256([7; 32]));
        }
        assert_eq!(Sessions::<T>::get(id).expect("live").draw, None);
    }

    #[benchmark]
    fn open_case() {
        let by = actors::<T>(1);
        let id = by.takings_drawing();
        #[block]
        {
            Pallet::<T>::on_seed(Drawn::Takings(id), SEED);
        }
        let takings = AllTakings::<T>::get(id).expect("pending");
        assert!(matches!(takings.stage, TakingsStage::InAudit { .. }));
    }

    #[benchmark]
    fn open_no_case() {
        let by = actors::<T>(1);
        let id = by.takings_drawing();
        #[block]
        {
            let takings = AllTakings::<T>::get(id).expect("pending");
            Pallet::<T>::decide_takings(id, takings, Decision::Undecided, &[]);
        }
        assert_eq!(DecidedTail::<T>::get(), 1);
    }

    #[benchmark]
    fn clear_settlement() {
        let by = actors::<T>(1);
        let (id, case) = by.takings_in_audit();
        let subject = Subject::SessionTakings(id);
        Pallet::<T>::on_closed(&subject, case, Decision::Undecided, &[]);
        // One of its answers was reported.
        let record = Settlements::<T>::get(id, 0).expect("settled");
        let operator = AllTakings::<T>::get(id).expect("decided").operator;
        Channels::<T>::mutate(record.session, operator, |channel| {
            if let Some(channel) = channel {
                channel.reported = BoundedVec::truncate_from(vec![record.claim.first]);
            }
        });
        // The client may have been an operator of some owner's.
        for n in 0..2 {
            let who: T::AccountId = account("relative", n, 0);
            TakingsClients::<T>::insert(id, who, ());
        }
        #[block]
        {
            let _ = Decided::<T>::get(0);
            Pallet::<T>::clear_settlement(id);
            Decided::<T>::remove(0);
        }
        assert!(!AllTakings::<T>::contains_key(id));
        assert_eq!(TakingsClients::<T>::iter_prefix(id).count(), 0);
    }

    /// Takings of which every planck was shown in an answer of its own.
    #[benchmark]
    fn check_opening() {
        let by = actors::<T>(1);
        let (id, _) = by.takings_in_audit();
        AllTakings::<T>::mutate(id, |takings| {
            if let Some(takings) = takings {
                takings.total = MOST_PLANCKS.into();
                if let TakingsStage::InAudit { plancks, .. } = &mut takings.stage {
                    *plancks = MOST_PLANCKS;
                }
            }
        });
        let at = Pallet::<T>::now();
        let shown: Vec<_> = (0..MOST_PLANCKS)
            .map(|planck| ShownPlancks {
                start: planck.into(),
                end: Balance::from(planck).saturating_add(1),
                at,
            })
            .collect();
        Shown::<T>::insert(id, BoundedVec::truncate_from(shown));
        let matches;
        #[block]
        {
            matches = Pallet::<T>::opening_matches(&Subject::SessionTakings(id), &[]);
        }
        assert!(matches);
    }

    /// One answer of `t` tokens to a prompt of `p`; what is shown already is as much as there can be.
    #[benchmark]
    fn show(p: Linear<1, MAX_PROMPT_TOKENS>, t: Linear<0, MAX_OUTPUT_TOKENS>) {
        let by = actors::<T>(1);
        let (id, case) = by.takings_in_audit();
        T::BenchmarkHelper::demand_opening(case);
        let genesis = Pallet::<T>::genesis_hash();
        let prompt = vec![7; p as usize];
        let leaf = TraceLeaf {
            token: 7,
            fingerprint: [1; FINGERPRINT_DIMS],
        };
        let trace = vec![leaf; t as usize];
        let output = vec![7; t as usize];
        let session = ClientSessions::<T>::iter_key_prefix(&by.client)
            .next()
            .expect("one");
        let mut request = by.request(session, 1, 1);
        request.request.prompt_hash = hash::prompt_hash(&genesis, &[5; 32], &prompt);
        request.request.prompt_tokens = p;
        let mut receipt = by.receipt(&request, SEED).receipt;
        receipt.request = request.request.signing_hash(&genesis);
        receipt.prompt_tokens = p;
        receipt.output_tokens = t;
        receipt.output_hash = hash::output_hash(&genesis, &output);
        receipt.trace_root = trace_root(&trace);
        let others = u64::from(tree::MAX_PROOF);
        let leaves: Vec<_> = (0..1 << others)
            .map(|seq| Leaf {
                seq: 1 + seq,
                request: request.hash(&genesis),
                receipt: receipt.signing_hash(&genesis),
                price: Balance::from(seq == 0),
            })
            .collect();
        let claim = tree::claim(&leaves).expect("in order");
        let proof = tree::prove(&leaves, 0).expect("the first");
        Settlements::<T>::mutate(id, 0, |record| {
            if let Some(record) = record {
                record.claim = claim;
            }
        });
        AllTakings::<T>::mutate(id, |takings| {
            if let Some(takings) = takings {
                takings.total = 1;
            }
        });
        let at = Pallet::<T>::now();
        let shown: Vec<_> = (1..MOST_PLANCKS)
            .map(|planck| ShownPlancks {
                start: planck.into(),
                end: planck.into(),
                at,
            })
            .collect();
        Shown::<T>::insert(id, BoundedVec::truncate_from(shown));
        let answer = ShownAnswer {
            leaf: OpenedLeaf::new(0, &request, &receipt, proof),
            salt: [5; 32],
            prompt: prompt.try_into().expect("at the bound"),
            trace: encode_trace(&trace).try_into().expect("at the bound"),
        };
        let answers = vec![answer].try_into().expect("one");
        #[extrinsic_call]
        _(RawOrigin::Signed(by.hot_key.clone()), id, answers);
        assert!(Pallet::<T>::all_is_shown(id));
    }

    /// Measured, because the record of whoever is asked is read anyway, and the two entries that are missing lie beside
    /// each other.
    #[benchmark(pov_mode = Measured)]
    fn is_client() {
        let by = actors::<T>(1);
        let (id, _) = by.takings_in_audit();
        for n in 0..1_000 {
            let who: T::AccountId = account("client", n, 1);
            TakingsClients::<T>::insert(id, who, ());
        }
        let judge = T::BenchmarkHelper::auditors(1)
            .into_iter()
            .next()
            .expect("one");
        let interested;
        #[block]
        {
            interested = Pallet::<T>::is_client_of(id, &judge);
        }
        assert!(!interested);
    }

    #[benchmark]
    fn close_valid(a: Linear<1, MAX_AUDITORS>) {
        let by = actors::<T>(1);
        let (id, case) = by.takings_in_audit();
        let auditors = T::BenchmarkHelper::auditors(a);
        let subject = Subject::SessionTakings(id);
        #[block]
        {
            Pallet::<T>::on_closed(&subject, case, Decision::Valid, &auditors);
        }
        assert!(T::Ledger::unclaimed(&by.operator) > 0);
    }

    #[benchmark]
    fn close_hard(a: Linear<1, MAX_AUDITORS>) {
        let by = actors::<T>(1);
        let session = by.drawn();
        let request = by.request(session, 1, 1);
        let receipt = by.receipt(&request, SEED);
        Pallet::<T>::do_report(by.client.clone(), request, receipt, None).expect("good evidence");
        Draws::<T>::remove(DrawTail::<T>::get().saturating_sub(1));
        Pallet::<T>::on_seed(Drawn::Report(0), SEED);
        let case = match Reports::<T>::get(0).expect("open").stage {
            ReportStage::InAudit { case } => case,
            stage => panic!("{stage:?}"),
        };
        T::BenchmarkHelper::burden(&by.operator);
        let auditors = T::BenchmarkHelper::auditors(a);
        let decision = Decision::Hard(HardReason::Margin);
        #[block]
        {
            Pallet::<T>::on_closed(&Subject::SessionReceipt(0), case, decision, &auditors);
        }
        assert_eq!(Reports::<T>::iter().count(), 0);
        assert_eq!(T::Ledger::unclaimed(&by.operator), 0);
    }

    impl_benchmark_test_suite!(Pallet, crate::mock::new_test_ext(), crate::mock::Test);
}
