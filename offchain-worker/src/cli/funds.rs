//! Whether an account can pay for its transactions, and words for when it cannot.

use super::options::format_dot;
use crate::registry;
use chasqui_chain::{AccountId32, Chain};
use chasqui_primitives::{Balance, DOT};
use std::time::Duration;

/// What a hot key should hold at least, in planck (0.5 DOT). A worker's own transactions cost nothing in the end, but
/// each fee must be there first: the largest, a trace of 64 KiB put on chain, needs a third of a DOT.
pub const LEAST_HOT_KEY_FUNDS: Balance = DOT / 2;

/// How often a worker looks what its hot key holds.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Every how many looks a worker says again that it is too little.
const SAY_EVERY: u32 = 12;

/// What the node or the chain says when an account cannot pay: the fee, or what a call puts on hold or sends.
const SIGNS: [&str; 4] = [
    "Inability to pay some fees",
    "Funds are unavailable",
    "InsufficientBalance",
    "Withdrawal would cause unwanted loss of account",
];
/// What a node says of every transaction that it does not take, whatever is wrong with it.
const INVALID: &str = "Invalid Transaction";
/// An account with less than this, in planck (0.1 DOT), may be unable to pay the fee of a transaction that was refused
/// without a reason.
const FEE_BOUND: Balance = DOT / 10;

/// Whether an error is, or may be, about what its signer holds.
pub fn may_concern(error: &anyhow::Error) -> bool {
    let words = format!("{error:#}");
    words.contains(INVALID) || is_about(&words)
}

fn is_about(words: &str) -> bool {
    SIGNS.iter().any(|sign| words.contains(sign))
}

/// Names the account in an error about its funds, `free` planck, and what to do; other errors stay as they are.
pub fn named(error: anyhow::Error, account: &AccountId32, free: Balance) -> anyhow::Error {
    let words = format!("{error:#}");
    match is_about(&words) || words.contains(INVALID) && free < FEE_BOUND {
        true => error.context(format!(
            "{account} holds {}, too little for this: send it DOT with `chasqui-worker account transfer --to {account}`",
            format_dot(free)
        )),
        false => error,
    }
}

/// What to tell about a hot key that holds `free` planck; nothing where that is enough.
pub fn warning(account: &AccountId32, free: Balance) -> Option<String> {
    (free < LEAST_HOT_KEY_FUNDS).then(|| {
        format!(
            "the hot key {account} holds {}, less than the {} that its transactions may need in advance: send it DOT \
             with `chasqui-worker account transfer --to {account} --amount 1 --key-file FILE`; duties are retried \
             until then",
            format_dot(free),
            format_dot(LEAST_HOT_KEY_FUNDS)
        )
    })
}

/// Watches what a worker's hot key holds, and logs when that is too little and when it is enough again. Never ends.
pub async fn watch(chain: Chain, account: AccountId32) {
    let mut low_for: u32 = 0;
    loop {
        // A node that is away is told of elsewhere.
        if let Ok(free) = free(&chain, &account).await {
            match warning(&account, free) {
                Some(warning) => {
                    if low_for.is_multiple_of(SAY_EVERY) {
                        tracing::error!("{warning}");
                    }
                    low_for = low_for.saturating_add(1);
                }
                None if low_for > 0 => {
                    tracing::info!(
                        "the hot key {account} holds {} and can pay again",
                        format_dot(free)
                    );
                    low_for = 0;
                }
                None => {}
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// What an account can spend, in planck.
///
/// # Errors
/// The chain cannot be read.
pub async fn free(chain: &Chain, account: &AccountId32) -> anyhow::Result<Balance> {
    Ok(registry::balance(&chain.head().await?, account).await?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    // GIVEN errors about funds, about a transaction that was refused without a reason, and about something else
    // WHEN the account is named in them
    // THEN those that are, or look like, a want of money say whose, and keep what the chain said
    #[test]
    fn errors_about_funds_name_the_account() {
        let account = AccountId32([7; 32]);
        let named = |words: &str, free| {
            let words = words.to_string();
            format!("{:#}", named(anyhow::Error::msg(words), &account, free))
        };
        for sign in SIGNS {
            let said = named(sign, DOT);
            assert!(said.contains(&account.to_string()) && said.contains(sign));
        }
        let refused = "Jobs.submit was not accepted: Invalid Transaction (1010)";
        let said = named(refused, 0);
        assert!(
            said.contains("holds 0 DOT") && said.contains(refused),
            "{said}"
        );
        assert_eq!(named(refused, DOT), refused);
        assert_eq!(named("Jobs::PromptEmpty", 0), "Jobs::PromptEmpty");
    }

    // GIVEN a hot key WHEN it holds enough THEN nothing is said; when it holds too little, who, how much, and what to do
    #[test]
    fn a_poor_hot_key_is_named_with_the_remedy() {
        let account = AccountId32([7; 32]);
        assert_eq!(warning(&account, LEAST_HOT_KEY_FUNDS), None);
        let said = warning(&account, DOT / 100).unwrap_or_default();
        for part in [
            &account.to_string(),
            "0.01 DOT",
            "0.5 DOT",
            "account transfer",
        ] {
            assert!(said.contains(part), "{said}");
        }
    }
}
