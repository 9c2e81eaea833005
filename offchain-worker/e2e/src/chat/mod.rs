//! A conversation through the gateway, from the first token to the last planck: an OpenAI client talks to operators,
//! they settle, are audited, the session ends, and everybody is paid.

mod ledger;

pub use ledger::{Ledger, Party, Row, Table};

use crate::{
    blocks::{Account, Reader},
    gateway::{Funds, Gateway},
    interrupt,
    process::tied,
    scenes::{self, dot, planck, text, CLIENT_KEY},
    Network,
};
use anyhow::{bail, ensure, Context, Result};
use serde_json::{json, Value};
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// The shipped model goes on with a text: its conversation is a tale that both tell in turns.
const TEMPLATE: &str = "{{ bos_token }}{% for m in messages %}{{ m.content | trim }}\
                        {% if not loop.last %} {% endif %}{% endfor %}";
/// What the user says in the first conversation.
const TALE: [&str; 4] = [
    "Once upon a time there was a runner who",
    "The next morning",
    "On the way back",
    "In the end",
];
/// And in the second, which the picture shows.
const SECOND_TALE: [&str; 4] = [
    "Far away, behind the old bridge, lived a weaver who",
    "One day",
    "Nobody knew that",
    "In the evening",
];
/// Most tokens of an answer. A tale is then long enough to be audited for certain.
const MAX_TOKENS: &str = "64";
/// One session. A fifth of what is put down must be spent, so a short talk has a small deposit.
const DEPOSIT: &str = "0.4";
/// With a second conversation.
const LARGER_DEPOSIT: &str = "0.8";
const BUDGET: &str = "10";

const SECONDS: fn(u64) -> Duration = Duration::from_secs;

/// How the play is played.
#[derive(Clone, Debug)]
pub struct Options {
    /// A Python that has the package `openai`.
    pub python: PathBuf,
    /// Where to put a picture of the live page, if one is wanted.
    pub picture: Option<PathBuf>,
    /// What the user says, turn by turn; empty for a tale.
    pub lines: Vec<String>,
}

/// Files of this play outside the crate.
fn file(name: &str) -> Result<PathBuf> {
    Ok(scenes::root()?.join(name))
}

/// The shipped model with a chat template, in the network's folder.
pub fn chat_model(network: &Network) -> Result<PathBuf> {
    let folder = network.folder().join("tales-chat");
    std::fs::create_dir_all(&folder)?;
    for entry in std::fs::read_dir(scenes::model("chasqui-tales")?)? {
        let path = entry?.path();
        let name = path.file_name().context("a file without a name")?;
        std::fs::copy(&path, folder.join(name))?;
    }
    std::fs::write(folder.join("chat_template.jinja"), TEMPLATE)?;
    Ok(folder)
}

/// Plays it on a network that has just started; what happened, as JSON.
pub fn play(options: &Options, network: &mut Network, say: &dyn Fn(&str)) -> Result<Value> {
    let operators = scenes::honest_operators();
    let folder = chat_model(network)?;
    let root = network.open_market_with(&folder, &operators, &mut |line| say(line))?;
    let reader = Reader::connect(&network.url())?;
    let client = network.address(CLIENT_KEY)?;
    let parties = parties(network)?;
    let mut ledger = Ledger::open(&reader)?;

    say("--- a session by the openai package");
    let gateway = Gateway::over_sessions(
        network,
        &Funds {
            key: CLIENT_KEY,
            root: &root,
            deposit: match options.picture {
                Some(_) => LARGER_DEPOSIT,
                None => DEPOSIT,
            },
            budget: BUDGET,
            sessions: 1,
        },
    )?;
    say(&format!("gateway at {}", gateway.base_url));
    let own: Vec<&str> = options.lines.iter().map(String::as_str).collect();
    let lines = if own.is_empty() { &TALE[..] } else { &own };
    let mut conversations = vec![talk(options, network, &gateway, lines)?];
    let mut spent = price(&conversations)?;
    say(&format!(
        "{} answers for {} DOT, by {}",
        lines.len(),
        dot(spent),
        operators_of(network, &conversations)?.join(" and ")
    ));
    settled_and_audited(network, &mut ledger, spent, say)?;
    if let Some(picture) = &options.picture {
        conversations.push(talk(options, network, &gateway, &SECOND_TALE)?);
        spent = price(&conversations)?;
        take(options, network, &gateway, picture)?;
        say(&format!("the live page is in {}", picture.display()));
        settled_and_audited(network, &mut ledger, spent, say)?;
    }

    say("--- the session ends");
    gateway.stop()?;
    close(network, &client)?;
    network.wait_until("every session is over", SECONDS(120), |network| {
        let left = network.call(&["session", "list", "--client", &client])?;
        Ok(left.as_array().is_some_and(Vec::is_empty))
    })?;
    let held = network.balance(&client)?.1;
    ensure!(held == 0, "{held} planck of the client stayed on hold");
    ledger.catch_up()?;
    let (sessions, forfeited) = ledger.closed();
    ensure!(sessions > 0, "no session ended");
    say(&format!(
        "closed; what was left of the deposit is back, {} DOT forfeited",
        dot(forfeited)
    ));

    say("--- pay day");
    network.pass_epochs(3)?;
    for operator in &operators {
        network.call(&["operator", "claim", "--key", &operator.key])?;
    }
    // The chain pays fund and reserve by itself, a few blocks after.
    network.wait_for_block(network.block()? + 3, SECONDS(60))?;
    ledger.catch_up()?;
    let (client, operators) = parties;
    let table = ledger.table(&client, &operators, spent)?;
    println!();
    for line in table.lines() {
        println!("    {line}");
    }
    println!();
    say("every balance is explained to the planck; none appeared, none vanished");
    Ok(json!({
        "checkpoint": root,
        "conversations": conversations,
        "sessions": sessions,
        "whoGotWhat": table.json(),
        "audits": network.call(&["status"])?["audits"],
    }))
}

/// The client, and the operators, each with its hot key's account.
pub fn parties(network: &Network) -> Result<(Party, Vec<Party>)> {
    let client = Party {
        name: "client".into(),
        accounts: vec![account(network, CLIENT_KEY)?],
    };
    let mut operators = Vec::new();
    for worker in &network.workers {
        let operator = &worker.operator;
        operators.push(Party {
            name: operator.name.clone(),
            accounts: vec![
                account(network, &operator.key)?,
                account(network, &operator.hot_key())?,
            ],
        });
    }
    Ok((client, operators))
}

/// The public key of a secret URI.
pub fn account(network: &Network, key: &str) -> Result<Account> {
    let text = network.public_key(key)?;
    let mut account = [0; 32];
    hex::decode_to_slice(text.trim_start_matches("0x"), &mut account)
        .with_context(|| format!("no public key: {text}"))?;
    Ok(account)
}

/// Runs a Python script of this play to its end.
fn python(options: &Options, script: &str, arguments: &[&str]) -> Result<()> {
    let script = file("offchain-worker/e2e/chat")?.join(script);
    let mut child = tied(&mut Command::new(&options.python))
        .arg(&script)
        .args(arguments)
        .env("PYTHONPATH", file("offchain-worker/gateway/tests/python")?)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .spawn()
        .with_context(|| format!("starting {}", options.python.display()))?;
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            ensure!(status.success(), "{}: {status}", script.display());
            return Ok(());
        }
        let late = start.elapsed() > SECONDS(300);
        let interrupted = interrupt::check();
        if late || interrupted.is_err() {
            let _ = child.kill();
            let _ = child.wait();
            interrupted?;
            bail!("{} took too long", script.display());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn talk(options: &Options, network: &Network, gateway: &Gateway, lines: &[&str]) -> Result<Value> {
    let out = network.folder().join("chat.json");
    let out_name = out.display().to_string();
    let mut arguments = vec![
        "--base-url",
        &gateway.base_url,
        "--model",
        gateway.model()?,
        "--json",
        &out_name,
        "--max-tokens",
        MAX_TOKENS,
    ];
    arguments.extend(lines);
    python(options, "chat.py", &arguments)
        .with_context(|| format!("the gateway's log:\n{}", gateway.log(10)))?;
    Ok(serde_json::from_slice(&std::fs::read(&out)?)?)
}

/// The turns of all conversations.
fn turns(conversations: &[Value]) -> impl Iterator<Item = &Value> {
    let turns = conversations.iter().map(|one| one["turns"].as_array());
    turns.flatten().flatten()
}

/// What the answers cost by the gateway's own word, in planck.
fn price(conversations: &[Value]) -> Result<u128> {
    turns(conversations)
        .map(|turn| planck(&turn["chasqui"]["price"]))
        .sum()
}

/// The names of who answered.
fn operators_of(network: &Network, conversations: &[Value]) -> Result<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    for turn in turns(conversations) {
        let choices = turn["chasqui"]["choices"].as_array();
        for choice in choices.into_iter().flatten() {
            ensure!(
                choice["receipt"].as_str().is_some_and(|r| r.len() > 100),
                "an answer without a receipt: {choice}"
            );
            let name = network.name_of(&text(choice, "operator")?)?;
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    Ok(names)
}

/// Waits until everything that was asked is settled, and its cases are closed.
fn settled_and_audited(
    network: &Network,
    ledger: &mut Ledger<'_>,
    spent: u128,
    say: &dyn Fn(&str),
) -> Result<()> {
    network.wait_until("everything is settled", SECONDS(120), |_| {
        ledger.catch_up()?;
        Ok(ledger.settled() >= spent)
    })?;
    say(&format!(
        "{} DOT settled by operators",
        dot(ledger.settled())
    ));
    network.wait_until("an epoch ends and the audits close", SECONDS(240), |_| {
        ledger.catch_up()?;
        ensure!(
            ledger.refunded() == 0,
            "a case was not closed as valid: {} planck went back",
            ledger.refunded()
        );
        Ok(ledger.shared() >= spent)
    })?;
    let (valid, unaudited) = ledger.audited();
    say(&match unaudited {
        0 => "epoch over, answers drawn and replayed by auditors, found valid, paid".to_string(),
        _ => format!(
            "epoch over, {} DOT replayed by auditors and found valid, {} DOT not drawn for an audit; all paid",
            dot(valid),
            dot(unaudited)
        ),
    });
    Ok(())
}

/// Closes what the gateway left open.
fn close(network: &Network, client: &str) -> Result<()> {
    let open = network.call(&["session", "list", "--client", client])?;
    for session in open.as_array().into_iter().flatten() {
        let session = session["session"].as_str().context("a session's name")?;
        let shown = network.call(&["session", "show", session])?;
        if shown["stage"] == "open" {
            network.call(&["session", "close", session, "--key", CLIENT_KEY])?;
        }
    }
    Ok(())
}

fn take(options: &Options, network: &Network, gateway: &Gateway, png: &Path) -> Result<()> {
    let draft = network.folder().join("page.png");
    python(
        options,
        "picture.py",
        &[
            "--url",
            &gateway.page(),
            "--png",
            &draft.display().to_string(),
            "--wait",
            "document.querySelectorAll('#audits tr, #sessions tr, #operators tr').length > 2",
        ],
    )?;
    std::fs::copy(&draft, png).with_context(|| format!("writing {}", png.display()))?;
    Ok(())
}
