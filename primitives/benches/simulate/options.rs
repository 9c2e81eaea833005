//! What is asked for on the command line.

use std::path::PathBuf;

pub const USAGE: &str =
    "usage: simulate [--quick] [--seed N] [--seeds N] [--rounds N] [--members N].. [--json FILE]

  --quick      ten members, few rounds: to see that it runs
  --seed N     the first seed (default 1)
  --seeds N    runs of each row, with so many seeds from the first on (default 5)
  --rounds N   rounds of a run, void ones included (default 24)
  --members N  only this number of members; may be given several times (default 10, 100 and 500)
  --json FILE  writes the tables there";

pub struct Options {
    pub quick: bool,
    pub seed: u64,
    pub seeds: u64,
    pub rounds: u32,
    pub members: Vec<u32>,
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
            quick: false,
            seed: 1,
            seeds: 5,
            rounds: 24,
            members: Vec::new(),
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
                "--quick" => {
                    options.quick = true;
                    (options.seeds, options.rounds) = (2, 4);
                }
                "--seed" => options.seed = number(name, &value()?)?,
                "--seeds" => options.seeds = number(name, &value()?)?,
                "--rounds" => options.rounds = number(name, &value()?)?,
                "--members" => options.members.push(number(name, &value()?)?),
                "--json" => options.json = Some(value()?.into()),
                other => return Err(format!("unknown option {other:?}")),
            }
        }
        if options.members.is_empty() {
            options.members = match options.quick {
                true => vec![10],
                false => vec![10, 100, 500],
            };
        }
        let sensible = (1..=1_000).contains(&options.seeds)
            && (1..=1_000).contains(&options.rounds)
            && options
                .members
                .iter()
                .all(|members| (4..=500).contains(members));
        if !sensible {
            return Err("1 to 1000 seeds and rounds, 4 to 500 members".into());
        }
        Ok(Some(options))
    }
}
