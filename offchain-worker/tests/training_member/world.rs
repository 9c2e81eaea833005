//! A run with real machines, real trainers and real blob stores, and a chain in memory driven by the real rules.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use anyhow::{anyhow, Result};
use async_trait::async_trait;
use chasqui_chain::AccountId32;
use chasqui_primitives::{
    audit::{Decision, HardReason},
    blob::CHUNK_BYTES,
    training::{
        machine::Settling, Draw, Drawn, Effect, Machine, MemoryStore, ModelState, Phase, Run,
        RunTerms, Start, Timing,
    },
    RunId,
};
use chasqui_training::{diloco::ReplayClass, tokenizer};
use chasqui_worker::{
    blobs::{exchange::Shares, BlobStore, Manifest},
    training::{
        member::{
            blobs::{Holders, Sources, Vault},
            facts::{Facts, RoundFacts},
            ledger::{Call, Ledger},
            seat::{Seat, Tools},
            step::Gone,
        },
        metrics::TrainingMetrics,
        setup::Place,
    },
};
use sp_core::H256;
use tokio::{sync::Semaphore, task::JoinHandle};

use crate::common;

pub const RUN: RunId = 4;
pub const GENESIS: H256 = H256::repeat_byte(1);
/// Longest that a test waits for anything.
const PATIENCE: Duration = Duration::from_secs(120);

pub fn who(index: u8) -> AccountId32 {
    AccountId32([index; 32])
}

/// What a member told the chain.
#[derive(Clone, Debug)]
pub struct Told {
    pub who: AccountId32,
    pub call: Call,
    pub taken: bool,
}

/// The chain.
pub struct Chain {
    pub terms: RunTerms,
    pub run: Run<AccountId32>,
    pub store: MemoryStore<AccountId32>,
    pub now: u32,
    pub told: Vec<Told>,
    pub paid: BTreeMap<(u32, AccountId32), u128>,
    pub slashed: Vec<(u32, AccountId32)>,
    pub dropped: Vec<AccountId32>,
    pub finals: Vec<(u32, ModelState)>,
    pub undone: Vec<u32>,
    /// What cases end in, by round and member; `Valid` unless it says otherwise.
    pub verdicts: BTreeMap<(u32, AccountId32), Decision>,
    /// What challenges end in.
    pub challenge_verdict: Decision,
    /// Calls that do not arrive.
    pub deaf_to: Vec<(AccountId32, &'static str)>,
    /// Says what members say the round ends in, instead of what they computed.
    pub false_model: Option<(u32, ModelState)>,
    draws: Vec<Draw>,
    verdicts_due: Vec<(u32, u32, AccountId32, u64)>,
    challenges_due: Vec<(u32, u64)>,
    next_case: u64,
}

impl Chain {
    fn machine<R>(
        &mut self,
        event: impl FnOnce(&mut Machine<'_, AccountId32, MemoryStore<AccountId32>>) -> R,
    ) -> R {
        let terms = self.terms;
        let mut machine = Machine::new(GENESIS, RUN, &terms, self.run, &mut self.store);
        let answer = event(&mut machine);
        let (run, effects) = (machine.run, std::mem::take(&mut machine.effects));
        self.run = run;
        for effect in effects {
            self.carry_out(effect);
        }
        answer
    }

    fn carry_out(&mut self, effect: Effect<AccountId32>) {
        match effect {
            Effect::Announce(draw) => self.draws.push(draw),
            Effect::OpenCase { round, rank, who } => {
                self.next_case += 1;
                let case = self.next_case;
                self.machine(|machine| machine.opened(round, rank, Some(case)))
                    .unwrap();
                self.verdicts_due.push((round, rank, who, case));
            }
            Effect::OpenChallenge { round, .. } => {
                self.next_case += 1;
                let (case, now) = (self.next_case, self.now);
                self.machine(|machine| machine.challenge_opened(round, Some(case), now))
                    .unwrap();
                self.challenges_due.push((round, case));
            }
            Effect::Pay {
                who, round, amount, ..
            } => {
                assert!(self.paid.insert((round, who), amount).is_none());
            }
            Effect::Slash { who, round, .. } => self.slashed.push((round, who)),
            Effect::Dropped { who, .. } => self.dropped.push(who),
            Effect::RoundFinal { round, model } => self.finals.push((round, model)),
            Effect::RoundUndone { round } => self.undone.push(round),
            _ => {}
        }
    }

    /// One block.
    pub fn tick(&mut self) {
        self.now += 1;
        let now = self.now;
        for draw in std::mem::take(&mut self.draws) {
            let seed = H256::from_low_u64_be(u64::from(draw.round) * 7 + draw.of as u64 + 100);
            if draw.of == Drawn::Panel {
                assert!(matches!(
                    self.run.pending.map(|pending| pending.settling),
                    Some(Settling::Drawing { .. })
                ));
            }
            let _ = self.machine(|machine| machine.seed(draw, seed, now));
        }
        for (round, rank, who, case) in std::mem::take(&mut self.verdicts_due) {
            let decision = self.verdicts.get(&(round, who)).copied();
            let decision = decision.unwrap_or(Decision::Valid);
            let _ = self.machine(|machine| machine.verdict(round, rank, case, decision));
        }
        for (round, case) in std::mem::take(&mut self.challenges_due) {
            let decision = self.challenge_verdict;
            let _ = self.machine(|machine| machine.challenge_verdict(round, case, decision));
        }
        self.machine(|machine| machine.service(now, 1_000));
        self.machine(|machine| machine.service(now, 1_000));
    }

    fn tell(&mut self, who: &AccountId32, call: Call) -> Result<()> {
        let now = self.now;
        let call = match (call, self.false_model) {
            (Call::Agree { round, .. }, Some((of, model))) if round == of => {
                Call::Agree { round, model }
            }
            (call, _) => call,
        };
        let answer = self.machine(|machine| match &call {
            Call::Heartbeat => machine.heartbeat(who),
            Call::Commit { round, commitment } => {
                machine.commit(who, *round, *commitment, now).map(drop)
            }
            Call::Reveal {
                round,
                report,
                salt,
            } => machine.reveal(who, *round, report, salt, now).map(drop),
            Call::Attest { round, ranks } => {
                machine.attest(who, *round, ranks.clone(), now).map(drop)
            }
            Call::Agree { round, model } => machine.agree(who, *round, model, now).map(drop),
            Call::Challenge { round, model } => machine.challenge(who, *round, model, now),
        });
        self.told.push(Told {
            who: *who,
            call,
            taken: answer.is_ok(),
        });
        answer.map_err(|refusal| anyhow!("{refusal:?}"))
    }

    fn facts(&self, who: &AccountId32) -> Facts {
        let facts_of = |number: u32| {
            let record = *self.store.rounds.get(&number)?;
            let contributions = self.store.contributions.iter();
            Some(RoundFacts {
                number,
                record,
                contributions: contributions
                    .filter(|((round, _), _)| *round == number)
                    .map(|((_, rank), contribution)| (*rank, contribution.clone()))
                    .collect(),
            })
        };
        Facts {
            block: self.now,
            genesis: GENESIS,
            id: RUN,
            root: self.terms.root(&GENESIS, RUN),
            terms: self.terms,
            run: self.run,
            who: *who,
            member: self.store.members.get(who).copied(),
            members: self.store.members.keys().copied().collect(),
            round: facts_of(self.run.round).filter(|_| self.run.phase.in_round()),
            pending: self.run.pending.and_then(|pending| facts_of(pending.round)),
            live: self.store.rounds.clone(),
        }
    }
}

/// The chain as one member reaches it.
struct View {
    chain: Arc<Mutex<Chain>>,
    who: AccountId32,
}

#[async_trait]
impl Ledger for View {
    async fn facts(&self, run: RunId) -> Result<Option<Facts>> {
        let chain = self.chain.lock().unwrap();
        Ok((run == RUN).then(|| chain.facts(&self.who)))
    }

    async fn tell(&self, _: RunId, call: Call) -> Result<u32> {
        let mut chain = self.chain.lock().unwrap();
        if chain.deaf_to.contains(&(self.who, call.name())) {
            return Err(anyhow!("the node does not answer"));
        }
        chain.tell(&self.who, call)?;
        // In a block of its own.
        Ok(chain.now)
    }

    async fn next(&self, last: u32) -> Result<u32> {
        loop {
            let now = self.chain.lock().unwrap().now;
            if now > last {
                return Ok(now);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// What members hand each other, by who they are.
type Listeners = Arc<Mutex<BTreeMap<AccountId32, Vault>>>;

struct Post {
    listeners: Listeners,
    store: BlobStore,
}

#[async_trait]
impl Sources for Post {
    async fn fetch(&self, root: H256, max_bytes: u64, holders: &Holders) -> Result<()> {
        for _ in 0..50 {
            if self.store.contains(&root) {
                return Ok(());
            }
            let listeners = self.listeners.lock().unwrap().clone();
            // Whoever serves the run is asked as well.
            let asked: Vec<&Vault> = listeners
                .iter()
                .filter(|(who, _)| !holders.serving.is_empty() || holders.operators.contains(who))
                .map(|(_, vault)| vault)
                .filter(|vault| vault.shares.contains(&root))
                .collect();
            for vault in asked {
                let reader = vault.store.open(&root)?;
                let chunk = reader.info().chunk;
                let bytes = vault.store.read_all(&root, max_bytes)?;
                self.store.put_expected(root, &bytes, chunk)?;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        match self.store.contains(&root) {
            true => Ok(()),
            false => Err(anyhow!("nobody gives {root:?}")),
        }
    }
}

/// One member's machine.
pub struct Machinery {
    pub folder: PathBuf,
    pub vault: Vault,
    pub tools: Tools,
    seat: Option<JoinHandle<Gone>>,
}

/// All of it.
pub struct World {
    pub chain: Arc<Mutex<Chain>>,
    pub machines: Vec<Machinery>,
    listeners: Listeners,
    folder: tempfile::TempDir,
    ticker: Option<JoinHandle<()>>,
    class: H256,
}

/// Terms of a run on what lies in `store`.
fn terms(store: &BlobStore, folder: &Path, rounds: u32) -> RunTerms {
    let data = common::dataset(folder);
    let blob = store.put_file(&folder.join("data"), CHUNK_BYTES).unwrap();
    let model = folder.join("base");
    common::base().save_hf(&model).unwrap();
    let trained = tokenizer::train(
        chasqui_training::corpus::Corpus::new(11, chasqui_training::corpus::Split::Train),
        100,
        common::VOCABULARY,
    );
    std::fs::write(
        model.join("tokenizer.json"),
        trained.unwrap().to_string(false).unwrap(),
    )
    .unwrap();
    let (_, base) = Manifest::import(store, &model).unwrap();
    let recipe = common::recipe(common::SPARSE);
    let terms = RunTerms {
        start: Start::Checkpoint(base),
        dataset: blob.root(),
        recipe,
        rounds,
        min_members: 2,
        timing: Timing {
            forming_blocks: 2,
            warmup_blocks: 2_000,
            train_blocks: 2_000,
            grace_blocks: 2_000,
            spread_percent: 300,
            exchange_blocks: 400,
            attest_blocks: 400,
            audit_blocks: 100,
            agree_blocks: 400,
            challenge_blocks: 12,
            idle_blocks: 4_000,
            max_missed: 2,
            max_void: 2,
        },
        ..common::terms(data.header().sequences(recipe.sequence))
    };
    terms.validate().unwrap();
    terms
}

impl World {
    /// A run of so many rounds; the first member has base and data, the others fetch them.
    pub fn new(rounds: u32, members: u8) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = BlobStore::open_dir(folder.path().join("1/blobs")).unwrap();
        let terms = terms(&source, folder.path(), rounds);
        let chain = Chain {
            terms,
            run: Run::new(0),
            store: MemoryStore::default(),
            now: 0,
            told: Vec::new(),
            paid: BTreeMap::new(),
            slashed: Vec::new(),
            dropped: Vec::new(),
            finals: Vec::new(),
            undone: Vec::new(),
            verdicts: BTreeMap::new(),
            challenge_verdict: Decision::Hard(HardReason::Mismatch),
            deaf_to: Vec::new(),
            false_model: None,
            draws: Vec::new(),
            verdicts_due: Vec::new(),
            challenges_due: Vec::new(),
            next_case: 0,
        };
        let class = ReplayClass::of(&burn::tensor::Device::flex()).unwrap();
        let mut world = Self {
            chain: Arc::new(Mutex::new(chain)),
            machines: Vec::new(),
            listeners: Listeners::default(),
            folder,
            ticker: None,
            class: class.unwrap().hash(),
        };
        for index in 1..=members {
            world.add_machine(index);
            world.join(index);
        }
        world
    }

    /// A machine that is not running yet.
    pub fn add_machine(&mut self, index: u8) {
        let folder = self.folder.path().join(index.to_string());
        let store = BlobStore::open_dir(folder.join("blobs")).unwrap();
        let shares = Arc::new(Shares::open(folder.join("shares")).unwrap());
        let vault = Vault {
            store: store.clone(),
            shares,
        };
        let registry = prometheus::Registry::new();
        let steps =
            prometheus::IntCounterVec::new(prometheus::Opts::new("steps", "steps"), &["kind"]);
        let tools = Tools {
            ledger: Arc::new(View {
                chain: self.chain.clone(),
                who: who(index),
            }),
            sources: Arc::new(Post {
                listeners: self.listeners.clone(),
                store: store.clone(),
            }),
            turns: Arc::new(Arc::new(Semaphore::new(1))),
            vault: vault.clone(),
            place: Place {
                blobs: store,
                folder: folder.join("models"),
                device: "cpu".into(),
                threads: 1,
            },
            folder: folder.join("runs"),
            challenge: true,
            disk_bytes: None,
            metrics: TrainingMetrics::new(&registry, steps.unwrap()).unwrap(),
            fault: None,
        };
        let mut listeners = self.listeners.lock().unwrap();
        listeners.insert(who(index), vault.clone());
        self.machines.push(Machinery {
            folder,
            vault,
            tools,
            seat: None,
        });
    }

    pub fn join(&mut self, index: u8) {
        let class = self.class;
        let mut chain = self.chain();
        let now = chain.now;
        chain
            .machine(|machine| machine.join(&who(index), class, now))
            .unwrap();
    }

    pub fn leave(&mut self, index: u8) {
        let mut chain = self.chain();
        chain.machine(|machine| machine.leave(&who(index))).unwrap();
    }

    pub fn chain(&self) -> MutexGuard<'_, Chain> {
        self.chain.lock().unwrap()
    }

    pub fn machine(&self, index: u8) -> &Machinery {
        &self.machines[usize::from(index) - 1]
    }

    /// Starts a member's seat, or starts it again.
    pub async fn start(&mut self, index: u8) {
        let machine = &mut self.machines[usize::from(index) - 1];
        assert!(machine.seat.is_none());
        let seat = Seat::open(machine.tools.clone(), RUN).await.unwrap();
        machine.seat = Some(tokio::spawn(seat.follow()));
    }

    pub async fn start_all(&mut self) {
        for index in 1..=self.machines.len() as u8 {
            self.start(index).await;
        }
    }

    /// As `kill -9` would, as far as memory goes: nothing of it is left.
    pub async fn kill(&mut self, index: u8) {
        let machine = &mut self.machines[usize::from(index) - 1];
        if let Some(seat) = machine.seat.take() {
            seat.abort();
            let _ = seat.await;
        }
    }

    /// What ended a seat.
    pub async fn ended(&mut self, index: u8) -> Gone {
        let machine = &mut self.machines[usize::from(index) - 1];
        let seat = machine.seat.take().unwrap();
        tokio::time::timeout(PATIENCE, seat).await.unwrap().unwrap()
    }

    /// Blocks come from now on.
    pub fn run(&mut self) {
        let chain = self.chain.clone();
        self.ticker = Some(tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_millis(25)).await;
                chain.lock().unwrap().tick();
            }
        }));
    }

    /// Waits until something holds.
    pub async fn until(&self, what: &str, mut holds: impl FnMut(&Chain) -> bool) {
        let waited = tokio::time::timeout(PATIENCE, async {
            loop {
                if holds(&self.chain()) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(3)).await;
            }
        });
        if waited.await.is_err() {
            let chain = self.chain();
            panic!(
                "never: {what}; block {}, {:?}, told {:#?}",
                chain.now, chain.run, chain.told
            );
        }
    }

    /// Waits until the run is over.
    pub async fn over(&self) {
        self.until("over", |chain| chain.run.phase.is_over()).await;
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(ticker) = self.ticker.take() {
            ticker.abort();
        }
        for machine in &mut self.machines {
            if let Some(seat) = machine.seat.take() {
                seat.abort();
            }
        }
    }
}

pub fn is_train(chain: &Chain, round: u32) -> bool {
    chain.run.round == round && matches!(chain.run.phase, Phase::Train { .. })
}
