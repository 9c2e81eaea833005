//! The table, for people and as JSON.

use crate::sim::{strategy::Scenario, Returns};
use serde_json::json;
use std::fmt::Write as _;

/// Ratios so near to 1 are the same: a price is exact to one part in 1,280.
const SAME: f64 = 0.001;

pub struct Row {
    name: &'static str,
    share: f64,
    answer: &'static str,
    /// What attackers and the same operators, honest, gained for each coin of bond, on average.
    attack: f64,
    honest: f64,
    /// Attack by honesty.
    mean: f64,
    least: f64,
    most: f64,
    price: f64,
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len() as f64;
    values.sum::<f64>() / count
}

impl Row {
    pub fn new(scenario: &Scenario, returns: &[Returns]) -> Self {
        let ratios = || returns.iter().map(Returns::ratio);
        Self {
            name: scenario.name,
            share: scenario.share,
            answer: scenario.answer,
            attack: mean(returns.iter().map(|one| one.attack)),
            honest: mean(returns.iter().map(|one| one.honest)),
            mean: mean(ratios()),
            least: ratios().fold(f64::INFINITY, f64::min),
            most: ratios().fold(f64::NEG_INFINITY, f64::max),
            price: mean(returns.iter().map(|one| one.price)),
        }
    }

    /// In no game may an attack return more. What changes nothing returns the same.
    fn wins(&self) -> bool {
        self.most > 1.0 + SAME
    }

    fn verdict(&self) -> &'static str {
        match (self.wins(), self.most < 1.0 - SAME) {
            (true, _) => "**pays**",
            (false, true) => "loses",
            (false, false) => "no gain",
        }
    }
}

pub struct Report {
    pub seed: u64,
    pub seeds: u64,
    pub epochs: u32,
    pub units_per_point: u64,
    pub most_per_fee: Option<f64>,
    pub epoch_rho: bool,
    pub rows: Vec<Row>,
}

impl Report {
    pub fn winners(&self) -> Vec<&'static str> {
        let winners = self.rows.iter().filter(|row| row.wins());
        winners.map(|row| row.name).collect()
    }

    pub fn markdown(&self) -> String {
        let mut text = format!(
            "{} epochs, {} seeds from {} on. Gain for each coin of bond; ratio: attack by honesty, in the same world.\n\n",
            self.epochs, self.seeds, self.seed
        );
        text.push_str("| attack | weight | attack | honest | ratio | least to most | price | | rule that is to answer it |\n");
        text.push_str("|---|---|---|---|---|---|---|---|---|\n");
        for row in &self.rows {
            let _ = writeln!(
                text,
                "| {} | {:.1}% | {:.2} | {:.2} | {:.3} | {:.3} to {:.3} | {:.2} | {} | {} |",
                row.name,
                row.share * 100.0,
                row.attack,
                row.honest,
                row.mean,
                row.least,
                row.most,
                row.price,
                row.verdict(),
                row.answer,
            );
        }
        text
    }

    pub fn json(&self) -> String {
        let rows: Vec<_> = self
            .rows
            .iter()
            .map(|row| {
                json!({
                    "attack": row.name, "weight": row.share, "rule": row.answer,
                    "gainPerBond": row.attack, "honestGainPerBond": row.honest,
                    "ratio": { "mean": row.mean, "least": row.least, "most": row.most },
                    "price": row.price, "verdict": row.verdict().trim_matches('*'),
                })
            })
            .collect();
        let report = json!({
            "bench": "economy", "seed": self.seed, "seeds": self.seeds, "epochs": self.epochs,
            "mostPerFee": self.most_per_fee,
            "unitsPerPoint": self.units_per_point, "epochRho": self.epoch_rho, "rows": rows,
        });
        format!("{report:#}\n")
    }
}
