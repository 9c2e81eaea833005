//! The text of a pallet's `weights.rs`, as good as formatted.

use crate::fit::{Cost, Line};
use std::fmt::Write;

/// The file of `pallet` with these costs; `about` says how they were measured.
pub fn weights(pallet: &str, about: &str, costs: &[Cost]) -> String {
    let mut out = format!(
        "//! Weights of `{pallet}`, measured by `scripts/bench weights`.
//!
//! {about}
//! Reads and writes are counted; what each costs is the runtime's `DbWeight`.

#![allow(unused_parens, unused_imports, unused_variables, missing_docs)]

use core::marker::PhantomData;
use frame_support::{{
    traits::Get,
    weights::{{constants::ParityDbWeight, Weight}},
}};

/// What the functions of `{pallet}` cost.
pub trait WeightInfo {{
"
    );
    for cost in costs {
        line(
            &mut out,
            &format!("    fn {}({}) -> Weight;", cost.name, parameters(cost)),
        );
    }
    line(&mut out, "}");
    line(&mut out, "");
    line(&mut out, "/// Weights with the runtime's database costs.");
    line(&mut out, "pub struct SubstrateWeight<T>(PhantomData<T>);");
    line(&mut out, "");
    line(
        &mut out,
        "impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {",
    );
    functions(&mut out, costs, "T::DbWeight");
    line(&mut out, "");
    line(&mut out, "/// Weights for tests.");
    line(&mut out, "impl WeightInfo for () {");
    functions(&mut out, costs, "ParityDbWeight");
    out
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

fn parameters(cost: &Cost) -> String {
    let names: Vec<String> = cost
        .components
        .iter()
        .map(|(name, ..)| format!("{name}: u32"))
        .collect();
    names.join(", ")
}

fn functions(out: &mut String, costs: &[Cost], database: &str) {
    for cost in costs {
        function(out, cost, database);
    }
    line(out, "}");
}

fn function(out: &mut String, cost: &Cost, database: &str) {
    if !cost.components.is_empty() {
        let ranges: Vec<String> = cost
            .components
            .iter()
            .map(|(name, low, high)| format!("`{name}` from {low} to {high}"))
            .collect();
        line(out, &format!("    /// {}.", ranges.join(", ")));
    }
    line(
        out,
        &format!("    fn {}({}) -> Weight {{", cost.name, parameters(cost)),
    );
    line(
        out,
        &format!(
            "        // At least {} picoseconds.",
            grouped(cost.minimum * 1_000)
        ),
    );
    // Without the end of the last line, which the next term may follow.
    let _ = write!(
        out,
        "        Weight::from_parts({}, {})",
        grouped(cost.time.base),
        cost.proof.base
    );
    for (name, slope) in slopes(&cost.time) {
        add(
            out,
            &format!(
                "Weight::from_parts({}, 0).saturating_mul({name}.into())",
                grouped(slope)
            ),
        );
    }
    for (operation, counts) in [("reads", &cost.reads), ("writes", &cost.writes)] {
        if counts.base > 0 {
            add(
                out,
                &format!("{database}::get().{operation}({})", counts.base),
            );
        }
        for (name, slope) in slopes(counts) {
            let count = format!("({slope}_u64).saturating_mul({name}.into())");
            add(out, &format!("{database}::get().{operation}({count})"));
        }
    }
    for (name, slope) in slopes(&cost.proof) {
        add(
            out,
            &format!("Weight::from_parts(0, {slope}).saturating_mul({name}.into())"),
        );
    }
    line(out, "");
    line(out, "    }");
}

fn slopes(line: &Line) -> impl Iterator<Item = (&str, u128)> {
    let grows = line.slopes.iter().filter(|(_, slope)| *slope > 0);
    grows.map(|(name, slope)| (name.as_str(), *slope))
}

fn add(out: &mut String, term: &str) {
    let _ = write!(out, "\n            .saturating_add({term})");
}

/// A number with `_` between its thousands.
fn grouped(number: u128) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            grouped.push('_');
        }
        grouped.push(digit);
    }
    grouped
}
