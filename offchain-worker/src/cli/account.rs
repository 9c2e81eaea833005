//! `account`: addresses, balances, transfers.

use super::options::{format_dot, parse_account, parse_dot, JsonOption, KeyOptions, NodeOptions};
use crate::registry;
use anyhow::Result;
use chasqui_chain::{api, AccountId32};
use chasqui_primitives::Balance;
use serde_json::json;

/// Addresses, balances, transfers.
#[derive(Debug, clap::Subcommand)]
pub enum AccountCommand {
    /// Print the address of a key.
    Address {
        #[command(flatten)]
        key: KeyOptions,
        #[command(flatten)]
        json: JsonOption,
    },
    /// Show what an account holds.
    Balance {
        /// The account.
        #[arg(value_name = "ADDRESS", value_parser = parse_account)]
        account: AccountId32,
        #[command(flatten)]
        node: NodeOptions,
        #[command(flatten)]
        json: JsonOption,
    },
    /// Send DOT.
    Transfer {
        #[command(flatten)]
        key: KeyOptions,
        /// To whom.
        #[arg(long, value_name = "ADDRESS", value_parser = parse_account)]
        to: AccountId32,
        /// How much.
        #[arg(long, value_name = "DOT", value_parser = parse_dot, required_unless_present = "all")]
        amount: Option<Balance>,
        /// All that is free, but for what keeps the account alive (the existential deposit).
        #[arg(long, conflicts_with = "amount")]
        all: bool,
        #[command(flatten)]
        node: NodeOptions,
        #[command(flatten)]
        json: JsonOption,
    },
}

impl AccountCommand {
    pub async fn run(self) -> Result<()> {
        match self {
            Self::Address { key, json } => {
                let account = key.signer()?.account();
                let public = format!("0x{}", hex::encode(account.0));
                let value = json!({ "address": account.to_string(), "publicKey": public });
                json.print(&value, || println!("{account}"));
            }
            Self::Balance {
                account,
                node,
                json,
            } => {
                let chain = node.connect().await?;
                let (free, held) = registry::balance(&chain.head().await?, &account).await?;
                let value = json!({
                    "account": account.to_string(),
                    "free": free.to_string(),
                    "held": held.to_string(),
                });
                json.print(&value, || {
                    println!("free {}, on hold {}", format_dot(free), format_dot(held));
                });
            }
            Self::Transfer {
                key,
                to,
                amount,
                all: _,
                node,
                json,
            } => {
                let chain = &node.connect().await?;
                let included = match amount {
                    Some(amount) => {
                        let call = api::tx().balances().transfer_keep_alive(to.into(), amount);
                        key.sign(
                            chain,
                            |signer| async move { chain.submit(&signer, &call).await },
                        )
                        .await?
                    }
                    None => {
                        let call = api::tx().balances().transfer_all(to.into(), true);
                        key.sign(
                            chain,
                            |signer| async move { chain.submit(&signer, &call).await },
                        )
                        .await?
                    }
                };
                let sent = included
                    .events
                    .find_first::<api::balances::events::Transfer>()
                    .transpose()?
                    .map(|event| event.amount)
                    .unwrap_or_default();
                let value = json!({ "to": to.to_string(), "amount": sent.to_string() });
                json.print(&value, || println!("sent {} to {to}", format_dot(sent)));
            }
        }
        Ok(())
    }
}
