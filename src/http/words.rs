//! Every text that a person reads, in zh-CN and English, from one Fluent file per language.
//!
//! A key names a message (`queue-title`) or an attribute of one (`refer-CODE_SUSPECT.action`). The two files hold the
//! same keys with the same variables; tests below hold them to it, and to every key that templates and code ask for.

pub mod figures;

use std::sync::LazyLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource};
use unic_langid::LanguageIdentifier;

pub use fluent_bundle::FluentValue as Value;

use crate::domain::decision::ReferReason;
use crate::domain::{Language, SourceKind};

const ZH_CN: &str = include_str!("words/zh-CN.ftl");
const EN: &str = include_str!("words/en.ftl");

/// Variables of the texts of refer reasons; one that a reason does not carry is written as a dash.
const REFER_VARIABLES: [&str; 19] = [
    "parts",
    "source",
    "as_of",
    "score",
    "low",
    "high",
    "status",
    "tax_heads",
    "insured_heads",
    "limit",
    "maximum",
    "minimum",
    "amount",
    "grade",
    "first",
    "first_figure",
    "second",
    "second_figure",
    "days_max",
];

/// Figures of refer reasons that are amounts of money.
const MONEY_FIGURES: [&str; 4] = ["limit", "maximum", "minimum", "amount"];

/// The codes of refer reasons that have texts of their own.
pub const REFER_CODES: [&str; 15] = [
    "EVIDENCE_MISSING",
    "EVIDENCE_STALE",
    "EVIDENCE_INCOMPLETE",
    "SCORE_INTERVAL_CROSSES_CUTOFF",
    "FACTS_CONTRADICT",
    "HEADS_CONTRADICT",
    "REVENUE_CONTRADICT",
    "TREND_CONTRADICT",
    "RECHECK_BEFORE_DECLINE",
    "CODE_SUSPECT",
    "OVER_AUTOMATIC_LIMIT",
    "GRADE_NEEDS_REVIEW",
    "KNOCK_OUT_UNCHECKED",
    "LIMIT_UNDER_MINIMUM",
    "REVENUE_UNKNOWN",
];

/// The codes of knock-outs that have texts of their own.
pub const KNOCK_OUT_CODES: [&str; 3] = ["ENFORCEMENT_OPEN", "TAXPAYER_ABNORMAL", "TAXPAYER_DEREGISTERED"];

static BUNDLES: LazyLock<[FluentBundle<FluentResource>; 2]> =
    LazyLock::new(|| [bundle(Language::ZhCn, ZH_CN), bundle(Language::En, EN)]);

/// The files are compiled in and tested; should one be broken all the same, what can be read of it is used.
fn bundle(language: Language, source: &str) -> FluentBundle<FluentResource> {
    let language: LanguageIdentifier = language.tag().parse().unwrap_or_default();
    let mut bundle = FluentBundle::new_concurrent(vec![language]);
    bundle.set_use_isolating(false);
    let resource = FluentResource::try_new(source.to_owned()).unwrap_or_else(|(resource, _)| resource);
    bundle.add_resource_overriding(resource);
    bundle
}

fn find(language: Language, key: &str, args: &[(&str, Value<'_>)]) -> Option<String> {
    let bundle = match language {
        Language::ZhCn => &BUNDLES[0],
        Language::En => &BUNDLES[1],
    };
    let (id, attribute) = key.split_once('.').map_or((key, None), |(id, attribute)| (id, Some(attribute)));
    let message = bundle.get_message(id)?;
    let pattern = match attribute {
        Some(attribute) => message.get_attribute(attribute)?.value(),
        None => message.value()?,
    };
    let args: Option<FluentArgs<'_>> =
        (!args.is_empty()).then(|| args.iter().map(|(name, value)| (*name, value.clone())).collect());
    let mut errors = Vec::new();
    let text = bundle.format_pattern(pattern, args.as_ref(), &mut errors).into_owned();
    if !errors.is_empty() {
        tracing::warn!(key, ?errors, "a text lacks a variable");
    }
    Some(text)
}

/// The text of `key` in `language`, with `args` for its variables; the key itself where there is no such text.
///
/// Numbers given as numbers choose plural forms; amounts, dates and codes are given as text, already written out.
pub fn text(language: Language, key: &str, args: &[(&str, Value<'_>)]) -> String {
    find(language, key, args).unwrap_or_else(|| {
        tracing::warn!(key, "a text is missing");
        key.to_owned()
    })
}

/// Whether there is a text for `key`.
pub fn has(key: &str) -> bool {
    find(Language::ZhCn, key, &[]).is_some()
}

/// Texts in one language; what templates hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words(pub Language);

impl Words {
    /// The text of `key`.
    pub fn t(&self, key: &str) -> String {
        text(self.0, key, &[])
    }

    /// The text of `key` with `args` for its variables.
    pub fn with(&self, key: &str, args: &[(&str, Value<'_>)]) -> String {
        text(self.0, key, args)
    }

    /// The BCP 47 tag of the language.
    pub fn tag(&self) -> &'static str {
        self.0.tag()
    }

    /// The other language.
    pub fn other(&self) -> Language {
        match self.0 {
            Language::ZhCn => Language::En,
            Language::En => Language::ZhCn,
        }
    }
}

/// Why a firm is referred, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferText {
    /// A few words, for lists and badges.
    pub title: String,
    /// What was found, with its figures.
    pub explanation: String,
    /// What the officer should do about it.
    pub action: String,
}

/// The texts of a refer reason. Figures named `limit`, `maximum`, `minimum` and `amount` are money: whole numbers are fen, numbers
/// with a decimal point are yuan. A code without texts of its own gets a general text that names it.
pub fn refer_reason(language: Language, reason: &ReferReason) -> ReferText {
    let mut args: Vec<(&str, Value<'_>)> = Vec::with_capacity(REFER_VARIABLES.len() + 1);
    for name in REFER_VARIABLES {
        let written = match (name, reason.source, reason.figures.get(name)) {
            ("source", Some(source), _) => source_name(language, source),
            ("status", _, Some(status)) => text(language, &format!("evidence-status-{status}"), &[]),
            ("first_figure" | "second_figure", _, Some(figure)) => {
                let (key, source) = (format!("figure-{figure}"), reason.figures.get(&name.replace("figure", "source")));
                let source = source.map(|source| text(language, &format!("source-{source}"), &[])).unwrap_or_default();
                text(language, &key, &[("source", source.into())])
            }
            ("first" | "second", _, Some(name))
                if reason.code == "FACTS_CONTRADICT"
                    && reason.figures.get("first_figure").is_some_and(|part| part == "status") =>
            {
                text(language, &format!("taxpayer-{name}"), &[])
            }
            ("first" | "second", _, Some(figure)) if reason.code == "REVENUE_CONTRADICT" => {
                figures::money_text(figure, language)
            }
            (_, _, Some(figure)) if MONEY_FIGURES.contains(&name) => figures::money_text(figure, language),
            (_, _, Some(figure)) => figure.clone(),
            (_, _, None) => "—".to_owned(),
        };
        args.push((name, written.into()));
    }
    args.push(("code", reason.code.as_str().into()));
    let key = format!("refer-{}", if has_refer_text(&reason.code) { &reason.code } else { "other" });
    ReferText {
        title: text(language, &key, &args),
        explanation: text(language, &format!("{key}.explanation"), &args),
        action: text(language, &format!("{key}.action"), &args),
    }
}

fn has_refer_text(code: &str) -> bool {
    REFER_CODES.contains(&code)
}

/// The title of a refer code, for lists where the figures are not at hand.
pub fn refer_title(language: Language, code: &str) -> String {
    match has_refer_text(code) {
        true => text(language, &format!("refer-{code}"), &[]),
        false => text(language, "refer-other", &[("code", code.into())]),
    }
}

/// The title and the explanation of a knock-out; `None` where the code is none of [`KNOCK_OUT_CODES`].
pub fn knock_out(language: Language, code: &str) -> Option<(String, String)> {
    KNOCK_OUT_CODES.contains(&code).then(|| {
        let key = format!("knock-out-{code}");
        (text(language, &key, &[]), text(language, &format!("{key}.explanation"), &[]))
    })
}

/// The name of a source.
pub fn source_name(language: Language, source: SourceKind) -> String {
    text(language, &format!("source-{source}"), &[])
}

/// The notice that goes with every answer: a decision aid, not a credit-bureau report; the bank decides.
pub fn notice(language: Language) -> String {
    text(language, "notice", &[])
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::Path;

    use super::*;

    /// Keys (with those of attributes) and the variables of each, read from the file line by line.
    fn catalogue(source: &str) -> BTreeMap<String, BTreeSet<String>> {
        let mut keys: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let (mut message, mut key) = (String::new(), String::new());
        for line in source.lines().filter(|l| !l.starts_with('#') && !l.trim().is_empty()) {
            let name = |text: &str| text.split_once('=').map(|(name, _)| name.trim().to_owned());
            if line.starts_with(|c: char| c.is_ascii_alphabetic()) {
                message = name(line).unwrap_or_else(|| panic!("not a message: {line}"));
                key.clone_from(&message);
                assert!(keys.insert(key.clone(), BTreeSet::new()).is_none(), "{key} stands twice");
            } else if let Some(attribute) = line.trim().strip_prefix('.') {
                key = format!("{message}.{}", name(attribute).unwrap());
                assert!(keys.insert(key.clone(), BTreeSet::new()).is_none(), "{key} stands twice");
            }
            let variables = line
                .split('$')
                .skip(1)
                .map(|rest| rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>());
            keys.get_mut(&key).unwrap().extend(variables);
        }
        keys
    }

    /// The string literals that follow `call` in `source`.
    fn literals<'a>(source: &'a str, call: &str) -> Vec<&'a str> {
        source.split(call).skip(1).filter_map(|rest| rest.split('"').next()).collect()
    }

    fn files(folder: &str, extension: &str) -> Vec<String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let mut sources = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e == extension) {
                sources.push(std::fs::read_to_string(path).unwrap());
            }
        }
        assert!(!sources.is_empty());
        sources
    }

    #[test]
    fn both_files_are_whole_and_have_the_same_keys_with_the_same_variables() {
        for source in [ZH_CN, EN] {
            let errors = FluentResource::try_new(source.to_owned()).map_err(|(_, errors)| errors);
            assert!(errors.is_ok(), "{:?}", errors.err());
        }
        assert_eq!(catalogue(ZH_CN), catalogue(EN));
    }

    #[test]
    fn every_key_that_templates_and_code_ask_for_is_there() {
        let keys = catalogue(ZH_CN);
        let mut asked = 0;
        for source in files("templates", "html")
            .into_iter()
            .chain(files("src/http/office", "rs"))
            .chain(files("src/http/office/chart", "rs"))
        {
            for call in ["w.t(\"", "w.with(\"", "words::text(language, \""] {
                for key in literals(&source, call) {
                    assert!(keys.contains_key(key), "{key} is not in the files of words");
                    asked += 1;
                }
            }
        }
        assert!(asked > 50, "only {asked} keys found: does the search still see the calls?");
    }

    #[test]
    fn every_code_has_its_texts_and_every_variable_is_filled() {
        for language in [Language::ZhCn, Language::En] {
            for code in REFER_CODES.into_iter().chain(["SOMETHING_NEW"]) {
                let reason = ReferReason { code: code.to_owned(), source: None, figures: BTreeMap::new() };
                let ReferText { title, explanation, action } = refer_reason(language, &reason);
                for text in [title, explanation, action] {
                    assert!(!text.contains("refer-") && !text.contains('{'), "{code}: {text}");
                }
            }
            for code in KNOCK_OUT_CODES {
                let (title, explanation) = knock_out(language, code).unwrap();
                assert!(!title.contains(code) && !explanation.contains(code), "{code}");
            }
        }
        assert_eq!(knock_out(Language::En, "SOMETHING_NEW"), None);
    }

    #[test]
    fn every_code_that_the_policy_raises_has_texts() {
        let rules = [
            include_str!("../policy/rules.rs"),
            include_str!("../policy/contradictions.rs"),
            include_str!("../policy/recheck.rs"),
        ];
        let raised: BTreeSet<&str> = rules.iter().flat_map(|source| literals(source, "reason(\"")).collect();
        assert!(raised.len() > 8, "only {raised:?} found: does the search still see the calls?");
        for code in raised {
            assert!(REFER_CODES.contains(&code), "{code} has no texts");
        }
    }

    #[test]
    fn a_reason_is_told_with_its_figures_in_the_readers_language() {
        let figures = [("tax_heads", "40"), ("insured_heads", "12")];
        let figures = figures.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        let reason = ReferReason { code: "HEADS_CONTRADICT".to_owned(), source: None, figures };
        for (language, word) in [(Language::ZhCn, "社保"), (Language::En, "insured")] {
            let told = refer_reason(language, &reason).explanation;
            assert!(told.contains("40") && told.contains("12") && told.contains(word), "{told}");
        }
        let figures = [
            ("first", "14000000.00"),
            ("first_figure", "declared_revenue_12m"),
            ("first_source", "tax"),
            ("second", "3000000.00"),
            ("second_figure", "invoiced_revenue_12m"),
            ("second_source", "tax"),
        ];
        let figures = figures.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        let reason = ReferReason { code: "REVENUE_CONTRADICT".to_owned(), source: None, figures };
        let told = refer_reason(Language::ZhCn, &reason).explanation;
        assert!(told.contains("1,400 万元") && told.contains("300 万元") && told.contains("税务"), "{told}");
        let figures = [("limit", "500000000"), ("maximum", "3000000.00")];
        let figures = figures.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        let reason = ReferReason { code: "OVER_AUTOMATIC_LIMIT".to_owned(), source: None, figures };
        let told = refer_reason(Language::ZhCn, &reason).explanation;
        assert!(told.contains("500 万元") && told.contains("300 万元"), "{told}");
    }

    #[test]
    fn english_counts_one_day_and_two_days() {
        assert_eq!(text(Language::En, "due-in-days", &[("days", 1.into())]), "1 day left");
        assert_eq!(text(Language::En, "due-in-days", &[("days", 2.into())]), "2 days left");
        assert_eq!(text(Language::ZhCn, "due-in-days", &[("days", 2.into())]), "剩 2 天");
    }

    #[test]
    fn an_unknown_key_is_shown_as_it_is() {
        assert_eq!(text(Language::En, "no-such-key", &[]), "no-such-key");
        assert!(!has("no-such-key") && has("notice"));
    }
}
