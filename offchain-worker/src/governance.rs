//! Referenda and price votes, as the chain keeps them.

use crate::view::fetch;
use anyhow::{bail, ensure, Context, Result};
use chasqui_chain::{api, AccountId32, Chain, ChainError, Head, Signer, H256};
use chasqui_primitives::{credit, Balance, EpochIndex};
use parity_scale_codec::Encode;
use serde_json::{json, Value};
use subxt::{rpcs::rpc_params, tx::Payload};

use api::runtime_types::{
    chasqui_runtime::{governance::origins::pallet_origins::Origin as TrackOrigin, OriginCaller},
    frame_support::traits::{preimages::Bounded, schedule::DispatchTime},
    pallet_economy::types::{Census, Params as PriceParams},
    pallet_referenda::types::{Curve, ReferendumInfo, TrackDetails},
};

/// The tracks, by what they may do. Numbers and periods are the chain's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Track {
    /// Dispatches a whitelisted call with root.
    Root,
    /// Whitelists a call.
    Whitelist,
    /// Parameters.
    Economics,
    /// Accepts and retires checkpoints.
    Checkpoints,
    /// Grants up to the chain's limit.
    FundSmall,
    /// Grants of any size, training runs.
    FundLarge,
    /// Takes back what a slash took.
    SlashCancellation,
}

impl Track {
    fn origin(self) -> TrackOrigin {
        match self {
            Self::Root => TrackOrigin::WhitelistedRoot,
            Self::Whitelist => TrackOrigin::Whitelister,
            Self::Economics => TrackOrigin::Economics,
            Self::Checkpoints => TrackOrigin::Checkpoints,
            Self::FundSmall => TrackOrigin::FundSmall,
            Self::FundLarge => TrackOrigin::FundLarge,
            Self::SlashCancellation => TrackOrigin::SlashCancellation,
        }
    }

    /// Its number on chain.
    pub fn class(self) -> u16 {
        match self {
            Self::Root => 0,
            Self::Whitelist => 1,
            Self::Economics => 2,
            Self::Checkpoints => 3,
            Self::FundSmall => 4,
            Self::FundLarge => 5,
            Self::SlashCancellation => 6,
        }
    }
}

/// An encoded call out of hexadecimal digits.
///
/// # Errors
/// It is not hexadecimal, or empty.
pub fn bytes_of(hex: &str) -> Result<Vec<u8>> {
    const WHAT: &str = "--call takes an encoded call in hexadecimal, as polkadot-js shows it";
    let digits = hex.trim().trim_start_matches("0x");
    ensure!(
        !digits.is_empty() && digits.len().is_multiple_of(2) && digits.is_ascii(),
        WHAT
    );
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16))
        .collect::<Result<_, _>>()
        .context(WHAT)
}

/// Whether the chain's runtime knows a call: it is asked what its dispatch would weigh.
///
/// # Errors
/// It does not, or the node does not answer.
pub async fn check_call(chain: &Chain, call: &[u8]) -> Result<()> {
    let len = u32::try_from(call.len()).context("the call is too long")?;
    let mut input = call.to_vec();
    len.encode_to(&mut input);
    let digits: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
    let params = rpc_params![
        "TransactionPaymentCallApi_query_call_info",
        format!("0x{digits}")
    ];
    match chain.request::<String>("state_call", params).await {
        Ok(_) => Ok(()),
        // The runtime traps on what it cannot decode: where it did so is of no use to anybody.
        Err(ChainError::Read(said)) if said.contains("Execution") => {
            bail!("--call is no call of this chain's runtime")
        }
        Err(error) => Err(error).context("asking the node about --call"),
    }
}

/// A call as the chain encodes it.
///
/// # Errors
/// The node's runtime has no such call.
pub async fn encoded<C: Payload>(chain: &Chain, call: &C) -> Result<Vec<u8>> {
    let transactions = chain.api().tx().await.context("reading the chain")?;
    transactions
        .call_data(call)
        .context("this node's runtime is not the one this program was built for")
}

/// Notes a call's preimage, submits a referendum about it and puts the decision deposit down. Returns its number.
///
/// # Errors
/// The chain refuses: too little money, or no such track.
pub async fn propose(chain: &Chain, signer: &Signer, track: Track, call: Vec<u8>) -> Result<u32> {
    let hash = H256(sp_crypto_hashing::blake2_256(&call));
    let len = u32::try_from(call.len()).context("the call is too long")?;
    let head = chain.head().await?;
    let known = fetch!(
        head,
        api::storage().preimage().request_status_for(),
        (hash,)
    );
    if known.is_none() {
        chain
            .submit(signer, &api::tx().preimage().note_preimage(call))
            .await?;
    }
    let submit = api::tx().referenda().submit(
        OriginCaller::Origins(track.origin()),
        Bounded::Lookup { hash, len },
        DispatchTime::After(0),
    );
    let included = chain.submit(signer, &submit).await?;
    let poll = included
        .events
        .find_first::<api::referenda::events::Submitted>()
        .context("the referendum was included, but no event names it")??
        .index;
    chain
        .submit(signer, &api::tx().referenda().place_decision_deposit(poll))
        .await?;
    Ok(poll)
}

/// Votes for an operator.
///
/// # Errors
/// The chain refuses.
pub async fn vote(
    chain: &Chain,
    signer: &Signer,
    operator: &AccountId32,
    poll: u32,
    aye: bool,
) -> Result<()> {
    let vote = api::tx().voting().vote(operator.0.into(), poll, aye);
    chain.submit(signer, &vote).await?;
    Ok(())
}

/// Takes an operator's vote back.
///
/// # Errors
/// The chain refuses.
pub async fn remove_vote(
    chain: &Chain,
    signer: &Signer,
    operator: &AccountId32,
    poll: u32,
) -> Result<()> {
    let remove = api::tx().voting().remove_vote(operator.0.into(), poll);
    chain.submit(signer, &remove).await?;
    Ok(())
}

/// Delegates an operator's vote on a track, or with `None` ends that.
///
/// # Errors
/// The chain refuses.
pub async fn delegate(
    chain: &Chain,
    signer: &Signer,
    operator: &AccountId32,
    track: Track,
    to: Option<&AccountId32>,
) -> Result<()> {
    match to {
        Some(to) => {
            let call = api::tx()
                .voting()
                .delegate(operator.0.into(), track.class(), to.0.into());
            chain.submit(signer, &call).await?;
        }
        None => {
            let call = api::tx()
                .voting()
                .undelegate(operator.0.into(), track.class());
            chain.submit(signer, &call).await?;
        }
    }
    Ok(())
}

/// Says what an operator wants a unit of compute to cost, in planck; `None` takes it back.
///
/// # Errors
/// The chain refuses.
pub async fn vote_price(
    chain: &Chain,
    signer: &Signer,
    operator: &AccountId32,
    price: Option<Balance>,
) -> Result<()> {
    match price {
        Some(price) => {
            let call = api::tx().economy().vote_price(operator.0.into(), price);
            chain.submit(signer, &call).await?;
        }
        None => {
            let call = api::tx().economy().clear_price_vote(operator.0.into());
            chain.submit(signer, &call).await?;
        }
    }
    Ok(())
}

/// The parameters of prices and subsidy as they are, with other bounds of the price.
///
/// # Errors
/// The bounds make no sense, or the chain cannot be read.
pub async fn price_bounds(head: &Head, lowest: Balance, highest: Balance) -> Result<PriceParams> {
    ensure!(
        lowest > 0 && lowest <= highest,
        "--lowest must be above zero and not above --highest"
    );
    let params = fetch!(head, api::storage().economy().parameters(), ())
        .context("this chain has no parameters of prices")?;
    Ok(PriceParams {
        lowest_price: lowest,
        highest_price: highest,
        ..params
    })
}

/// The running price of a unit, the last ones by epoch, and what an operator votes.
///
/// # Errors
/// The chain cannot be read.
pub async fn price_json(head: &Head, operator: Option<&AccountId32>) -> Result<Value> {
    let price = fetch!(head, api::storage().economy().price(), ()).unwrap_or_default();
    let entry = head
        .at
        .storage()
        .entry(api::storage().economy().price_history())?;
    let mut items = entry.iter(()).await?;
    let mut history = Vec::new();
    while let Some(item) = items.next().await {
        let item = item?;
        let (epoch, price): (EpochIndex, Balance) =
            (item.key()?.decode()?.0, item.value().decode()?);
        history.push((epoch, price));
    }
    history.sort_unstable();
    let mut value = json!({
        "unitPrice": price.to_string(),
        "history": history
            .iter()
            .map(|(epoch, price)| json!({ "epoch": epoch, "unitPrice": price.to_string() }))
            .collect::<Vec<_>>(),
    });
    if let Some(operator) = operator {
        let vote = fetch!(
            head,
            api::storage().economy().price_votes(),
            (operator.0.into(),)
        );
        value["vote"] = json!(vote.map(|vote: Balance| vote.to_string()));
    }
    Ok(value)
}

/// What an operator weighs in polls that a census measures.
async fn voice(head: &Head, epoch: EpochIndex, operator: &AccountId32) -> Result<u64> {
    let census: Option<Census> = fetch!(head, api::storage().economy().censuses(), (epoch,));
    let entry = fetch!(
        head,
        api::storage().economy().entries(),
        (epoch, operator.0.into())
    );
    Ok(match (census, entry) {
        (Some(census), Some(entry)) => {
            credit::vote_weight(entry.weight, entry.window_units, census.rho)
        }
        _ => 0,
    })
}

/// One referendum; with `operator` also what that weighs in it and has voted.
///
/// # Errors
/// There is none of this number, or the chain cannot be read.
pub async fn poll_json(head: &Head, poll: u32, operator: Option<&AccountId32>) -> Result<Value> {
    let info = fetch!(
        head,
        api::storage().referenda().referendum_info_for(),
        (poll,)
    );
    let Some(info) = info else {
        bail!("there is no referendum {poll}: see `chasqui-worker gov list`");
    };
    let status = match info {
        ReferendumInfo::Ongoing(status) => status,
        ReferendumInfo::Approved(at, ..) => return Ok(over(poll, "approved", at)),
        ReferendumInfo::Rejected(at, ..) => return Ok(over(poll, "rejected", at)),
        ReferendumInfo::Cancelled(at, ..) => return Ok(over(poll, "cancelled", at)),
        ReferendumInfo::TimedOut(at, ..) => return Ok(over(poll, "timedOut", at)),
        ReferendumInfo::Killed(at) => return Ok(over(poll, "killed", at)),
    };
    let track = track_details(head, status.track).await?;
    let tally = &status.tally;
    let part = |a: u64, b: u64| if b == 0 { 0.0 } else { a as f64 / b as f64 };
    let support = part(tally.count.ayes, tally.electorate.weight);
    let approval = part(tally.count.ayes, tally.count.ayes + tally.count.nays);
    let elapsed = status.deciding.as_ref().map_or(0.0, |deciding| {
        let since = head.number.saturating_sub(deciding.since);
        (f64::from(since) / f64::from(track.decision_period.max(1))).min(1.0)
    });
    let stage = match &status.deciding {
        Some(deciding) if deciding.confirming.is_some() => "confirming",
        Some(_) => "deciding",
        None => "preparing",
    };
    let mut value = json!({
        "poll": poll,
        "status": stage,
        "track": name_of(&track),
        "submitted": status.submitted,
        "ayes": tally.count.ayes,
        "nays": tally.count.nays,
        "electorate": {
            "epoch": tally.electorate.epoch,
            "weight": tally.electorate.weight,
            "bond": tally.electorate.bond.to_string(),
        },
        "ayeBond": tally.count.aye_bond.to_string(),
        "support": support,
        "approval": approval,
        "needs": {
            "support": threshold(&track.min_support, elapsed),
            "approval": threshold(&track.min_approval, elapsed),
            "halfOfAllBond": status.track == Track::Root.class(),
            "atTheEnd": {
                "support": threshold(&track.min_support, 1.0),
                "approval": threshold(&track.min_approval, 1.0),
            },
        },
        "decidedUntil": status
            .deciding
            .as_ref()
            .map(|deciding| deciding.since.saturating_add(track.decision_period)),
    });
    if let Some(operator) = operator {
        let vote = fetch!(
            head,
            api::storage().voting().votes(),
            (poll, operator.0.into())
        );
        value["weight"] = json!(voice(head, tally.electorate.epoch, operator).await?);
        value["vote"] = json!(vote.map(|vote| json!({
            "aye": vote.aye,
            "own": vote.own,
            "delegated": vote.delegated,
        })));
    }
    Ok(value)
}

fn over(poll: u32, status: &str, at: u32) -> Value {
    json!({ "poll": poll, "status": status, "endedAt": at })
}

/// The newest referenda, newest first.
///
/// # Errors
/// The chain cannot be read.
pub async fn polls_json(head: &Head, most: u32) -> Result<Vec<Value>> {
    let count = fetch!(head, api::storage().referenda().referendum_count(), ()).unwrap_or(0);
    let mut polls = Vec::new();
    for poll in (count.saturating_sub(most)..count).rev() {
        polls.push(poll_json(head, poll, None).await?);
    }
    Ok(polls)
}

type Details = TrackDetails<u128, u32, String>;

async fn track_details(head: &Head, track: u16) -> Result<Details> {
    let tracks = head
        .at
        .constants()
        .entry(api::constants().referenda().tracks())
        .context("reading the tracks")?;
    tracks
        .into_iter()
        .find(|(id, _)| *id == track)
        .map(|(_, details)| details)
        .with_context(|| format!("the chain has no track {track}"))
}

fn name_of(track: &Details) -> String {
    track.name.trim_end_matches('\0').to_string()
}

/// What a curve asks for after so much of the decision period, as a share of one.
fn threshold(curve: &Curve, elapsed: f64) -> f64 {
    let share = |perbill: u32| f64::from(perbill) / 1e9;
    match curve {
        Curve::LinearDecreasing {
            length,
            floor,
            ceil,
        } => {
            let (floor, ceil) = (share(floor.0), share(ceil.0));
            let part = (elapsed / share(length.0).max(1e-9)).min(1.0);
            ceil - (ceil - floor) * part
        }
        // No track of this runtime has another shape.
        _ => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_read_from_hexadecimal_and_nothing_else() {
        for good in ["000a", "0x000a", " 0x000A\n"] {
            assert_eq!(bytes_of(good).unwrap(), [0, 10]);
        }
        for bad in ["", "0x", "0x1", "zz", "0x0g", "0x\u{e9}1"] {
            let error = bytes_of(bad).unwrap_err().to_string();
            assert!(error.contains("--call"), "{bad}: {error}");
        }
    }

    #[test]
    fn a_threshold_falls_evenly_to_its_floor() {
        let perbill = api::runtime_types::sp_arithmetic::per_things::Perbill;
        let curve = Curve::LinearDecreasing {
            length: perbill(1_000_000_000),
            floor: perbill(500_000_000),
            ceil: perbill(1_000_000_000),
        };
        assert_eq!(threshold(&curve, 0.0), 1.0);
        assert_eq!(threshold(&curve, 0.5), 0.75);
        assert_eq!(threshold(&curve, 2.0), 0.5);
    }
}
