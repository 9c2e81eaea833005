//! `operator`: the bonded account behind a worker.

use super::options::{
    format_dot, parse_dot, parse_hash, signer, signer_in, JsonOption, KeyOptions, NodeOptions,
};
use crate::{
    config::default_tls_key_file,
    registry::{self, Registration},
};
use anyhow::{bail, Context, Result};
use chasqui_chain::{api, Chain, Signer, H256};
use chasqui_primitives::{Balance, EpochIndex, Roles, DOT};
use serde_json::json;
use std::path::PathBuf;

/// Register, look up, leave.
#[derive(Debug, clap::Subcommand)]
pub enum OperatorCommand {
    /// Bond, name a hot key, and serve checkpoints. Funds the hot key where it has too little for fees.
    Register(Box<RegisterCommand>),
    /// Serve one more checkpoint.
    Serve(ServeCommand),
    /// Show an operator: bond, standing, what it serves and what it has earned.
    Status {
        /// The bonded account.
        #[arg(long, value_name = "ADDRESS", value_parser = super::options::parse_account)]
        account: chasqui_chain::AccountId32,
        #[command(flatten)]
        node: NodeOptions,
        #[command(flatten)]
        json: JsonOption,
    },
    /// List operators.
    List {
        #[command(flatten)]
        node: NodeOptions,
        #[command(flatten)]
        json: JsonOption,
    },
    /// Start to leave. The bond stays on hold until the unbonding time is over and no case is open.
    Unbond(PlainCommand),
    /// Take the bond back, after the unbonding time.
    Withdraw(PlainCommand),
    /// Return from jail.
    Unjail(PlainCommand),
    /// Claim what was earned: every closed epoch, or one.
    Claim {
        #[command(flatten)]
        call: PlainCommand,
        /// Only this epoch.
        #[arg(long)]
        epoch: Option<EpochIndex>,
    },
}

/// A call without arguments.
#[derive(Debug, clap::Args)]
pub struct PlainCommand {
    #[command(flatten)]
    pub key: KeyOptions,
    #[command(flatten)]
    pub node: NodeOptions,
    #[command(flatten)]
    pub json: JsonOption,
}

/// Serve one more checkpoint.
#[derive(Debug, clap::Args)]
pub struct ServeCommand {
    #[command(flatten)]
    pub key: KeyOptions,
    /// The checkpoint, by root.
    #[arg(long, value_name = "ROOT", value_parser = parse_hash)]
    pub checkpoint: H256,
    #[command(flatten)]
    pub node: NodeOptions,
    #[command(flatten)]
    pub json: JsonOption,
}

/// Register an operator.
#[derive(Debug, clap::Args)]
pub struct RegisterCommand {
    #[command(flatten)]
    pub key: KeyOptions,
    /// Secret URI of the hot key, which the worker signs with. Default with --key: its derivation //hot. Where money
    /// is at stake use --hot-key-file.
    #[arg(long, value_name = "SURI", conflicts_with = "hot_key_file")]
    pub hot_key: Option<String>,
    /// File with the secret URI of the hot key in its first line: the one that the worker's `key_file` names.
    #[arg(long, value_name = "FILE")]
    pub hot_key_file: Option<PathBuf>,
    /// What it does: `compute`, `validate`, or both as `compute,validate`.
    #[arg(long, default_value = "compute", value_name = "ROLES", value_parser = parse_roles)]
    pub roles: Roles,
    /// DOT to bond.
    #[arg(long, default_value = "1000", value_name = "DOT", value_parser = parse_dot)]
    pub bond: Balance,
    /// Declared capacity: how much work it wants, relative to others'. The bond bounds it.
    #[arg(long, default_value_t = 100)]
    pub capacity: u32,
    /// Where its worker will listen for clients.
    #[arg(long, default_value = "https://127.0.0.1:9617", value_name = "URL")]
    pub url: String,
    /// File of the endpoint's Ed25519 key; made if it is not there.
    #[arg(long, value_name = "FILE")]
    pub tls_key_file: Option<PathBuf>,
    /// Checkpoints to serve, by root.
    #[arg(long = "checkpoint", value_name = "ROOT", value_parser = parse_hash)]
    pub checkpoints: Vec<H256>,
    #[command(flatten)]
    pub node: NodeOptions,
    #[command(flatten)]
    pub json: JsonOption,
}

/// Roles, comma-separated.
fn parse_roles(text: &str) -> Result<Roles, String> {
    let mut roles = Roles {
        compute: false,
        validate: false,
    };
    for role in text.split(',').map(str::trim) {
        match role {
            "compute" => roles.compute = true,
            "validate" => roles.validate = true,
            other => {
                return Err(format!(
                    "'{other}' is no role: expected compute or validate"
                ))
            }
        }
    }
    Ok(roles)
}

impl OperatorCommand {
    pub async fn run(self) -> Result<()> {
        match self {
            Self::Register(command) => command.run().await,
            Self::Serve(command) => {
                let chain = &command.node.connect().await?;
                let call = api::tx().operators().serve(command.checkpoint);
                command
                    .key
                    .sign(
                        chain,
                        |signer| async move { chain.submit(&signer, &call).await },
                    )
                    .await?;
                command.json.print(
                    &json!({ "serves": format!("{:?}", command.checkpoint) }),
                    || {
                        println!("serves {:?}, from the next epoch on", command.checkpoint);
                    },
                );
                Ok(())
            }
            Self::Status {
                account,
                node,
                json,
            } => {
                let chain = node.connect().await?;
                let head = chain.head().await?;
                let Some(status) = registry::operator_json(&head, &account).await? else {
                    bail!("{account} is no operator: see `operator register`");
                };
                json.print(&status, || print_status(&status));
                Ok(())
            }
            Self::List { node, json } => {
                let chain = node.connect().await?;
                let all = registry::operators_json(&chain.head().await?).await?;
                json.print(&json!(all), || {
                    for operator in &all {
                        print_status(operator);
                    }
                });
                Ok(())
            }
            Self::Unbond(call) => {
                plain(
                    call,
                    "leaving; withdraw after the unbonding time",
                    |c, s| async move {
                        c.submit(&s, &api::tx().operators().unbond())
                            .await
                            .map(drop)
                    },
                )
                .await
            }
            Self::Withdraw(call) => {
                plain(call, "bond returned", |c, s| async move {
                    c.submit(&s, &api::tx().operators().withdraw())
                        .await
                        .map(drop)
                })
                .await
            }
            Self::Unjail(call) => {
                plain(call, "active again", |c, s| async move {
                    c.submit(&s, &api::tx().operators().unjail())
                        .await
                        .map(drop)
                })
                .await
            }
            Self::Claim { call, epoch } => claim(call, epoch).await,
        }
    }
}

async fn plain<F, Fut>(command: PlainCommand, done: &str, act: F) -> Result<()>
where
    F: FnOnce(Chain, Signer) -> Fut,
    Fut: std::future::Future<Output = Result<(), chasqui_chain::ChainError>>,
{
    let account = command.key.signer()?.account();
    let chain = command.node.connect().await?;
    let acting = chain.clone();
    command
        .key
        .sign(&chain, |signer| act(acting, signer))
        .await?;
    command.json.print(
        &json!({ "account": account.to_string(), "done": true }),
        || {
            println!("{account}: {done}");
        },
    );
    Ok(())
}

async fn claim(command: PlainCommand, epoch: Option<EpochIndex>) -> Result<()> {
    let account = command.key.signer()?.account();
    let chain = &command.node.connect().await?;
    let head = chain.head().await?;
    let operator = crate::duties::operator_of(&head, &account)
        .await?
        .with_context(|| {
            format!(
                "{account} signs for no operator: give the key of the bonded account, or its hot key"
            )
        })?;
    let epochs = match epoch {
        Some(epoch) => vec![epoch],
        None => registry::claimable_epochs(&head, &operator).await?,
    };
    let mut claimed = Vec::new();
    for epoch in epochs {
        let call = api::tx().rewards().claim(epoch);
        let included = command
            .key
            .sign(
                chain,
                |signer| async move { chain.submit(&signer, &call).await },
            )
            .await?;
        let paid = included
            .events
            .find_first::<api::rewards::events::Claimed>()
            .transpose()?
            .map(|event| {
                event
                    .compute
                    .saturating_add(event.audit)
                    .saturating_add(event.pool_share)
            })
            .unwrap_or_default();
        claimed.push((epoch, paid));
    }
    let total: Balance = claimed.iter().map(|(_, paid)| paid).sum();
    let epochs: Vec<_> = claimed
        .iter()
        .map(|(epoch, paid)| json!({ "epoch": epoch, "amount": paid.to_string() }))
        .collect();
    let value = json!({
        "operator": operator.to_string(),
        "total": total.to_string(),
        "epochs": epochs,
    });
    command.json.print(&value, || {
        for (epoch, paid) in &claimed {
            println!("epoch {epoch}: {}", format_dot(*paid));
        }
        println!("claimed {}", format_dot(total));
    });
    Ok(())
}

impl RegisterCommand {
    async fn run(self) -> Result<()> {
        let account = self.key.signer()?.account();
        let hot_key = match (&self.hot_key_file, &self.hot_key, &self.key.key) {
            (Some(file), _, _) => signer_in("--hot-key-file", file)?,
            (None, Some(uri), _) => signer("--hot-key", uri)?,
            (None, None, Some(uri)) => signer("--key", &hot_key_of(uri))?,
            (None, None, None) => bail!(
                "with --key-file, name the hot key as well: --hot-key-file FILE (or --hot-key SURI)"
            ),
        };
        let tls_file = self
            .tls_key_file
            .clone()
            .unwrap_or_else(|| default_tls_key_file(&account));
        let chain = self.node.connect().await?;
        let registration = Registration {
            bond: self.bond,
            hot_key: hot_key.account(),
            hot_key_funds: DOT,
            roles: self.roles,
            capacity: self.capacity,
            url: self.url.clone(),
            tls_key: registry::tls_key(&tls_file)?,
            checkpoints: self.checkpoints.clone(),
        };
        let (chain, with) = (&chain, &registration);
        self.key
            .sign(chain, |signer| async move {
                registry::register(chain, &signer, with).await
            })
            .await?;
        let head = chain.head().await?;
        let status = registry::operator_json(&head, &account)
            .await?
            .context("registered, but not to be found")?;
        self.json.print(&status, || {
            print_status(&status);
            println!("drawn from the next epoch on; start its worker with the hot key");
        });
        Ok(())
    }
}

/// The derivation //hot of a secret URI; a password stays at its end.
fn hot_key_of(uri: &str) -> String {
    match uri.split_once("///") {
        Some((path, password)) => format!("{path}//hot///{password}"),
        None => format!("{uri}//hot"),
    }
}

fn print_status(status: &serde_json::Value) {
    let text = |field: &str| status[field].as_str().unwrap_or("-").to_string();
    let dot = |field: &str| text(field).parse().map(format_dot).unwrap_or_default();
    println!("{}", text("account"));
    println!("  status      {}", text("status"));
    println!("  roles       {}", text("roles"));
    println!("  bond        {}", dot("bond"));
    println!("  reputation  {}", status["reputation"]);
    println!("  capacity    {}", status["capacity"]);
    println!("  hot key     {}", text("hotKey"));
    println!("  unclaimed   {}", dot("unclaimed"));
    for checkpoint in status["checkpoints"].as_array().into_iter().flatten() {
        println!("  serves      {}", checkpoint.as_str().unwrap_or("-"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // GIVEN secret URIs with and without a password
    // WHEN the hot key is derived
    // THEN it is the key of the same phrase and password, one step further
    #[test]
    fn a_hot_key_is_derived_before_the_password() {
        assert_eq!(hot_key_of("//Bob"), "//Bob//hot");
        assert_eq!(hot_key_of("//Bob///secret"), "//Bob//hot///secret");
        assert_eq!(hot_key_of("//Bob///a///b"), "//Bob//hot///a///b");
    }
}
