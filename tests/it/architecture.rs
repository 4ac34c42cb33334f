//! The rules of who may use whom, held against the source.

use std::fs;
use std::path::{Path, PathBuf};

/// For each module of the crate: the modules that it may name. What is not listed is a breach.
const MAY_USE: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("features", &["domain"]),
    ("model", &["domain"]),
    ("data", &["domain", "model"]),
    ("policy", &["domain", "features", "model"]),
    ("settings", &["domain"]),
    ("observe", &["domain"]),
    ("admission", &["observe"]),
    ("sources", &["domain", "observe", "settings"]),
    ("store", &["domain", "observe", "settings"]),
    ("decide", &["domain", "features", "model", "policy", "sources", "store", "observe"]),
    ("outbox", &["domain", "observe", "settings", "store"]),
    ("batch", &["admission", "domain", "data", "decide", "store", "observe"]),
    ("sandbox", &["domain"]),
    ("http", &["admission", "domain", "features", "decide", "batch", "store", "outbox", "observe"]),
    (
        "app",
        &[
            "admission",
            "domain",
            "features",
            "model",
            "policy",
            "settings",
            "observe",
            "sources",
            "store",
            "outbox",
            "decide",
            "batch",
            "http",
        ],
    ),
    (
        "cli",
        &[
            "domain", "data", "features", "model", "policy", "settings", "observe", "sources", "store", "outbox",
            "decide", "batch", "sandbox", "app",
        ],
    ),
];

/// For each crate with one owner: the files that may name it.
const OWNERS: &[(&str, &[&str])] = &[
    ("actix_web", &["app.rs", "app/", "http.rs", "http/", "sandbox/departments.rs", "sandbox/departments/"]),
    ("sqlx", &["store.rs", "store/"]),
    ("rusqlite", &["store/direct.rs", "store/write_ahead.rs"]),
    // The demo acts as a bank: it is a client of the API, not a connector.
    ("reqwest", &["sources/client.rs", "outbox/client.rs", "cli/demo.rs"]),
    // Signatures: of webhooks' messages, and of checkpoints of the audit chain.
    ("aws_lc_rs", &["outbox/secret.rs", "store/audit/checkpoint.rs"]),
    ("linfa", &["model/fit.rs"]),
    ("linfa_logistic", &["model/fit.rs"]),
    ("prometheus", &["observe.rs"]),
    ("anyhow", &["main.rs"]),
    ("hyper", &["sources/client.rs"]),
    ("quick_xml", &["model/export/pmml/xml.rs"]),
];

/// What pure modules never name: no runtime, no network, no database, no clock, no chance that a seed does not fix.
const IMPURE: &[&str] = &[
    "tokio",
    "actix_web",
    "sqlx",
    "rusqlite",
    "reqwest",
    "prometheus",
    "Timestamp::now",
    "Zoned::now",
    "SystemTime",
    "Instant::now",
    "thread_rng",
    "from_entropy",
    "now_v7",
    "new_v4",
    "std::net",
    "std::env",
];
const PURE: &[&str] = &["domain", "features", "model", "policy"];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// Every source file: its path below `src`, and its code without comments.
fn sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    files(&source(), &mut found);
    assert!(found.len() > 40, "the source was not found");
    let code = |path: &Path| {
        let text = fs::read_to_string(path).unwrap();
        let lines = text.lines().map(|line| line.split("//").next().unwrap_or(line));
        lines.collect::<Vec<_>>().join("\n")
    };
    found.iter().map(|p| (p.strip_prefix(source()).unwrap().to_string_lossy().into_owned(), code(p))).collect()
}

fn module_of(file: &str) -> &str {
    file.split(['/', '.']).next().unwrap()
}

/// Names that follow `crate::`, also in grouped imports.
fn modules_named(code: &str) -> Vec<String> {
    let mut named = Vec::new();
    for rest in code.split("crate::").skip(1) {
        if let Some(group) = rest.strip_prefix('{') {
            let (mut depth, mut word) = (0, String::new());
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    c if depth == 0 && (c.is_alphanumeric() || c == '_') => word.push(c),
                    ',' if depth == 0 => named.push(std::mem::take(&mut word)),
                    ':' if depth == 0 && !word.is_empty() => named.push(std::mem::take(&mut word)),
                    _ => {}
                }
            }
        } else {
            named.push(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    named
}

#[test]
fn modules_use_only_those_that_the_architecture_allows() {
    let known: Vec<&str> = MAY_USE.iter().map(|(module, _)| *module).collect();
    let mut breaches = Vec::new();
    for (file, code) in sources() {
        let module = module_of(&file);
        if matches!(module, "main" | "lib") {
            continue;
        }
        let (_, allowed) = MAY_USE.iter().find(|(m, _)| *m == module).unwrap_or_else(|| panic!("{module} has no rule"));
        for named in modules_named(&code) {
            if known.contains(&named.as_str()) && named != module && !allowed.contains(&named.as_str()) {
                breaches.push(format!("{file} uses {named}"));
            }
        }
    }
    assert!(breaches.is_empty(), "{breaches:#?}");
}

#[test]
fn crates_with_an_owner_are_named_by_it_alone() {
    let mut breaches = Vec::new();
    for (file, code) in sources() {
        for (name, owners) in OWNERS {
            let owned = owners.iter().any(|owner| file == *owner || (owner.ends_with('/') && file.starts_with(owner)));
            if !owned && code.contains(&format!("{name}::")) {
                breaches.push(format!("{file} names {name}"));
            }
        }
    }
    assert!(breaches.is_empty(), "{breaches:#?}");
}

#[test]
fn the_pure_core_knows_no_clock_no_network_and_no_database() {
    let mut breaches = Vec::new();
    for (file, code) in sources() {
        if PURE.contains(&module_of(&file)) {
            breaches
                .extend(IMPURE.iter().filter(|word| code.contains(**word)).map(|word| format!("{file} names {word}")));
        }
    }
    assert!(breaches.is_empty(), "{breaches:#?}");
}

#[test]
fn the_spine_stays_short_and_no_file_grows_past_reading() {
    let lines = |file: &str| fs::read_to_string(source().join(file)).unwrap().lines().count();
    assert!(lines("decide.rs") < 150, "decide.rs has {} lines", lines("decide.rs"));
    for (file, _) in sources() {
        assert!(
            lines(&file) <= 500,
            "{file} has {} lines: would two rooms with two names be easier to live in?",
            lines(&file)
        );
    }
}

#[test]
fn a_breach_would_be_seen() {
    let code = "use crate::{domain::Fen, store::{Store, StoreError}};\nlet x = crate::http::words::notice();";
    assert_eq!(modules_named(code), ["domain", "Fen", "store", "http"]);
}
