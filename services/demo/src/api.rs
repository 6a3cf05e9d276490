//! What the JSON APIs answer. Nothing depends on time, chance or the port:
//! files made of it have the same digest every time.

use serde::Serialize;
use serde_json::{Value, json};

/// An article that the three sources report on.
#[derive(Debug)]
pub(crate) struct Article {
    pub(crate) slug: &'static str,
    pub(crate) title: &'static str,
    pub(crate) published: &'static str,
    pub(crate) score: u32,
    /// The sources that have it.
    sources: &'static [Source],
}

/// A search API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Alpha,
    Beta,
    Gamma,
}

use Source::{Alpha, Beta, Gamma};

/// Several sources share some articles, so that merging by URL has something to do.
pub(crate) const ARTICLES: &[Article] = &[
    article(
        "rust-in-the-kernel",
        "Rust in the kernel, a year later",
        "2026-03-02T08:15:00Z",
        91,
        &[Alpha, Beta],
    ),
    article(
        "async-traits",
        "Async traits in Rust without boxes",
        "2026-02-17T10:00:00Z",
        74,
        &[Alpha],
    ),
    article(
        "borrow-checker",
        "How the Rust borrow checker thinks",
        "2026-01-29T16:45:00Z",
        88,
        &[Alpha, Gamma],
    ),
    article(
        "grpc-in-rust",
        "gRPC services in Rust",
        "2026-03-11T07:30:00Z",
        67,
        &[Alpha, Beta, Gamma],
    ),
    article(
        "compile-times",
        "Where Rust compile times go",
        "2026-02-03T12:20:00Z",
        59,
        &[Alpha],
    ),
    article(
        "sqlite-internals",
        "SQLite from the inside",
        "2026-02-21T09:05:00Z",
        83,
        &[Alpha, Gamma],
    ),
    article(
        "embedded-rust",
        "Embedded Rust on eight kilobytes",
        "2026-01-12T18:10:00Z",
        71,
        &[Beta],
    ),
    article(
        "unsafe-review",
        "Reviewing unsafe Rust",
        "2026-03-05T11:55:00Z",
        77,
        &[Beta],
    ),
    article(
        "error-handling",
        "Errors in Rust that help the reader",
        "2026-02-09T14:40:00Z",
        64,
        &[Beta, Gamma],
    ),
    article(
        "write-ahead-logs",
        "Write-ahead logs, explained",
        "2026-01-20T06:50:00Z",
        80,
        &[Beta],
    ),
    article(
        "zero-copy",
        "Zero-copy parsing in Rust",
        "2026-03-08T13:25:00Z",
        69,
        &[Gamma],
    ),
    article(
        "time-zones",
        "Time zones are harder than you think",
        "2026-02-26T15:35:00Z",
        86,
        &[Gamma],
    ),
    article(
        "macro-hygiene",
        "Hygiene in Rust macros",
        "2026-01-17T19:00:00Z",
        52,
        &[Gamma],
    ),
];

const fn article(
    slug: &'static str,
    title: &'static str,
    published: &'static str,
    score: u32,
    sources: &'static [Source],
) -> Article {
    Article {
        slug,
        title,
        published,
        score,
        sources,
    }
}

#[derive(Debug, Serialize)]
struct Item {
    url: String,
    title: &'static str,
    published: &'static str,
    score: u32,
    source: &'static str,
}

impl Source {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Alpha => "alpha",
            Beta => "beta",
            Gamma => "gamma",
        }
    }
}

/// The articles of a source whose title holds a text, in the source's order.
pub(crate) fn search(source: Source, query: &str) -> Value {
    let wanted = query.to_lowercase();
    let items: Vec<Item> = ARTICLES
        .iter()
        .filter(|a| a.sources.contains(&source) && a.title.to_lowercase().contains(&wanted))
        .map(|a| Item {
            url: format!("https://articles.example.test/{}", a.slug),
            title: a.title,
            published: a.published,
            score: a.score,
            source: source.name(),
        })
        .collect();
    json!({"source": source.name(), "query": query, "count": items.len(), "items": items})
}

/// Five quotes.
pub(crate) fn quotes() -> Value {
    let quotes = [
        (
            "A gear turns only because its neighbour does.",
            "the miller",
        ),
        ("Measure the spring before you wind it.", "the clockmaker"),
        (
            "Write it down once, and let others read it.",
            "the archivist",
        ),
        (
            "What fails twice wants to be looked at, not tried again.",
            "the ferrywoman",
        ),
        (
            "The shortest path is the one you can walk in the dark.",
            "the lamplighter",
        ),
    ];
    let items: Vec<Value> = quotes
        .iter()
        .enumerate()
        .map(|(i, (text, author))| json!({"id": i + 1, "text": text, "author": author}))
        .collect();
    json!({"count": items.len(), "items": items})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(source: Source, query: &str) -> Vec<String> {
        let found = search(source, query);
        let items = found["items"].as_array().unwrap();
        assert_eq!(found["count"], items.len());
        items
            .iter()
            .map(|i| i["url"].as_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn sources_share_some_articles_and_have_some_alone() {
        let all: Vec<String> = [Alpha, Beta, Gamma]
            .into_iter()
            .flat_map(|s| urls(s, ""))
            .collect();
        let mut unique = all.clone();
        unique.sort();
        unique.dedup();
        assert_eq!(unique.len(), ARTICLES.len());
        assert!(all.len() > unique.len());
    }

    #[test]
    fn query_filters_titles_whatever_the_case() {
        let found = urls(Alpha, "RUST");
        assert_eq!(found, urls(Alpha, "rust"));
        assert!(!found.is_empty() && found.len() < urls(Alpha, "").len());
        assert_eq!(urls(Beta, "no such title"), Vec::<String>::new());
    }

    #[test]
    fn dates_are_rfc_3339_and_slugs_are_unique() {
        let mut slugs: Vec<_> = ARTICLES.iter().map(|a| a.slug).collect();
        slugs.sort_unstable();
        slugs.dedup();
        assert_eq!(slugs.len(), ARTICLES.len());
        for article in ARTICLES {
            assert!(
                article.published.parse::<jiff::Timestamp>().is_ok(),
                "{}",
                article.slug
            );
        }
    }
}
