//! Operators with strategies, over the rules themselves: draws, audits, splits, credit, subsidy, prices and votes are the
//! functions that the pallets call. What is not a rule is stated in [`Params`].

#[allow(dead_code)]
#[path = "../../simulate/sim/chance.rs"]
mod chance;
pub mod params;
pub mod strategy;
pub mod world;

use params::Params;
use strategy::{Scenario, Strategy};
use world::World;

/// What a scenario's attackers got, and what the same operators would have got honestly: by coin of bond, in the same
/// world, with the same chance. All have the same bond and machine, so by machine it is the same.
#[derive(Clone, Copy, Debug)]
pub struct Returns {
    pub attack: f64,
    pub honest: f64,
    /// What a unit of compute cost at the end of the attack, as a share of what it cost at the end of the honest world.
    pub price: f64,
}

impl Returns {
    /// Below 1: honesty would have paid more.
    pub fn ratio(&self) -> f64 {
        self.attack / self.honest
    }
}

/// Plays a scenario twice: with its strategy, and with everybody honest.
pub fn play(params: &Params, scenario: &Scenario, epochs: u32, seed: u64) -> Returns {
    let run = |strategy| {
        let params = (scenario.change)(params.clone());
        let mut world = World::new(params, scenario, strategy, epochs, seed);
        for _ in 0..epochs {
            world.step();
        }
        (world.gain_per_bond(), world.price())
    };
    let (attack, price) = run(scenario.strategy);
    let (honest, usual) = run(Strategy::Honest);
    Returns {
        attack,
        honest,
        price: price as f64 / usual as f64,
    }
}
