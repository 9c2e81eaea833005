//! The chain on the live page: blocks, operators, sessions, audits, slashes and payouts as the finalised chain has them.

use crate::{registry, sessions::view, view::fetch};
use anyhow::{Context, Result};
use chasqui_chain::{api, AccountId32, BlockId, Chain, Feed, Head, Item};
use chasqui_gateway::{
    live::{ChainUpdate, Happening, Head as ShownHead, OperatorStanding, SessionState, MAX_SHOWN},
    LiveFeed,
};
use chasqui_primitives::{session::SessionId, Balance, CheckpointRoot};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};
use subxt::{events::Event, PolkadotConfig};

/// Publishes what happens until the node turns out to be another chain's. `own` sessions are left to whoever keeps them:
/// it knows more of them than the chain does.
pub async fn follow(chain: Chain, live: Arc<LiveFeed>, own: Option<AccountId32>) {
    let mut follower = Follower {
        live,
        own,
        names: HashMap::new(),
        sessions: HashSet::new(),
        epoch_blocks: 0,
    };
    let mut feed = Feed::new(chain.clone(), None);
    let mut lost = false;
    loop {
        let item = match feed.next().await {
            Ok(item) => item,
            Err(error) => {
                tracing::error!(%error, "the live page does not follow the chain any more");
                return;
            }
        };
        let outcome = match item {
            Item::Start(block) => follower.start(&chain, block).await,
            Item::Block { block, .. } => follower.block(&chain, block).await,
            Item::Skipped { to, .. } | Item::Replaced { to, .. } => {
                tracing::debug!(to, "blocks that the live page does not show");
                Ok(())
            }
            Item::Lost(error) => {
                if !lost {
                    tracing::warn!(%error, "the node does not answer; the live page waits");
                }
                lost = true;
                continue;
            }
        };
        lost = false;
        if let Err(error) = outcome {
            tracing::debug!(
                error = format!("{error:#}"),
                "a block is not on the live page"
            );
        }
    }
}

struct Follower {
    live: Arc<LiveFeed>,
    own: Option<AccountId32>,
    names: HashMap<CheckpointRoot, String>,
    /// Those that are shown.
    sessions: HashSet<SessionId>,
    epoch_blocks: u64,
}

/// What has to be read again after a block's events.
#[derive(Default)]
struct Stirred {
    operators: HashSet<[u8; 32]>,
    sessions: HashSet<SessionId>,
    epoch: bool,
}

impl Follower {
    fn publish(&self, update: ChainUpdate) {
        self.live.publish(update);
    }

    /// What stands on the chain.
    async fn start(&mut self, chain: &Chain, block: BlockId) -> Result<()> {
        let head = chain.at_block(block).await?;
        self.head(&head).await?;
        self.all_operators(&head).await?;
        let entry = head
            .at
            .storage()
            .entry(api::storage().sessions().sessions())?;
        let mut items = entry.iter(()).await?;
        let mut sessions: Vec<SessionId> = Vec::new();
        while let Some(item) = items.next().await {
            sessions.push(item?.key()?.decode()?.0);
            if sessions.len() >= MAX_SHOWN {
                break;
            }
        }
        for session in sessions {
            self.session(&head, session).await?;
        }
        Ok(())
    }

    async fn block(&mut self, chain: &Chain, block: BlockId) -> Result<()> {
        let head = chain.at_block(block).await?;
        self.head(&head).await?;
        let events = head.at.events().fetch().await.context("reading events")?;
        let mut stirred = Stirred::default();
        for event in events.iter() {
            let event = event.context("reading events")?;
            let told = self.event(&event, chain, &head, &mut stirred).await;
            if let Err(error) = told {
                let (pallet, name) = (event.pallet_name(), event.event_name());
                tracing::debug!(%error, pallet, name, "an event of another runtime");
            }
        }
        // An epoch that begins may move every standing.
        if stirred.epoch {
            self.all_operators(&head).await?;
        } else {
            for operator in stirred.operators.iter().take(MAX_SHOWN) {
                self.operator(&head, &AccountId32(*operator)).await?;
            }
        }
        for session in stirred.sessions.into_iter().take(MAX_SHOWN) {
            self.session(&head, session).await?;
        }
        Ok(())
    }

    async fn head(&mut self, head: &Head) -> Result<()> {
        let epoch = fetch!(head, api::storage().operators().current_epoch(), ());
        if self.epoch_blocks == 0 {
            let params = fetch!(head, api::storage().operators().parameters(), ());
            self.epoch_blocks = params.map_or(0, |params| u64::from(params.epoch_blocks));
        }
        let (index, start) = epoch.map_or((0, 0), |epoch| (epoch.index, epoch.start));
        self.publish(ChainUpdate::Head(ShownHead {
            block: u64::from(head.number),
            epoch: u64::from(index),
            epoch_block: u64::from(head.number.saturating_sub(start)),
            epoch_blocks: self.epoch_blocks,
        }));
        Ok(())
    }

    async fn all_operators(&self, head: &Head) -> Result<()> {
        let entry = head
            .at
            .storage()
            .entry(api::storage().operators().operators())?;
        let mut items = entry.iter(()).await?;
        let mut accounts: Vec<AccountId32> = Vec::new();
        while let Some(item) = items.next().await {
            accounts.push(item?.key()?.decode()?.0);
            if accounts.len() >= MAX_SHOWN {
                break;
            }
        }
        for account in &accounts {
            self.operator(head, account).await?;
        }
        Ok(())
    }

    async fn operator(&self, head: &Head, account: &AccountId32) -> Result<()> {
        use api::runtime_types::pallet_operators::types::Status;
        let found = fetch!(head, api::storage().operators().operators(), (*account,));
        let Some(record) = found else {
            self.publish(ChainUpdate::OperatorGone(account.to_string()));
            return Ok(());
        };
        let params = fetch!(head, api::storage().operators().parameters(), ());
        let cap = params.map_or(0, |params| u64::from(params.reputation_cap));
        let permille = u64::from(record.reputation)
            .saturating_mul(1_000)
            .checked_div(cap)
            .unwrap_or(0);
        let roles = record.roles.0;
        let roles = [(roles.compute, "compute"), (roles.validate, "validate")];
        let roles: Vec<&str> = roles
            .iter()
            .filter(|(has, _)| *has)
            .map(|(_, name)| *name)
            .collect();
        let status = match record.status {
            Status::Active => "active",
            Status::Jailed { .. } => "jailed",
            Status::Unbonding { .. } => "leaving",
        };
        self.publish(ChainUpdate::Operator(OperatorStanding {
            operator: account.to_string(),
            roles: roles.join(", "),
            reputation_permille: u32::try_from(permille).unwrap_or(u32::MAX),
            bond: registry::bond(head, account).await?.to_string(),
            status: status.into(),
        }));
        Ok(())
    }

    async fn name(&mut self, head: &Head, root: &CheckpointRoot) -> Result<String> {
        if let Some(name) = self.names.get(root) {
            return Ok(name.clone());
        }
        let record = fetch!(head, api::storage().checkpoints().registry(), (*root,));
        let name = record.map_or_else(
            || format!("{root:?}"),
            |record| String::from_utf8_lossy(&record.info.name.0).into_owned(),
        );
        if self.names.len() < MAX_SHOWN {
            self.names.insert(*root, name.clone());
        }
        Ok(name)
    }

    async fn session(&mut self, head: &Head, id: SessionId) -> Result<()> {
        let Some(session) = view::session(head, &id).await? else {
            if self.sessions.remove(&id) {
                self.publish(ChainUpdate::Session(SessionState::gone(format!("{id:?}"))));
            }
            return Ok(());
        };
        if self.own.is_some_and(|own| own == session.client) {
            return Ok(());
        }
        let mut requests = 0u64;
        let entry = head
            .at
            .storage()
            .entry(api::storage().sessions().channels())?;
        let mut items = entry.iter((id,)).await?;
        while let Some(item) = items.next().await {
            let settled = item?.value().decode()?.rules.last_seq;
            requests = requests.saturating_add(settled);
        }
        self.sessions.insert(id);
        let deposit = session.deposit.0;
        let operator = session.committee.0.first();
        let model = self.name(head, &session.checkpoint).await?;
        self.publish(ChainUpdate::Session(SessionState {
            session: format!("{id:?}"),
            model,
            operator: operator.map_or_else(String::new, ToString::to_string),
            deposit: deposit.paid_in.to_string(),
            spent: deposit.settled.to_string(),
            requests,
            open: true,
        }));
        Ok(())
    }

    /// Shows what happened, and notes what has to be read again.
    async fn event(
        &mut self,
        event: &Event<'_, PolkadotConfig>,
        chain: &Chain,
        head: &Head,
        stirred: &mut Stirred,
    ) -> Result<()> {
        use api::{audits::events as audits, operators::events as operators};
        use api::{rewards::events as rewards, sessions::events as sessions};
        let block = u64::from(head.number);
        let (pallet, name) = (event.pallet_name(), event.event_name());
        match (pallet, name) {
            ("Audits", "CaseClosed") => {
                let told: audits::CaseClosed = event.decode_fields_unchecked_as()?;
                // What a case was about goes when it closes: the block before still has it.
                let before = chain.at(head.number.saturating_sub(1)).await?;
                let operator = self.subject(&before, &told.subject.0).await?;
                self.publish(ChainUpdate::Audit(Happening {
                    block,
                    operator,
                    what: decided(&told.decision.0),
                    amount: None,
                }));
            }
            ("Operators", "Slashed") => {
                let told: operators::Slashed = event.decode_fields_unchecked_as()?;
                let what = offence(&told.offence);
                self.slash(block, told.operator, what, told.amount);
            }
            ("Operators", "LienForfeited") => {
                let told: operators::LienForfeited = event.decode_fields_unchecked_as()?;
                self.slash(block, told.operator, "an overturned flag", told.amount);
            }
            ("Operators", "EpochStarted") => stirred.epoch = true,
            ("Rewards", "FeeRecorded") => {
                let told: rewards::FeeRecorded = event.decode_fields_unchecked_as()?;
                let what = format!("earned in epoch {}", told.epoch);
                self.payout(block, told.executor, what, told.to_executor);
                for (auditor, amount) in told.auditors.0 {
                    self.payout(block, auditor, "for an audit".into(), amount);
                }
            }
            ("Rewards", "Claimed") => {
                let told: rewards::Claimed = event.decode_fields_unchecked_as()?;
                let paid = [told.compute, told.audit, told.pool_share];
                let amount = paid.into_iter().fold(0, Balance::saturating_add);
                let what = format!("epoch {} paid out", told.epoch);
                self.payout(block, told.operator, what, amount);
            }
            ("Sessions", "Opened") => {
                let told: sessions::Opened = event.decode_fields_unchecked_as()?;
                stirred.sessions.insert(told.session);
            }
            ("Sessions", "ToppedUp") => {
                let told: sessions::ToppedUp = event.decode_fields_unchecked_as()?;
                stirred.sessions.insert(told.session);
            }
            ("Sessions", "CommitteeDrawn") => {
                let told: sessions::CommitteeDrawn = event.decode_fields_unchecked_as()?;
                stirred.sessions.insert(told.session);
            }
            ("Sessions", "Settled") => {
                let told: sessions::Settled = event.decode_fields_unchecked_as()?;
                stirred.sessions.insert(told.session);
            }
            ("Sessions", "Closed") => {
                let told: sessions::Closed = event.decode_fields_unchecked_as()?;
                stirred.sessions.insert(told.session);
            }
            _ => {}
        }
        if pallet == "Operators" {
            stirred.operators.extend(operator_of(event));
        }
        Ok(())
    }

    fn slash(&self, block: u64, operator: AccountId32, what: &str, amount: Balance) {
        self.publish(ChainUpdate::Slash(Happening {
            block,
            operator: operator.to_string(),
            what: what.into(),
            amount: Some(amount.to_string()),
        }));
    }

    fn payout(&self, block: u64, operator: AccountId32, what: String, amount: Balance) {
        self.publish(ChainUpdate::Payout(Happening {
            block,
            operator: operator.to_string(),
            what,
            amount: Some(amount.to_string()),
        }));
    }

    /// Whose work a case is about.
    async fn subject(
        &self,
        head: &Head,
        subject: &chasqui_primitives::audit::Subject,
    ) -> Result<String> {
        use chasqui_primitives::audit::Subject;
        let operator = match *subject {
            Subject::Job(job) => {
                let job = crate::view::job(head, job).await?;
                job.and_then(|job| job.executor)
            }
            Subject::SessionTakings(id) => {
                let takings = fetch!(head, api::storage().sessions().all_takings(), (id,));
                takings.map(|takings| takings.operator)
            }
            Subject::SessionReceipt(id) => {
                let report = fetch!(head, api::storage().sessions().reports(), (id,));
                report.map(|report| report.receipt.receipt.operator)
            }
            _ => None,
        };
        Ok(match (operator, subject) {
            (Some(operator), _) => operator.to_string(),
            (None, Subject::Job(id)) => format!("job {id}"),
            (None, Subject::SessionTakings(id)) => format!("takings {id}"),
            (None, Subject::SessionReceipt(id)) => format!("report {id}"),
            (None, other) => format!("{other:?}"),
        })
    }
}

/// The operator that an event of its pallet is about: the first field of most.
fn operator_of(event: &Event<'_, PolkadotConfig>) -> Option<[u8; 32]> {
    const OF_NOBODY: [&str; 3] = ["ParamsSet", "EpochStarted", "WeightsFrozen"];
    if OF_NOBODY.contains(&event.event_name()) {
        return None;
    }
    event.field_bytes().get(..32)?.try_into().ok()
}

fn decided(decision: &chasqui_primitives::audit::Decision) -> String {
    use chasqui_primitives::audit::Decision;
    match decision {
        Decision::Valid => "valid".into(),
        Decision::Soft => "deviates".into(),
        Decision::Hard(reason) => format!("false: {reason:?}"),
        Decision::Undecided => "undecided".into(),
    }
}

type Offence = api::runtime_types::chasqui_primitives::traits::Offence;

fn offence(offence: &Offence) -> &'static str {
    match offence {
        Offence::FalseResult => "false result",
        Offence::RepeatedSoft => "deviating results",
        Offence::MissedDuties => "missed duties",
    }
}
