//! `kill -9` of a process that publishes on `local:` loses nothing that it was
//! told is kept. The test starts itself as that process: it has no harness.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test without harness, which speaks to itself over a pipe"
)]

mod bench;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use bench::{Bench, event, follow, member, name, next};
use gearmesh_bus::Bus;

/// How the test calls itself.
const CHILD: &str = "publish-until-killed";

/// Acknowledged events after which the child is killed, and how often.
const ENOUGH: usize = 150;
const ROUNDS: usize = 3;

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().position(|a| a == CHILD) {
        Some(at) => runtime.block_on(child(&arguments[at + 1], &arguments[at + 2])),
        // A list of tests is asked for by some runners.
        None if arguments.iter().any(|a| a == "--list") => {}
        None => {
            runtime.block_on(acknowledged_events_survive());
            println!("test acknowledged_events_survive_kill ... ok");
        }
    }
}

async fn child(folder: &str, round: &str) {
    let options = bench::options(folder.as_ref(), "child");
    let (bus, _) = Bus::open("local:", options).await.unwrap();
    let mut group = bus.subscribe(member("t", "g", "child")).await.unwrap();
    for n in 0.. {
        let id = format!("{round}-{n}");
        bus.publish(&event(&id, "t", &id)).await.unwrap();
        println!("kept {id}");
        let sequence = next(&mut group).await.event.sequence;
        bus.ack(&name("g"), &[sequence]).await.unwrap();
        println!("done {sequence}");
    }
}

async fn acknowledged_events_survive() {
    let bench = Bench::local();
    let mut kept = BTreeSet::new();
    let mut done = BTreeSet::new();
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg(CHILD)
            .arg(bench.folder.path())
            .arg(round.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut said = 0;
        // To the end of what it could say: what is in the pipe was acknowledged too.
        for line in lines.map_while(Result::ok) {
            match line.split_once(' ') {
                Some(("kept", id)) => drop(kept.insert(id.to_owned())),
                Some(("done", sequence)) => drop(done.insert(sequence.parse::<i64>().unwrap())),
                _ => panic!("{line}"),
            }
            said += 1;
            if said == ENOUGH * 2 {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
    }
    assert!(kept.len() >= ROUNDS * (ENOUGH - 1), "{}", kept.len());
    let bus = bench.bus("after").await;
    let last = bus.topics().await.unwrap()[0].clone();
    let mut found = BTreeSet::new();
    let mut all = bus.subscribe(follow("t", Some(0))).await.unwrap();
    let mut group = bus.subscribe(member("t", "g", "child")).await.unwrap();
    for n in 1..=last.events {
        let event = next(&mut all).await.event;
        assert_eq!(event.sequence, n, "no holes");
        found.insert(event.id);
    }
    assert!(kept.is_subset(&found));
    // What was acknowledged is not handed out again, all else is.
    let expected: BTreeSet<i64> = (1..=last.events).filter(|n| !done.contains(n)).collect();
    let pending = bus.groups().await.unwrap()[0].clone();
    for _ in 0..pending.pending + pending.lag {
        let sequence = next(&mut group).await.event.sequence;
        assert!(expected.contains(&sequence), "{sequence}");
    }
}
