//! A pool over real servers: who gets a call, and what becomes of it when they die.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails loudly, and measures by its own clock"
)]

mod callers;
mod server;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gearmesh_link::{Call, Pool, invoke, remote};
use gearmesh_registry::Instance;
use serde_json::json;
use tokio::sync::watch;

use callers::{Set, callers, catalog, failure, until};
use server::{Does, Server};

/// After this a server sends its callers away, as one does whose leaf was renewed.
const CONNECTION_AGE: Duration = Duration::from_millis(250);

#[tokio::test]
async fn calls_spread_and_avoid_who_is_busy() {
    let (a, b) = (
        Server::start("a", Does::Answer),
        Server::start("b", Does::Answer),
    );
    let (callers, _set) = callers(&[&a, &b]);
    for _ in 0..200 {
        callers.get().await.unwrap();
    }
    assert!(
        a.calls() > 50 && b.calls() > 50,
        "{} {}",
        a.calls(),
        b.calls()
    );

    *a.seen.does.lock().unwrap() = Does::Hang;
    let stuck = callers.clone();
    let hanging = tokio::spawn(async move {
        let to_a = Call {
            instance: Some("a".into()),
            ..Call::default()
        };
        stuck.call("state.get", &to_a).await
    });
    until("a hangs", || a.under_way() == 1).await;
    let before = a.calls();
    for _ in 0..50 {
        callers.get().await.unwrap();
    }
    assert_eq!(a.calls(), before, "busy with one call, it gets no other");
    hanging.abort();
}

#[tokio::test]
async fn dead_instance_costs_nobody_a_call_and_is_seen_again_when_it_is_back() {
    let mut a = Server::start("a", Does::Answer);
    let b = Server::start("b", Does::Answer);
    let address = a.address;
    let (callers, _set) = callers(&[&a, &b]);
    a.kill();
    // Nothing was sent: even what may not be repeated goes to the other.
    for _ in 0..100 {
        callers.put().await.unwrap();
    }
    assert_eq!(b.calls(), 100);
    drop(a);
    let a = Server::start_at("a", Does::Answer, address, None);
    let begun = Instant::now();
    while a.calls() == 0 {
        callers.put().await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(3), "not seen again");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for _ in 0..100 {
        callers.put().await.unwrap();
    }
    assert!(a.calls() > 20, "closed again: {}", a.calls());
}

#[tokio::test]
async fn key_of_a_single_call_stays_with_the_instance_that_knows_it() {
    let a = Server::start("a", Does::Answer);
    let mut b = Server::start("b", Does::Answer);
    let (callers, set) = callers(&[&a, &b]);
    let keyed = |n: usize| Call {
        key: Some(format!("key-{n}")),
        ..Call::default()
    };
    let mut of_b = Vec::new();
    for n in 0..40 {
        let before = (a.calls(), b.calls());
        for _ in 0..5 {
            callers.call("state.put", &keyed(n)).await.unwrap();
        }
        let taken = (a.calls() - before.0, b.calls() - before.1);
        assert!(matches!(taken, (5, 0) | (0, 5)), "{taken:?}");
        if taken.1 == 5 {
            of_b.push(n);
        }
    }
    assert!((5..36).contains(&of_b.len()), "spread: {}", of_b.len());
    // What b did under its keys only b knows: while it may come back, nobody else
    // takes them. What may be repeated, and what has no key, is not held up.
    b.kill();
    let before = a.calls();
    let failure = failure(callers.call("state.put", &keyed(of_b[0])).await);
    assert_eq!(failure.reason, "ENGINE_UNAVAILABLE");
    assert_eq!(a.calls(), before);
    callers.call("state.get", &keyed(of_b[0])).await.unwrap();
    callers.put().await.unwrap();
    set.send_replace(vec![a.instance()]);
    callers.call("state.put", &keyed(of_b[0])).await.unwrap();
}

#[tokio::test]
async fn call_under_way_is_repeated_only_if_that_is_harmless() {
    for (tool, repeated) in [("state.get", true), ("state.put", false)] {
        let mut a = Server::start("a", Does::Hang);
        let b = Server::start("b", Does::Answer);
        let (callers, set) = callers(&[&a]);
        let caller = callers.clone();
        let call = tokio::spawn(async move {
            let call = Call {
                timeout: Some(Duration::from_secs(20)),
                ..Call::default()
            };
            caller.call(tool, &call).await
        });
        until("a has it", || a.under_way() == 1).await;
        set.send_replace(vec![a.instance(), b.instance()]);
        tokio::time::sleep(Duration::from_millis(300)).await;
        a.kill();
        let result = call.await.unwrap();
        assert_eq!(b.calls(), usize::from(repeated), "{tool}");
        if repeated {
            result.unwrap();
            let timeout = b.seen.timeouts.lock().unwrap()[0].clone();
            let micros: u64 = timeout.strip_suffix('u').unwrap().parse().unwrap();
            assert!(micros < 19_750_000, "what is left, not what was: {timeout}");
        } else {
            let failure = failure(result);
            assert_eq!(failure.reason, "ENGINE_UNAVAILABLE");
            assert_eq!(failure.metadata["phase"], "exchange");
            assert!(!failure.without_effect());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_fails_when_connections_reach_their_age() {
    let any = "127.0.0.1:0".parse().unwrap();
    let a = Server::start_at("a", Does::Answer, any, Some(CONNECTION_AGE));
    // One instance alone: there is nobody else to go to.
    let (callers, _set) = callers(&[&a]);
    let load: Vec<_> = (0..8)
        .map(|_| {
            let callers = callers.clone();
            tokio::spawn(async move {
                let begun = Instant::now();
                while begun.elapsed() < CONNECTION_AGE * 8 {
                    callers.put().await.expect("no call fails");
                }
            })
        })
        .collect();
    for task in load {
        task.await.unwrap();
    }
    assert!(a.calls() > 200);
}

#[tokio::test]
async fn parameters_say_whether_a_call_may_be_repeated() {
    for (method, repeated) in [("GET", true), ("POST", false)] {
        let mut a = Server::start("a", Does::Hang);
        let b = Server::start("b", Does::Answer);
        let set = watch::Sender::new(vec![a.instance()]);
        let connect = Arc::new(|i: &Instance| remote(&i.url));
        let pool = Pool::new("http", set.subscribe(), connect);
        let catalog = catalog();
        pool.learn(&catalog);
        let link = pool.link();
        let call = tokio::spawn(async move {
            let params = json!({"url": "http://x.test", "method": method});
            let tool = catalog.get("http.request").unwrap().tool;
            invoke(&link, tool, params, &Call::default()).await
        });
        until("a has it", || a.under_way() == 1).await;
        set.send_replace(vec![a.instance(), b.instance()]);
        a.kill();
        assert_eq!(call.await.unwrap().is_ok(), repeated, "{method}");
        assert_eq!(b.calls(), usize::from(repeated), "{method}");
    }
}

#[tokio::test]
async fn answer_that_breaks_off_is_asked_for_again() {
    let (a, b) = (
        Server::start("a", Does::BreakOff),
        Server::start("b", Does::Answer),
    );
    let (callers, _set) = callers(&[&a, &b]);
    for _ in 0..20 {
        callers.get().await.unwrap();
    }
    assert_eq!(b.calls(), 20);
    // Three in a row opened its breaker.
    assert!((1..=5).contains(&a.calls()), "{}", a.calls());
}

#[tokio::test]
async fn budget_bounds_what_a_broken_engine_is_asked() {
    const CALLS: usize = 200;
    let (a, b) = (
        Server::start("a", Does::BreakOff),
        Server::start("b", Does::BreakOff),
    );
    let (callers, _set) = callers(&[&a, &b]);
    let begun = Instant::now();
    for _ in 0..CALLS {
        let failure = failure(callers.get().await);
        assert_eq!(failure.reason, "ENGINE_UNAVAILABLE");
    }
    let sent = a.calls() + b.calls();
    // Saved, a fifth of the calls, three a second.
    let earned = 100 + CALLS / 5 + 3 * (begun.elapsed().as_secs() as usize + 1);
    assert!(sent > CALLS + 100, "there were retries: {sent}");
    assert!(
        sent <= CALLS + earned,
        "{sent} sends, {earned} retries earned"
    );
}

#[tokio::test]
async fn pinned_call_goes_to_its_instance_or_nowhere() {
    let (mut a, b) = (
        Server::start("a", Does::Answer),
        Server::start("b", Does::Answer),
    );
    let (callers, set) = callers(&[&a, &b]);
    let to = |id: &str| Call {
        instance: Some(id.to_owned()),
        ..Call::default()
    };
    for _ in 0..20 {
        callers.call("state.put", &to("a")).await.unwrap();
    }
    assert_eq!((a.calls(), b.calls()), (20, 0));
    assert_eq!(callers.pool.pick(&to("a")).as_deref(), Some("a"));

    a.kill();
    let dead = failure(callers.call("state.get", &to("a")).await);
    set.send_replace(vec![b.instance()]);
    let gone = failure(callers.call("state.get", &to("a")).await);
    for failure in [dead, gone] {
        assert_eq!(failure.reason, "ENGINE_UNAVAILABLE");
        assert_eq!(failure.metadata["instance"], "a");
        assert!(failure.without_effect(), "{failure:?}");
    }
    assert_eq!(b.calls(), 0);
    assert_eq!(callers.pool.pick(&to("a")), None);
    assert_eq!(callers.pool.pick(&Call::default()).as_deref(), Some("b"));
}

#[tokio::test]
async fn engine_without_instance_is_unavailable_at_once() {
    let (callers, set) = callers(&[]);
    let begun = Instant::now();
    let nobody = failure(callers.get().await);
    assert!(begun.elapsed() < Duration::from_millis(500));
    assert_eq!(nobody.reason, "ENGINE_UNAVAILABLE");
    assert!(nobody.retryable && nobody.without_effect());
    assert!(nobody.message.contains("no instance"), "{}", nobody.message);
    let a = Server::start("a", Does::Answer);
    set.send_replace(vec![a.instance()]);
    callers.get().await.unwrap();
}

#[tokio::test]
async fn calls_of_a_run_keep_together_where_the_engine_says_so() {
    let servers = ["a", "b", "c"].map(|id| Server::start(id, Does::Answer));
    let all: Vec<_> = servers.iter().map(Server::instance).collect();
    let catalog = catalog();
    let pool = |set: &Set| {
        let connect = Arc::new(|i: &Instance| remote(&i.url));
        let pool = Pool::new("browser", set.subscribe(), connect);
        pool.learn(&catalog);
        pool
    };
    let set = watch::Sender::new(all.clone());
    // Two processes come to the same answer.
    let (one, other) = (pool(&set), pool(&set));
    let of = |pool: &Pool, run: usize| {
        pool.pick(&Call {
            run: Some(format!("run_{run}")),
            ..Call::default()
        })
        .unwrap()
    };
    let before: Vec<_> = (0..60).map(|run| of(&one, run)).collect();
    for (run, id) in before.iter().enumerate() {
        assert_eq!(of(&one, run), *id);
        assert_eq!(of(&other, run), *id);
    }
    for id in ["a", "b", "c"] {
        assert!(before.iter().filter(|b| *b == id).count() > 8, "{before:?}");
    }
    set.send_replace(all[..2].to_vec());
    for (run, id) in before.iter().enumerate() {
        if id != "c" {
            assert_eq!(of(&one, run), *id, "only c's runs move");
        }
    }
}

#[tokio::test]
async fn call_that_is_given_up_ends_at_the_engine() {
    let a = Server::start("a", Does::Hang);
    let (callers, _set) = callers(&[&a]);
    let caller = callers.clone();
    let call = tokio::spawn(async move { caller.put().await });
    until("a has it", || a.under_way() == 1).await;
    assert!(!a.seen.dropped.load(Ordering::SeqCst));
    call.abort();
    until("its handler is dropped", || {
        a.seen.dropped.load(Ordering::SeqCst)
    })
    .await;
    assert_eq!(a.under_way(), 0);
}

#[tokio::test]
async fn deadline_ends_the_call_without_another_try() {
    let (a, b) = (
        Server::start("a", Does::Hang),
        Server::start("b", Does::Hang),
    );
    let (callers, _set) = callers(&[&a, &b]);
    let call = Call {
        timeout: Some(Duration::from_millis(200)),
        ..Call::default()
    };
    let begun = Instant::now();
    let failure = failure(callers.call("state.get", &call).await);
    assert_eq!(failure.reason, "TIMEOUT");
    assert!(begun.elapsed() < Duration::from_secs(2));
    assert_eq!(a.calls() + b.calls(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_fails_while_an_instance_drains() {
    let mut a = Server::start("a", Does::Answer);
    let b = Server::start("b", Does::Answer);
    let (callers, set) = callers(&[&a, &b]);
    let stop = Arc::new(AtomicBool::new(false));
    let load: Vec<_> = (0..8)
        .map(|_| {
            let (callers, stop) = (callers.clone(), stop.clone());
            tokio::spawn(async move {
                let mut calls = 0;
                while !stop.load(Ordering::SeqCst) {
                    callers.put().await.expect("no call fails");
                    calls += 1;
                }
                calls
            })
        })
        .collect();
    until("a works", || a.calls() > 200).await;
    // The caller has not heard of it yet.
    a.drain();
    let before = b.calls();
    until("b has all", || b.calls() > before + 500).await;
    set.send_replace(vec![b.instance()]);
    tokio::time::sleep(Duration::from_millis(200)).await;
    stop.store(true, Ordering::SeqCst);
    let mut calls = 0;
    for task in load {
        calls += task.await.unwrap();
    }
    println!("{calls} calls, {} at a, {} at b", a.calls(), b.calls());
}
