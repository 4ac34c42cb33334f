//! How to get the same model again.

use serde::Serialize;

use crate::model::artifact::Artifact;

/// All that decides about a model's bytes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reproduction {
    /// The version of this program.
    pub version: String,
    /// SHA-256 of the data file.
    pub data_sha256: String,
    /// What fixes folds and draws.
    pub seed: u64,
    /// The specification with every default, as TOML; `None` where it cannot be written so.
    pub spec_toml: Option<String>,
    /// The command. The names of the files stand for the reader's own.
    pub command: String,
}

/// The reproduction of the model of `artifact`.
pub fn of(artifact: &Artifact) -> Reproduction {
    let training = &artifact.training;
    let kind = serde_json::to_value(artifact.kind).ok();
    let kind = kind.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default();
    let arguments = [
        ("--data", "DATA.csv".to_owned()),
        ("--target", quoted(&artifact.label.column)),
        ("--kind", kind.to_owned()),
        ("--spec", "spec.toml".to_owned()),
        ("--seed", training.seed.to_string()),
        ("--out", quoted(&format!("{}.json", artifact.id))),
    ];
    let written: Vec<String> = arguments.iter().map(|(name, value)| format!("{name} {value}")).collect();
    Reproduction {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        data_sha256: training.data_sha256.clone(),
        seed: training.seed,
        spec_toml: toml::to_string(&training.spec).ok(),
        command: format!("yuxin train {}", written.join(" ")),
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_-./".contains(c);
    if !word.is_empty() && !word.starts_with('-') && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::spec::{FeatureRule, SignRule, TrainingSpec};

    #[test]
    fn a_word_with_quotes_and_blanks_is_one_word_to_the_shell() {
        assert_eq!(quoted("bad_12m"), "bad_12m");
        assert_eq!(quoted("违约"), "违约");
        assert_eq!(quoted("it's bad"), r"'it'\''s bad'");
        assert_eq!(quoted("$(rm)"), "'$(rm)'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn the_specification_reads_back_as_the_same_one() {
        let rule = FeatureRule { name: "a \"b\"".into(), sign: Some(SignRule::Plus), keep: true, column_type: None };
        for spec in [
            TrainingSpec::default(),
            TrainingSpec {
                id: Some("m".into()),
                exclude: vec!["x".into()],
                feature: vec![rule],
                ..TrainingSpec::default()
            },
        ] {
            assert_eq!(TrainingSpec::from_toml(&toml::to_string(&spec).unwrap()).unwrap(), spec);
        }
    }
}
