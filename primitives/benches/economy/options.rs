//! What is asked for on the command line.

use std::path::PathBuf;

pub const USAGE: &str =
    "usage: economy [--quick] [--seed N] [--seeds N] [--epochs N] [--only TEXT] [OPTION..] [--json FILE]

  --quick           few epochs, two seeds: to see that it runs
  --seed N          the first seed (default 1)
  --seeds N         games of each row, with so many seeds from the first on (default 5)
  --epochs N        epochs of a game (default 2000)
  --only TEXT       only rows whose name has this in it
  --most-per-fee X  subsidy of at most so many times the credited fees, where the rule allows three times
  --units-per-point N
                    what a point counts as, in units (default 1000)
  --window-only     an epoch is credited by the median of the window alone, and not by that of its own units: not
                    the rule, to see what the rule answers
  --json FILE       writes the table there";

pub struct Options {
    pub seed: u64,
    pub seeds: u64,
    pub epochs: u32,
    pub only: Option<String>,
    pub most_per_fee: Option<f64>,
    pub units_per_point: Option<u64>,
    pub epoch_rho: bool,
    pub json: Option<PathBuf>,
}

fn number<T: std::str::FromStr>(name: &str, text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| format!("{name} wants a number, got {text:?}"))
}

impl Options {
    /// `None`: help is asked for.
    ///
    /// # Errors
    /// What makes no sense.
    pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut options = Self {
            seed: 1,
            seeds: 5,
            epochs: 2_000,
            only: None,
            most_per_fee: None,
            units_per_point: None,
            epoch_rho: true,
            json: None,
        };
        while let Some(argument) = arguments.next() {
            let name = argument.as_str();
            let mut value = || {
                arguments
                    .next()
                    .ok_or_else(|| format!("{name} wants a value"))
            };
            match name {
                "-h" | "--help" => return Ok(None),
                // Cargo says so to every benchmark.
                "--bench" => {}
                "--quick" => (options.seeds, options.epochs) = (2, 400),
                "--seed" => options.seed = number(name, &value()?)?,
                "--seeds" => options.seeds = number(name, &value()?)?,
                "--epochs" => options.epochs = number(name, &value()?)?,
                "--only" => options.only = Some(value()?),
                "--most-per-fee" => options.most_per_fee = Some(number(name, &value()?)?),
                "--units-per-point" => options.units_per_point = Some(number(name, &value()?)?),
                "--window-only" => options.epoch_rho = false,
                "--json" => options.json = Some(value()?.into()),
                other => return Err(format!("unknown option {other:?}")),
            }
        }
        if !(1..=1_000).contains(&options.seeds) || !(100..=100_000).contains(&options.epochs) {
            return Err("1 to 1000 seeds, 100 to 100000 epochs".into());
        }
        if options
            .most_per_fee
            .is_some_and(|most| !(0.0..=1_000.0).contains(&most))
        {
            return Err("--most-per-fee wants 0 to 1000".into());
        }
        Ok(Some(options))
    }
}
