//! Judging training runs: what the chain says of a case, where its blobs are, and the verdict.

use super::{on_device, Worker};
use crate::{
    blobs::exchange::{fetch, FetchConfig, Holder},
    datasets, registry,
    training::{
        judge::{
            fetch_member, judge_member, judge_outer, ledger::Ledger, remote::Remote, CarriedFrom,
            Judgement, MemberRound, OuterRound,
        },
        setup::{self, Place, Trainer},
    },
    view::fetch as read,
};
use anyhow::{bail, Context, Result};
use chasqui_chain::{api, AccountId32, Head, H256};
use chasqui_primitives::{
    audit::{Evidence, Subject, Verdict},
    blob::MAX_BLOB_BYTES,
    training::{Member, Round, RunTerms},
    CaseId, RunId,
};
use chasqui_training::diloco::Dataset;
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::runtime::Handle;

/// Most operators who are asked for what a run starts from, or for pseudo-gradients beside their authors.
const MOST_HOLDERS: usize = 16;
/// How long a blob of a run is waited for: a member may be restarting.
const PATIENCE: Duration = Duration::from_secs(12);

type Contribution =
    api::runtime_types::chasqui_primitives::training::round::Contribution<AccountId32>;
type Judged = api::runtime_types::chasqui_primitives::training::round::Judged;

/// What audits of this worker found of members, for drift that adds up.
pub fn ledger(worker: &Worker) -> Result<Ledger> {
    Ledger::open(worker.state_dir.join("drift"))
}

fn config(worker: &Worker) -> FetchConfig {
    FetchConfig {
        patience: PATIENCE,
        node: worker.node_blobs.clone(),
        ..FetchConfig::default()
    }
}

/// The verdict on a case about a training run. Only the auditor's own trouble is an error; it then tries again.
///
/// # Errors
/// The chain, the disk or the device fails.
pub async fn judge(
    worker: &Arc<Worker>,
    id: CaseId,
    subject: &Subject,
    panel: H256,
) -> Result<(Verdict, Evidence)> {
    let head = worker.chain.head().await?;
    let case = match *subject {
        Subject::Training { run, round, rank } => {
            Case::member(worker, &head, run, round, rank).await?
        }
        Subject::TrainingOuter { run, round } => Case::outer(worker, &head, run, round).await?,
        _ => bail!("case {id} is not about a training run"),
    };
    sweep(worker, &head, id).await?;
    let stocked = stock(worker, &head, &case).await;
    let judged = {
        let worker = worker.clone();
        on_device(move || match stocked.and_then(|()| case.ready(&worker)) {
            Ok(ready) => case.judge(&worker, id, &panel, ready),
            Err(error) => {
                tracing::error!(case = id, run = ?case.root, error = format!("{error:#}"),
                    "no model or data to judge with");
                Ok(Judgement::no_model())
            }
        })
        .await?
    };
    let metrics = &worker.metrics.training_steps;
    metrics
        .with_label_values(&["replayed"])
        .inc_by(judged.replayed);
    tracing::info!(
        case = id,
        ?subject,
        verdict = ?judged.verdict,
        fault = ?judged.fault,
        drift_ppm = judged.drift.ppm(),
        replayed = judged.replayed,
        trained = judged.trained,
        "judged a training run"
    );
    Ok((judged.verdict, judged.evidence))
}

/// A case about a run.
struct Case {
    root: H256,
    terms: RunTerms,
    /// Who serves what it is about: its author first.
    holders: Vec<Holder>,
    about: About,
}

enum About {
    Member {
        who: AccountId32,
        round: Box<MemberRound>,
    },
    Outer(Box<OuterRound>),
}

impl Case {
    async fn member(
        worker: &Arc<Worker>,
        head: &Head,
        run: RunId,
        number: u32,
        rank: u32,
    ) -> Result<Self> {
        let (root, terms, round) = of_run(worker, head, run, number).await?;
        let contribution = contribution(head, run, number, rank)
            .await?
            .with_context(|| format!("rank {rank} of round {number} of run {run} is gone"))?;
        let report = contribution.report.context("nothing was revealed")?.0;
        let who = contribution.who;
        let members = api::storage().training().members();
        let member: Option<Member> = read!(head, members, (run, who)).map(|member| member.0);
        // Whoever left meanwhile is judged by what it left: its class is nobody's then.
        let class = member.map_or(H256::zero(), |member| member.class);
        let carried = CarriedFrom::of(member.as_ref(), number);
        let author = registry::endpoint(head, &who).await?;
        Ok(Self {
            root,
            terms,
            holders: author.into_iter().collect(),
            about: About::Member {
                who,
                round: Box::new(MemberRound {
                    run: root,
                    terms,
                    number,
                    round,
                    rank,
                    report,
                    class,
                    carried,
                }),
            },
        })
    }

    async fn outer(worker: &Arc<Worker>, head: &Head, run: RunId, number: u32) -> Result<Self> {
        let (root, terms, round) = of_run(worker, head, run, number).await?;
        let agreed = round.agreed.context("the round is not agreed on")?;
        let (mut included, mut holders) = (Vec::new(), Vec::new());
        for rank in 0..round.members {
            let Some(contribution) = contribution(head, run, number, rank).await? else {
                continue;
            };
            // Whoever attested serves as well, so everybody of the round is asked.
            if let Ok(Some(holder)) = registry::endpoint(head, &contribution.who).await {
                holders.push(holder);
            }
            if matches!(contribution.judged, Judged::Accepted) {
                let report = contribution.report.context("accepted without a report")?;
                included.push(report.0.gradient);
            }
        }
        Ok(Self {
            root,
            terms,
            holders,
            about: About::Outer(Box::new(OuterRound {
                terms,
                before: round.base,
                included,
                agreed,
            })),
        })
    }

    /// What it takes to judge. Blocks while it loads.
    fn ready(&self, worker: &Worker) -> Result<(Trainer, Dataset)> {
        let trainer = setup::trainer(&place(worker), &self.terms)?;
        let dataset = setup::dataset(&worker.blobs, &self.terms)?;
        Ok((trainer, dataset))
    }

    /// Blocks for as long as fetching and replaying take.
    fn judge(
        self,
        worker: &Worker,
        id: CaseId,
        panel: &H256,
        (mut trainer, dataset): (Trainer, Dataset),
    ) -> Result<Judgement> {
        let folder = folder(worker).join(id.to_string());
        let blobs = Remote::new(worker.blobs.clone(), &folder, self.holders, config(worker))?;
        if let About::Member { round, .. } = &self.about {
            fetch_member(&trainer, round, &blobs)?;
        }
        let _turn = Handle::current().block_on(worker.turn())?;
        let judged = match &self.about {
            About::Member { who, round } => {
                let ledger = ledger(worker)?;
                let before = ledger.before(&self.root, &who.0, round.number)?;
                let judged = judge_member(&mut trainer, &dataset, round, before, panel, &blobs)?;
                // Within a class there is no drift to remember.
                if trainer.class != Some(round.class) && judged.replayed > 0 {
                    ledger.note(&self.root, &who.0, round.number, judged.drift)?;
                }
                judged
            }
            About::Outer(outer) => judge_outer(&mut trainer, outer, panel, &blobs)?,
        };
        tracing::debug!(case = id, bytes = blobs.fetched(), "fetched for an audit");
        blobs.close()?;
        Ok(judged)
    }
}

/// Where what audits fetch lies, a folder a case: after a restart it goes on from there.
fn folder(worker: &Worker) -> PathBuf {
    worker.state_dir.join("audits")
}

/// Throws away what was fetched for cases that are over.
async fn sweep(worker: &Worker, head: &Head, current: CaseId) -> Result<()> {
    let Ok(entries) = std::fs::read_dir(folder(worker)) else {
        return Ok(());
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().and_then(|name| name.to_str());
        let Some(id) = name.and_then(|name| name.parse::<CaseId>().ok()) else {
            continue;
        };
        let cases = api::storage().audits().cases();
        if id != current && read!(head, cases, (id,)).is_none() {
            std::fs::remove_dir_all(&path)
                .with_context(|| format!("removing {}", path.display()))?;
        }
    }
    Ok(())
}

/// Where this worker sets up runs.
pub fn place(worker: &Worker) -> Place {
    Place {
        blobs: worker.blobs.clone(),
        folder: worker.state_dir.join("training-models"),
        device: worker.training_device(),
        threads: std::thread::available_parallelism().map_or(1, usize::from),
    }
}

async fn of_run(
    worker: &Worker,
    head: &Head,
    run: RunId,
    number: u32,
) -> Result<(H256, RunTerms, Round)> {
    let terms = read!(head, api::storage().training().terms(), (run,));
    let terms = terms.with_context(|| format!("run {run} is not known"))?.0;
    let rounds = api::storage().training().rounds();
    let round = read!(head, rounds, (run, number));
    let round = round.with_context(|| format!("round {number} of run {run} is over"))?;
    Ok((terms.root(&worker.chain.genesis(), run), terms, round.0))
}

async fn contribution(
    head: &Head,
    run: RunId,
    round: u32,
    rank: u32,
) -> Result<Option<Contribution>> {
    let contributions = api::storage().training().contributions();
    Ok(read!(head, contributions, (run, round, rank)))
}

/// Gets what the run starts from and its data, where they are not here: from its members, and from whoever serves the run.
async fn stock(worker: &Arc<Worker>, head: &Head, case: &Case) -> Result<()> {
    let mut holders: Option<Vec<Holder>> = None;
    // Manifests first, then the files that they name.
    loop {
        let missing = {
            let (worker, terms) = (worker.clone(), case.terms);
            on_device(move || setup::missing(&worker.blobs, &terms)).await?
        };
        if missing.is_empty() {
            return Ok(());
        }
        if holders.is_none() {
            let serving =
                registry::holders(head, &case.root, &worker.operator, MOST_HOLDERS).await?;
            let own = Some(&worker.operator);
            let having = datasets::holders_of(head, &case.terms.dataset, own, MOST_HOLDERS).await?;
            let members = case.holders.iter().cloned();
            holders = Some(members.chain(serving).chain(having).collect());
        }
        for root in missing {
            let from = holders.as_deref().unwrap_or_default();
            fetch(&worker.blobs, root, MAX_BLOB_BYTES, from, &config(worker)).await?;
        }
    }
}
