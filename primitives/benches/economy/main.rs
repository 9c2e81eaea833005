//! Whether any attack pays more than honesty: operators with strategies over thousands of epochs of the rules themselves.
//!
//! `sim/` is the simulation. This plays every scenario with several seeds, prints what each returned against honesty, and
//! fails when one returned more. Equal seeds give equal tables.

mod options;
mod sim;
mod table;

use options::{Options, USAGE};
use sim::{params::Params, play, strategy::SCENARIOS};
use std::{process::ExitCode, time::Instant};
use table::{Report, Row};

fn run(options: &Options) -> Report {
    let start = Instant::now();
    let usual = Params::default();
    let params = Params {
        most_per_fee: options.most_per_fee,
        epoch_rho: options.epoch_rho,
        units_per_point: options.units_per_point.unwrap_or(usual.units_per_point),
        ..usual
    };
    let rows = SCENARIOS
        .iter()
        .filter(|scenario| {
            scenario
                .name
                .contains(options.only.as_deref().unwrap_or(""))
        })
        .map(|scenario| {
            let returns: Vec<_> = (0..options.seeds)
                .map(|seed| {
                    play(
                        &params,
                        scenario,
                        options.epochs,
                        options.seed.wrapping_add(seed),
                    )
                })
                .collect();
            eprintln!(
                "{:>7.1} s  {}",
                start.elapsed().as_secs_f64(),
                scenario.name
            );
            Row::new(scenario, &returns)
        })
        .collect();
    Report {
        seed: options.seed,
        seeds: options.seeds,
        epochs: options.epochs,
        units_per_point: params.units_per_point,
        most_per_fee: options.most_per_fee,
        epoch_rho: options.epoch_rho,
        rows,
    }
}

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(what) => {
            eprintln!("economy: {what}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let report = run(&options);
    if report.rows.is_empty() {
        eprintln!("economy: --only: no attack has that in its name");
        return ExitCode::from(2);
    }
    print!("{}", report.markdown());
    if let Some(file) = &options.json {
        if let Err(error) = std::fs::write(file, report.json()) {
            eprintln!("economy: writing {}: {error}", file.display());
            return ExitCode::FAILURE;
        }
    }
    let winners = report.winners();
    if winners.is_empty() {
        return ExitCode::SUCCESS;
    }
    eprintln!(
        "economy: returned more than honesty: {}",
        winners.join("; ")
    );
    ExitCode::FAILURE
}
