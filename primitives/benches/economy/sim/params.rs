//! The parameters of the world: the runtime's defaults, and what is assumed of machines and clients.

use chasqui_primitives::money::{Shares, DOT};
use sp_arithmetic::Perbill;

/// A subsidy programme, held at one point of its life.
#[derive(Clone, Copy, Debug)]
pub struct Programme {
    /// All that it pays, in planck.
    pub size: u128,
    /// Of it, what is paid when the simulation begins; it stays there.
    pub paid: u128,
}

#[derive(Clone, Debug)]
pub struct Params {
    // Assumed.
    /// Operators, each with a machine and a bond of the same size.
    pub operators: u32,
    /// In planck.
    pub bond: u128,
    /// Jobs that an operator gets a day, on average, at the first price.
    pub jobs: f64,
    /// Units of compute of a job.
    pub job_units: u64,
    /// What a unit costs at first, in planck.
    pub unit_price: u128,
    /// What it costs to compute a unit, in planck: machine, power and upkeep. So that the first price is about the best one
    /// for operators.
    pub unit_cost: f64,
    /// What an auditor's replay costs, as a share of that.
    pub replay: f64,
    /// Jobs of an operator that are in flight at once: audits reckon with all of them.
    pub in_flight: u128,
    /// By how much less is asked for when the price rises: `(first price / price)^elasticity`.
    pub elasticity: i32,
    /// Every so many epochs nobody but attackers asks for anything; 0: never.
    pub quiet_every: u32,
    /// A subsidy; the runtime's default is none.
    pub programme: Option<Programme>,
    /// Of the audits that are due, those that take place. All of them; less is for tests that a cheater then wins.
    pub audits: Perbill,
    /// Most subsidy for each planck of credited fees, if it is to be less than the rule's.
    pub most_per_fee: Option<f64>,
    /// Whether an epoch is credited by the median of its own units, too, by the weight of draws, as is the rule.
    pub epoch_rho: bool,

    // The runtime's: `Default` of the pallets' parameters.
    pub shares: Shares,
    /// Least share of jobs that are audited.
    pub floor: Perbill,
    pub seats: u32,
    pub slash: Perbill,
    pub jail_epochs: u32,
    pub duty_slash: Perbill,
    pub duty_jail_epochs: u32,
    pub duty_rate: Perbill,
    pub duty_alpha_ppb: u32,
    pub bond_per_unit: u128,
    pub reputation_cap: u32,
    pub units_per_step: u64,
    pub units_per_point: u64,
    pub claim_delay: usize,
    pub lien: u128,
    pub lien_percent: u128,
    pub audit_from: u128,
    pub min_deposit: u128,
    pub committee: u32,
    pub lowest_price: u128,
    pub highest_price: u128,
    /// Where the support of track `root` ends, and its approval.
    pub root_support: Perbill,
    pub root_approval: Perbill,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            operators: 40,
            bond: 500 * DOT,
            jobs: 200.0,
            job_units: 256,
            unit_price: DOT / 10_000,
            unit_cost: (DOT / 10_000) as f64 * 0.349,
            replay: 0.25,
            in_flight: 4,
            elasticity: 2,
            quiet_every: 0,
            programme: None,
            audits: Perbill::one(),
            most_per_fee: None,
            epoch_rho: true,
            shares: Shares::default(),
            floor: Perbill::from_percent(10),
            seats: 3,
            slash: Perbill::from_percent(50),
            jail_epochs: 28,
            duty_slash: Perbill::from_percent(1),
            duty_jail_epochs: 1,
            duty_rate: Perbill::from_percent(5),
            duty_alpha_ppb: 1_000,
            bond_per_unit: DOT,
            reputation_cap: 30,
            units_per_step: 1_000,
            units_per_point: 1_000,
            claim_delay: 2,
            lien: DOT / 10,
            lien_percent: 300,
            audit_from: DOT / 10,
            min_deposit: DOT / 10,
            committee: 4,
            lowest_price: 1,
            highest_price: 1_000_000_000_000_000,
            root_support: Perbill::from_percent(40),
            root_approval: Perbill::from_percent(66),
        }
    }
}
