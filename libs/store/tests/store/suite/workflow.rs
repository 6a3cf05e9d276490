//! The workflows.

use bytes::Bytes;
use gearmesh_store::limits::TEXT_MAX;
use gearmesh_store::workflow::{
    Change, Changed, Head, List, PAGE_BYTES, Page, SOURCE_MAX, State, Version, Workflows,
};
use gearmesh_store::{Call, Error};

use super::{Place, open};

fn version(name: &str, version: u32) -> Version {
    Version {
        name: name.into(),
        version,
        spec_hash: [7; 32],
        source: format!("name: {name}"),
        file_name: "f.workflow.yaml".into(),
        dialect: "native".into(),
        title: "A title".into(),
        author: "ada".into(),
        comment: "first".into(),
        words: format!("{name} a title"),
        summary: Bytes::from_static(b"{}"),
        sketch: Bytes::from_static(b"abcd"),
        created_at_ms: 1_000,
    }
}

fn head(name: &str, newest: u32, state: State, etag: &str) -> Head {
    Head {
        name: name.into(),
        newest,
        state,
        etag: etag.into(),
        changed_at_ms: 1_000,
    }
}

fn page<const N: usize>(entries: [Version; N], more: bool) -> Page<Version> {
    Page {
        entries: entries.into(),
        more,
    }
}

/// A creation, with etag `1`.
pub(crate) fn first(name: &str) -> Change {
    Change {
        before: None,
        head: head(name, 1, State::Enabled, "1"),
        version: Some(version(name, 1)),
    }
}

async fn change(workflows: &Workflows, before: &str, head: Head) -> Changed {
    let change = Change {
        before: Some(before.into()),
        head,
        version: None,
    };
    workflows.change(&change, None).await.unwrap()
}

async fn names(workflows: &Workflows, filter: List) -> Vec<String> {
    let listed = workflows.list(&filter).await.unwrap();
    let entries = listed.entries.into_iter();
    entries.map(|(head, _)| head.name).collect()
}

pub(crate) async fn version_is_read_back_and_never_changes(store: Place) {
    let workflows = open(&store).await.workflows();
    let create = first("a");
    assert_eq!(
        workflows.change(&create, None).await.unwrap(),
        Changed::Done
    );
    assert_eq!(
        workflows.head("a").await.unwrap(),
        Some(create.head.clone())
    );
    assert_eq!(
        workflows.version("a", 1).await.unwrap(),
        Some(version("a", 1))
    );
    assert_eq!(workflows.version("a", 2).await.unwrap(), None);
    assert_eq!(workflows.head("b").await.unwrap(), None);
    assert_eq!(
        workflows.change(&create, None).await.unwrap(),
        Changed::Stale
    );
    let again = Change {
        before: Some("1".into()),
        ..first("a")
    };
    let refused = workflows.change(&again, None).await;
    assert!(matches!(refused, Err(Error::Sql(_))), "{refused:?}");
}

pub(crate) async fn only_one_of_two_changes_of_a_head_counts(store: Place) {
    let workflows = open(&store).await.workflows();
    workflows.change(&first("a"), None).await.unwrap();
    let second = Change {
        before: Some("1".into()),
        head: head("a", 2, State::Enabled, "2"),
        version: Some(version("a", 2)),
    };
    assert_eq!(
        workflows.change(&second, None).await.unwrap(),
        Changed::Done
    );
    let other = head("a", 2, State::Disabled, "other");
    assert_eq!(change(&workflows, "1", other.clone()).await, Changed::Stale);
    assert_eq!(workflows.head("a").await.unwrap(), Some(second.head));
    assert_eq!(change(&workflows, "2", other.clone()).await, Changed::Done);
    assert_eq!(workflows.head("a").await.unwrap(), Some(other));
    let listed = workflows.versions("a", None, 9).await.unwrap();
    let bare = |n| Version {
        source: String::new(),
        ..version("a", n)
    };
    assert_eq!(listed, page([bare(2), bare(1)], false));
    for (before, limit, expected) in [
        (None, 2, page([bare(2), bare(1)], false)),
        (None, 1, page([bare(2)], true)),
        (Some(2), 1, page([bare(1)], false)),
        (Some(1), 1, page([], false)),
    ] {
        let found = workflows.versions("a", before, limit).await.unwrap();
        assert_eq!(found, expected, "{before:?} {limit}");
    }
}

pub(crate) async fn list_is_by_name_by_filter_and_page(store: Place) {
    let workflows = open(&store).await.workflows();
    for name in ["c", "a", "d", "b"] {
        workflows.change(&first(name), None).await.unwrap();
    }
    change(&workflows, "1", head("b", 1, State::Disabled, "2")).await;
    change(&workflows, "1", head("d", 1, State::Deleted, "2")).await;
    let all = List::default;
    assert_eq!(names(&workflows, all()).await, ["a", "b", "c"]);
    for (state, expected) in [
        (State::Enabled, ["a", "c"].as_slice()),
        (State::Disabled, &["b"]),
        (State::Deleted, &["d"]),
    ] {
        let filter = List {
            state: Some(state),
            ..all()
        };
        assert_eq!(names(&workflows, filter).await, expected);
    }
    let behind = List {
        after: Some("a".into()),
        limit: 1,
        ..all()
    };
    assert_eq!(names(&workflows, behind.clone()).await, ["b"]);
    assert!(workflows.list(&behind).await.unwrap().more);
    let last = List {
        after: Some("b".into()),
        ..behind
    };
    assert_eq!(names(&workflows, last.clone()).await, ["c"]);
    assert!(!workflows.list(&last).await.unwrap().more);
    let of_words = |words: &str| List {
        words: Some(words.into()),
        ..all()
    };
    assert_eq!(names(&workflows, of_words("b a ti")).await, ["b"]);
    // A search is for a text, not for a pattern.
    assert_eq!(names(&workflows, of_words("%")).await, [] as [&str; 0]);
    assert_eq!(workflows.names().await.unwrap(), ["a", "b", "c"]);
    let sketches = workflows.sketches().await.unwrap();
    let named: Vec<_> = sketches.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(named, ["a", "b", "c"]);
    assert_eq!(sketches[0].1, Bytes::from_static(b"abcd"));
}

pub(crate) async fn same_call_has_the_first_answer(store: Place) {
    let workflows = open(&store).await.workflows();
    let call = |hash| Call {
        owner: "orchestrator".into(),
        tool: "orchestrator.create_workflow".into(),
        key: "k".into(),
        run: String::new(),
        task: String::new(),
        item: 0,
        pass: 0,
        epoch: 0,
        attempt: 0,
        hash: [hash; 32],
    };
    let reply = Bytes::from_static(b"reply");
    let create = first("a");
    let first = workflows
        .change(&create, Some((&call(1), reply.clone())))
        .await;
    assert_eq!(first.unwrap(), Changed::Done);
    let again = workflows
        .change(&create, Some((&call(1), Bytes::new())))
        .await;
    assert_eq!(again.unwrap(), Changed::Answered(reply.clone()));
    let other = workflows
        .change(&create, Some((&call(2), Bytes::new())))
        .await;
    let refused = other;
    assert!(matches!(refused, Err(Error::KeyReused(_))), "{refused:?}");
    // A change that is refused leaves no key behind.
    let keyed = Call {
        key: "l".into(),
        ..call(3)
    };
    for _ in 0..2 {
        let stale = workflows.change(&create, Some((&keyed, reply.clone())));
        assert_eq!(stale.await.unwrap(), Changed::Stale);
    }
}

pub(crate) async fn deleted_workflows_are_purged_in_time(store: Place) {
    let workflows = open(&store).await.workflows();
    for (name, state, changed_at_ms) in [
        ("a", State::Deleted, 100),
        ("b", State::Deleted, 200),
        ("c", State::Disabled, 100),
        ("d", State::Deleted, 100),
    ] {
        workflows.change(&first(name), None).await.unwrap();
        let head = Head {
            changed_at_ms,
            ..head(name, 1, state, "2")
        };
        change(&workflows, "1", head).await;
    }
    assert_eq!(workflows.purge(200, 1).await.unwrap(), 1);
    assert_eq!(workflows.purge(200, 9).await.unwrap(), 1);
    assert_eq!(workflows.purge(200, 9).await.unwrap(), 0);
    for (name, there) in [("a", false), ("b", true), ("c", true), ("d", false)] {
        let head = workflows.head(name).await.unwrap();
        let version = workflows.version(name, 1).await.unwrap();
        assert_eq!(
            (head.is_some(), version.is_some()),
            (there, there),
            "{name}"
        );
    }
}

pub(crate) async fn sizes_are_bounded(store: Place) {
    let workflows = open(&store).await.workflows();
    let mut largest = first("a");
    largest.version.as_mut().unwrap().source = "x".repeat(SOURCE_MAX);
    assert_eq!(
        workflows.change(&largest, None).await.unwrap(),
        Changed::Done
    );
    let mut large = first("b");
    large.version.as_mut().unwrap().source = "x".repeat(SOURCE_MAX + 1);
    let mut wide = first("b");
    wide.version.as_mut().unwrap().author = "x".repeat(TEXT_MAX + 1);
    for change in [large, wide] {
        let refused = workflows.change(&change, None).await;
        assert!(
            matches!(refused, Err(Error::TooLarge { .. })),
            "{refused:?}"
        );
    }
    assert_eq!(workflows.head("b").await.unwrap(), None);
}

pub(crate) async fn page_ends_before_it_is_too_large(store: Place) {
    let workflows = open(&store).await.workflows();
    for name in ["a", "b", "c"] {
        let mut large = first(name);
        let version = large.version.as_mut().unwrap();
        let (title, comment, words) = (
            version.title.len(),
            version.comment.len(),
            version.words.len(),
        );
        // Two are exactly a page.
        version.summary = Bytes::from(vec![b'x'; PAGE_BYTES / 2 - title - comment - words]);
        workflows.change(&large, None).await.unwrap();
    }
    let all = workflows.list(&List::default()).await.unwrap();
    assert_eq!((all.entries.len(), all.more), (2, true));
    let mut larger = first("d");
    larger.version.as_mut().unwrap().summary = Bytes::from(vec![b'x'; PAGE_BYTES + 1]);
    workflows.change(&larger, None).await.unwrap();
    let behind = List {
        after: Some("c".into()),
        ..List::default()
    };
    // One alone is shown however large it is.
    assert_eq!(names(&workflows, behind).await, ["d"]);
}

pub(crate) async fn nul_is_refused(store: Place) {
    let workflows = open(&store).await.workflows();
    let mut title = first("a");
    title.version.as_mut().unwrap().title = "a\0".into();
    for bad in [title, first("\0")] {
        let refused = workflows.change(&bad, None).await;
        assert!(matches!(refused, Err(Error::Nul(_))), "{refused:?}");
    }
    assert_eq!(workflows.head("a").await.unwrap(), None);
}
