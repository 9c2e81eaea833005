//! `gov`: referenda, and `price`: what a unit of compute should cost.

use super::{
    checkpoint::check_acceptable,
    options::{
        format_dot, parse_account, parse_dot, parse_hash, JsonOption, KeyOptions, NodeOptions,
    },
};
use crate::{
    governance::{self, Track},
    view::bounded,
};
use anyhow::{ensure, Result};
use chasqui_chain::{api, AccountId32, Chain, H256};
use chasqui_primitives::Balance;
use serde_json::{json, Value};

/// Decide: propose, vote, delegate. A vote weighs what its operator contributed.
#[derive(Debug, clap::Subcommand)]
pub enum GovCommand {
    /// Submit a referendum with its decision deposit.
    #[command(subcommand)]
    Propose(ProposeCommand),
    /// Vote for an operator, or change its vote. Sign with its bonded account's key or its owner's.
    Vote(VoteCommand),
    /// Delegate an operator's vote on a track to another operator, for referenda from the next block on.
    Delegate(DelegateCommand),
    /// Say that a grant's milestone is reached, by its beneficiary. A referendum then approves or declines it.
    Prove(ProveCommand),
    /// List the newest referenda.
    List {
        /// How many.
        #[arg(long, default_value_t = 20)]
        most: u32,
        #[command(flatten)]
        node: NodeOptions,
        #[command(flatten)]
        json: JsonOption,
    },
    /// Show a referendum: its votes, what it needs to pass now, and what an operator weighs in it.
    Show {
        /// The referendum.
        #[arg(value_name = "NUMBER")]
        poll: u32,
        /// Whose weight and vote to show.
        #[arg(long, value_name = "ADDRESS", value_parser = parse_account)]
        operator: Option<AccountId32>,
        #[command(flatten)]
        node: NodeOptions,
        #[command(flatten)]
        json: JsonOption,
    },
}

/// What is proposed.
#[derive(Debug, clap::Subcommand)]
pub enum ProposeCommand {
    /// Any call, as polkadot-js encodes it.
    Call {
        /// The track: it must have the power to do this.
        #[arg(long, value_enum)]
        track: Track,
        /// The encoded call, in hexadecimal.
        #[arg(long, value_name = "HEX")]
        call: String,
        #[command(flatten)]
        with: Submission,
    },
    /// Have a calibrated checkpoint take payment.
    AcceptCheckpoint {
        /// The checkpoint, by root.
        #[arg(value_name = "ROOT", value_parser = parse_hash)]
        checkpoint: H256,
        #[command(flatten)]
        with: Submission,
    },
    /// Retire a checkpoint.
    RetireCheckpoint {
        /// The checkpoint, by root.
        #[arg(value_name = "ROOT", value_parser = parse_hash)]
        checkpoint: H256,
        #[command(flatten)]
        with: Submission,
    },
    /// Other bounds of the price of a unit of compute.
    PriceBounds {
        /// The lowest price, in DOT.
        #[arg(long, value_name = "DOT", value_parser = parse_dot)]
        lowest: Balance,
        /// The highest price, in DOT.
        #[arg(long, value_name = "DOT", value_parser = parse_dot)]
        highest: Balance,
        #[command(flatten)]
        with: Submission,
    },
    /// A grant of one milestone out of the training fund.
    Grant {
        /// The track: a small one has a limit.
        #[arg(long, value_enum, default_value = "fund-small")]
        track: Track,
        /// Who is paid.
        #[arg(long, value_name = "ADDRESS", value_parser = parse_account)]
        to: AccountId32,
        /// How much, in DOT.
        #[arg(long, value_name = "DOT", value_parser = parse_dot)]
        amount: Balance,
        /// Hash of what is to be reached.
        #[arg(long, value_name = "HASH", value_parser = parse_hash)]
        description: H256,
        /// The last block to prove it in.
        #[arg(long, value_name = "BLOCK")]
        deadline: u32,
        #[command(flatten)]
        with: Submission,
    },
    /// Approve the proof of a grant's milestone, and pay it.
    ApproveMilestone {
        /// The track: it must cover the whole grant.
        #[arg(long, value_enum, default_value = "fund-small")]
        track: Track,
        /// The grant.
        #[arg(long, value_name = "NUMBER")]
        grant: u32,
        /// Its milestone.
        #[arg(long, value_name = "NUMBER", default_value_t = 0)]
        milestone: u32,
        #[command(flatten)]
        with: Submission,
    },
}

/// How a proposal is submitted.
#[derive(Debug, clap::Args)]
pub struct Submission {
    #[command(flatten)]
    key: KeyOptions,
    #[command(flatten)]
    node: NodeOptions,
    #[command(flatten)]
    json: JsonOption,
}

/// Vote.
#[derive(Debug, clap::Args)]
pub struct VoteCommand {
    /// The referendum.
    #[arg(value_name = "NUMBER")]
    poll: u32,
    /// For it.
    #[arg(long, conflicts_with_all = ["nay", "remove"])]
    aye: bool,
    /// Against it.
    #[arg(long, conflicts_with = "remove")]
    nay: bool,
    /// Take the vote back.
    #[arg(long)]
    remove: bool,
    /// The operator. Default: the account of the key.
    #[arg(long, value_name = "ADDRESS", value_parser = parse_account)]
    operator: Option<AccountId32>,
    #[command(flatten)]
    with: Submission,
}

/// Delegate.
#[derive(Debug, clap::Args)]
pub struct DelegateCommand {
    /// The track.
    #[arg(long, value_enum)]
    track: Track,
    /// The operator that votes. Left out: the delegation ends.
    #[arg(long, value_name = "ADDRESS", value_parser = parse_account)]
    to: Option<AccountId32>,
    /// The operator whose vote it is. Default: the account of the key.
    #[arg(long, value_name = "ADDRESS", value_parser = parse_account)]
    operator: Option<AccountId32>,
    #[command(flatten)]
    with: Submission,
}

/// Prove a milestone.
#[derive(Debug, clap::Args)]
pub struct ProveCommand {
    /// The grant.
    #[arg(long, value_name = "NUMBER")]
    grant: u32,
    /// Its milestone.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    milestone: u32,
    /// Hash of what shows that it is reached.
    #[arg(long, value_name = "HASH", value_parser = parse_hash)]
    evidence: H256,
    #[command(flatten)]
    with: Submission,
}

impl ProveCommand {
    async fn run(self) -> Result<()> {
        let Submission { key, node, json } = self.with;
        key.signer()?;
        let chain = &node.connect().await?;
        let prove = api::tx()
            .training_fund()
            .prove(self.grant, self.milestone, self.evidence);
        key.sign(chain, |signer| async move {
            chain.submit(&signer, &prove).await
        })
        .await?;
        let value = json!({ "grant": self.grant, "milestone": self.milestone });
        json.print(&value, || {
            println!(
                "milestone {} of grant {} waits for approval",
                self.milestone, self.grant
            );
        });
        Ok(())
    }
}

impl GovCommand {
    pub async fn run(self) -> Result<()> {
        match self {
            Self::Propose(command) => command.run().await,
            Self::Vote(command) => command.run().await,
            Self::Delegate(command) => command.run().await,
            Self::Prove(command) => command.run().await,
            Self::List { most, node, json } => {
                let chain = node.connect().await?;
                let polls = governance::polls_json(&chain.head().await?, most.min(1_000)).await?;
                json.print(&json!(polls), || {
                    if polls.is_empty() {
                        println!("no referenda");
                    }
                    polls.iter().for_each(print_poll);
                });
                Ok(())
            }
            Self::Show {
                poll,
                operator,
                node,
                json,
            } => {
                let chain = node.connect().await?;
                let head = chain.head().await?;
                let value = governance::poll_json(&head, poll, operator.as_ref()).await?;
                json.print(&value, || print_poll(&value));
                Ok(())
            }
        }
    }
}

fn print_poll(poll: &Value) {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_string();
    if let Some(ended) = poll["endedAt"].as_u64() {
        println!(
            "{}  {} in block {ended}",
            poll["poll"],
            text(&poll["status"])
        );
        return;
    }
    let percent = |value: &Value| format!("{:.1}%", value.as_f64().unwrap_or(0.0) * 100.0);
    println!(
        "{}  {} on {}: {} for, {} against of {}",
        poll["poll"],
        text(&poll["status"]),
        text(&poll["track"]),
        poll["ayes"],
        poll["nays"],
        poll["electorate"]["weight"],
    );
    println!(
        "   support {} of {} needed now, approval {} of {}",
        percent(&poll["support"]),
        percent(&poll["needs"]["support"]),
        percent(&poll["approval"]),
        percent(&poll["needs"]["approval"]),
    );
    if let Some(weight) = poll.get("weight") {
        println!("   weight {weight}, vote {}", poll["vote"]);
    }
}

impl ProposeCommand {
    fn submission(&self) -> &Submission {
        match self {
            Self::Call { with, .. }
            | Self::AcceptCheckpoint { with, .. }
            | Self::RetireCheckpoint { with, .. }
            | Self::PriceBounds { with, .. }
            | Self::Grant { with, .. }
            | Self::ApproveMilestone { with, .. } => with,
        }
    }

    /// The track, and the call as the chain encodes it.
    async fn call(&self, chain: &Chain) -> Result<(Track, Vec<u8>)> {
        let tx = api::tx();
        Ok(match self {
            Self::Call { track, call, .. } => {
                let call = governance::bytes_of(call)?;
                governance::check_call(chain, &call).await?;
                (*track, call)
            }
            Self::AcceptCheckpoint { checkpoint, .. } => {
                check_acceptable(chain, *checkpoint).await?;
                let call = tx.checkpoints().accept(*checkpoint);
                (Track::Checkpoints, governance::encoded(chain, &call).await?)
            }
            Self::RetireCheckpoint { checkpoint, .. } => {
                let call = tx.checkpoints().retire(*checkpoint);
                (Track::Checkpoints, governance::encoded(chain, &call).await?)
            }
            Self::PriceBounds {
                lowest, highest, ..
            } => {
                let params =
                    governance::price_bounds(&chain.head().await?, *lowest, *highest).await?;
                let call = tx.economy().set_params(params);
                (Track::Economics, governance::encoded(chain, &call).await?)
            }
            Self::Grant {
                track,
                to,
                amount,
                description,
                deadline,
                ..
            } => {
                let milestone = api::runtime_types::pallet_training_fund::types::MilestoneTerms {
                    amount: *amount,
                    description: *description,
                    deadline: *deadline,
                };
                let milestones = bounded("the list of milestones", &[milestone], 16)?;
                let call = tx.training_fund().create_grant(to.0.into(), milestones);
                (*track, governance::encoded(chain, &call).await?)
            }
            Self::ApproveMilestone {
                track,
                grant,
                milestone,
                ..
            } => {
                let call = tx.training_fund().approve(*grant, *milestone);
                (*track, governance::encoded(chain, &call).await?)
            }
        })
    }

    async fn run(self) -> Result<()> {
        let Submission { key, node, json } = self.submission();
        key.signer()?;
        let chain = &node.connect().await?;
        let (track, call) = self.call(chain).await?;
        let poll = key
            .sign(chain, |signer| async move {
                governance::propose(chain, &signer, track, call).await
            })
            .await?;
        json.print(&json!({ "poll": poll }), || println!("{poll}"));
        Ok(())
    }
}

impl VoteCommand {
    async fn run(self) -> Result<()> {
        ensure!(
            self.aye || self.nay || self.remove,
            "say how: --aye, --nay, or --remove to take the vote back"
        );
        let Submission { key, node, json } = self.with;
        let operator = &self.operator.unwrap_or(key.signer()?.account());
        let chain = &node.connect().await?;
        key.sign(chain, |signer| async move {
            if self.remove {
                governance::remove_vote(chain, &signer, operator, self.poll).await
            } else {
                governance::vote(chain, &signer, operator, self.poll, self.aye).await
            }
        })
        .await?;
        let head = chain.head().await?;
        let value = governance::poll_json(&head, self.poll, Some(operator)).await?;
        json.print(&value, || print_poll(&value));
        Ok(())
    }
}

impl DelegateCommand {
    async fn run(self) -> Result<()> {
        let Submission { key, node, json } = self.with;
        let operator = &self.operator.unwrap_or(key.signer()?.account());
        let (track, to) = (self.track, &self.to);
        let chain = &node.connect().await?;
        key.sign(chain, |signer| async move {
            governance::delegate(chain, &signer, operator, track, to.as_ref()).await
        })
        .await?;
        let value = json!({
            "operator": operator.to_string(),
            "track": track.class(),
            "to": to.as_ref().map(ToString::to_string),
        });
        json.print(&value, || match to {
            Some(to) => println!("{operator} delegates to {to}"),
            None => println!("{operator} votes for itself again"),
        });
        Ok(())
    }
}

/// What a unit of compute costs, and should cost.
#[derive(Debug, clap::Subcommand)]
pub enum PriceCommand {
    /// Say what a unit should cost. The weighted median of all operators is the price of the next epoch.
    Vote {
        /// The price of a unit, in DOT. Left out: the operator is for whatever the price is.
        #[arg(long, value_name = "DOT", value_parser = parse_dot)]
        price: Option<Balance>,
        /// The operator. Default: the account of the key.
        #[arg(long, value_name = "ADDRESS", value_parser = parse_account)]
        operator: Option<AccountId32>,
        #[command(flatten)]
        with: Submission,
    },
    /// Show the price, those of the last epochs, and what an operator votes.
    Show {
        /// Whose vote to show.
        #[arg(long, value_name = "ADDRESS", value_parser = parse_account)]
        operator: Option<AccountId32>,
        #[command(flatten)]
        node: NodeOptions,
        #[command(flatten)]
        json: JsonOption,
    },
}

impl PriceCommand {
    pub async fn run(self) -> Result<()> {
        match self {
            Self::Vote {
                price,
                operator,
                with,
            } => {
                let operator = &operator.unwrap_or(with.key.signer()?.account());
                let chain = &with.node.connect().await?;
                with.key
                    .sign(chain, |signer| async move {
                        governance::vote_price(chain, &signer, operator, price).await
                    })
                    .await?;
                let head = chain.head().await?;
                let value = governance::price_json(&head, Some(operator)).await?;
                with.json.print(&value, || print_price(&value));
            }
            Self::Show {
                operator,
                node,
                json,
            } => {
                let chain = node.connect().await?;
                let head = chain.head().await?;
                let value = governance::price_json(&head, operator.as_ref()).await?;
                json.print(&value, || print_price(&value));
            }
        }
        Ok(())
    }
}

fn print_price(value: &Value) {
    let dot = |value: &Value| {
        value
            .as_str()
            .and_then(|planck| planck.parse().ok())
            .map_or("-".into(), format_dot)
    };
    println!("a unit of compute costs {}", dot(&value["unitPrice"]));
    if let Some(vote) = value.get("vote") {
        match vote.as_str() {
            Some(_) => println!("voted for {}", dot(vote)),
            None => println!("no vote: for whatever the price is"),
        }
    }
    for past in value["history"].as_array().into_iter().flatten() {
        println!(
            "  from the end of epoch {}: {}",
            past["epoch"],
            dot(&past["unitPrice"])
        );
    }
}
