//! What may be decided about a training: a TOML file, every key with a default, unknown keys refused.
//! Documented key by key in `models/README.md`.

use std::collections::HashSet;

use super::Scaling;
use super::artifact::GradeBand;
use super::scaling::POINTS_MAX;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

mod error;
mod scale;

pub use error::SpecError;

/// The decisions about a training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainingSpec {
    /// The model's name; without it, the name of the output file.
    pub id: Option<String>,
    /// The period of the data, in words.
    pub period: Option<String>,
    /// The column with the date of each row; without it, the one column whose words are all dates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// Share of the latest rows that is kept back from training to measure on; 0 keeps none.
    pub out_of_time_share: f64,
    /// Days on which the rules behind the data changed: a warning where the rows trained on span one.
    pub regime: Vec<Regime>,
    /// The mean probability of default that the rows trained on are given, where the bad rate of the data is not the one to expect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bad_rate: Option<f64>,
    /// Columns that are no features: identifiers, dates, anything known only afterwards.
    pub exclude: Vec<String>,
    /// Direction of numeric features that are not named under `feature`; without it, a scorecard takes `auto`, an additive model
    /// any shape.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_sign: Option<SignRule>,
    /// A bin holds at least this share of the rows where its feature is known.
    pub min_bin_share: f64,
    /// A bin holds at least this many bad outcomes, seen or expected at the average rate.
    pub min_bin_bads: u64,
    /// Bins before merging, at most.
    pub prebins: usize,
    /// A word with fewer rows than this is pooled with the other rare ones.
    pub min_level_rows: u64,
    /// Rows at the average bad rate that are added to every bin before its weight of evidence is taken.
    pub smoothing_rows: f64,
    /// How much information value a further bin must bring, in multiples of what chance brings.
    pub bin_penalty: f64,
    /// Features below this information value are left out.
    pub iv_min: f64,
    /// Features above this information value are used, with a warning: they may leak the outcome.
    pub iv_warn: f64,
    /// A scorecard leaves out features whose weights are correlated beyond this with those of a feature that tells more.
    pub correlation_max: f64,
    /// A scorecard leaves out features whose variance the others inflate beyond this.
    pub vif_max: f64,
    /// L2 penalty of the logistic regression on the weights of evidence; without it, chosen by cross-validation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub l2: Option<f64>,
    /// Folds for a scorecard's out-of-fold measures and calibration; without it five, three where there are many rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folds: Option<u32>,
    /// How additive models are boosted.
    pub additive: AdditiveSpec,
    /// The scale of the points.
    #[serde(deserialize_with = "scale::read")]
    pub scaling: Scaling,
    /// Grades, best first.
    pub grades: Vec<GradeRule>,
    /// Decisions about single features.
    pub feature: Vec<FeatureRule>,
}

/// A day on which the rules behind the data changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Regime {
    /// The first day under the new rules.
    pub on: Date,
    /// What changed.
    pub what: String,
}

/// How additive models are boosted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdditiveSpec {
    /// Models that are averaged; rounded up to a multiple of eight.
    pub bags: usize,
    /// Fine bins of a numeric feature, about.
    pub bins: usize,
    /// Pairs for each feature, at most; 0 for a model without pairs.
    pub pairs_per_feature: f64,
    /// Share of a tree's step that is taken.
    pub learning_rate: f64,
}

impl Default for AdditiveSpec {
    fn default() -> AdditiveSpec {
        AdditiveSpec { bags: 16, bins: 64, pairs_per_feature: 3.0, learning_rate: 0.04 }
    }
}

/// A grade by its worst probability of default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GradeRule {
    /// Its name.
    pub grade: String,
    /// Left out in the last grade, which takes everything below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pd_at_most: Option<f64>,
}

/// Decisions about one feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureRule {
    /// The column.
    pub name: String,
    /// Direction of risk; `default_sign` without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign: Option<SignRule>,
    /// Keep the feature however low its information value.
    #[serde(default)]
    pub keep: bool,
    /// Read the column as numbers or as words, whatever its cells look like.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub column_type: Option<ColumnType>,
}

/// Direction of risk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SignRule {
    /// A larger value is more risk.
    #[serde(rename = "+")]
    Plus,
    /// A larger value is less risk.
    #[serde(rename = "-")]
    Minus,
    /// Any shape.
    #[serde(rename = "none")]
    Free,
    /// Whichever of `+` and `-` the data bear out better, with turns where they tell much more.
    #[serde(rename = "auto")]
    Auto,
}

/// How a column is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    /// As numbers; a word is an error.
    Numeric,
    /// As words, though they look like numbers.
    Text,
}

impl Default for TrainingSpec {
    fn default() -> TrainingSpec {
        let grade = |grade: &str, pd_at_most| GradeRule { grade: grade.to_owned(), pd_at_most };
        TrainingSpec {
            id: None,
            period: None,
            date: None,
            out_of_time_share: 0.2,
            regime: Vec::new(),
            bad_rate: None,
            exclude: Vec::new(),
            default_sign: None,
            min_bin_share: 0.02,
            min_bin_bads: 10,
            prebins: 50,
            min_level_rows: 20,
            smoothing_rows: 3.0,
            bin_penalty: 1.0,
            iv_min: 0.002,
            iv_warn: 0.5,
            correlation_max: 0.98,
            vif_max: 100.0,
            l2: None,
            folds: None,
            additive: AdditiveSpec::default(),
            scaling: Scaling::default(),
            grades: vec![
                grade("A", Some(0.01)),
                grade("B", Some(0.03)),
                grade("C", Some(0.07)),
                grade("D", Some(0.15)),
                grade("E", None),
            ],
            feature: Vec::new(),
        }
    }
}

impl TrainingSpec {
    /// Reads and checks a specification.
    ///
    /// # Errors
    /// [`SpecError`] names the key.
    pub fn from_toml(text: &str) -> Result<TrainingSpec, SpecError> {
        let spec: TrainingSpec = toml::from_str(text)?;
        spec.check()?;
        Ok(spec)
    }

    /// Checks the ranges of all values.
    ///
    /// # Errors
    /// The first value out of its range.
    pub fn check(&self) -> Result<(), SpecError> {
        fn within(key: &'static str, value: f64, least: f64, most: f64, hint: &'static str) -> Result<(), SpecError> {
            if (least..=most).contains(&value) {
                Ok(())
            } else {
                Err(SpecError::Value { key, value: value.to_string(), hint })
            }
        }
        if self.id.as_ref().is_some_and(|id| id.trim().is_empty()) {
            let hint = "write a name, or leave the key out for that of the output file";
            return Err(SpecError::Value { key: "id", value: "empty".to_owned(), hint });
        }
        within("min_bin_share", self.min_bin_share, 0.0, 0.5, "it must lie between 0 and 0.5")?;
        within("min_bin_bads", self.min_bin_bads as f64, 0.0, 1e9, "it must be at most a billion")?;
        within("prebins", self.prebins as f64, 2.0, 200.0, "it must lie between 2 and 200")?;
        within("smoothing_rows", self.smoothing_rows, 0.5, 1e6, "it must lie between 0.5 and a million")?;
        within("bin_penalty", self.bin_penalty, 0.0, 1000.0, "it must lie between 0 and 1000")?;
        within("iv_min", self.iv_min, 0.0, 10.0, "it must lie between 0 and 10")?;
        within("iv_warn", self.iv_warn, 0.0, 1e6, "it must lie between 0 and a million")?;
        let share = self.out_of_time_share;
        within("out_of_time_share", share, 0.0, 0.5, "it must lie between 0 and 0.5")?;
        if let Some(rate) = self.bad_rate {
            within("bad_rate", rate, 1e-6, 0.999_999, "it must lie between 0.000001 and 0.999999")?;
        }
        within("correlation_max", self.correlation_max, 0.1, 1.0, "it must lie between 0.1 and 1")?;
        within("vif_max", self.vif_max, 1.5, 1e6, "it must lie between 1.5 and a million")?;
        if let Some(l2) = self.l2 {
            within("l2", l2, 1e-6, 1e6, "it must lie between 0.000001 and a million")?;
        }
        within("additive.bags", self.additive.bags as f64, 1.0, 256.0, "it must lie between 1 and 256")?;
        within("additive.bins", self.additive.bins as f64, 2.0, 127.0, "it must lie between 2 and 127")?;
        let pairs = self.additive.pairs_per_feature;
        within("additive.pairs_per_feature", pairs, 0.0, 100.0, "it must lie between 0 and 100")?;
        let rate = self.additive.learning_rate;
        within("additive.learning_rate", rate, 0.001, 1.0, "it must lie between 0.001 and 1")?;
        if let Some(folds) = self.folds {
            within("folds", f64::from(folds), 2.0, 20.0, "it must lie between 2 and 20")?;
        }
        let Scaling { base, odds, pdo } = self.scaling;
        within("scaling.base", base, -POINTS_MAX, POINTS_MAX, "it must lie between -1048576 and 1048576")?;
        within("scaling.odds", odds, 1e-9, 1e9, "it must lie between 0.000000001 and a billion")?;
        within("scaling.pdo", pdo, 1e-3, 1e5, "it must lie between 0.001 and 100000")?;
        let mut names = HashSet::new();
        if let Some(twice) = self.feature.iter().find(|of| !names.insert(of.name.as_str())) {
            return Err(SpecError::Value { key: "feature", value: twice.name.clone(), hint: "it is there twice" });
        }
        self.grade_bands().map(drop)
    }

    /// Checks that nothing is decided about the target as if it were a feature.
    ///
    /// # Errors
    /// The key that names it.
    pub fn check_target(&self, target: &str) -> Result<(), SpecError> {
        let named = [
            ("exclude", self.exclude.iter().any(|name| name == target)),
            ("[[feature]]", self.rule(target).is_some()),
            ("date", self.date.as_deref() == Some(target)),
        ];
        match named.into_iter().find(|(_, is)| *is) {
            Some((key, _)) => Err(SpecError::Target { key, column: target.to_owned() }),
            None => Ok(()),
        }
    }

    /// The grades as bands of the score.
    ///
    /// # Errors
    /// When the probabilities do not ascend, a name is twice there, or two grades share a score.
    pub fn grade_bands(&self) -> Result<Vec<GradeBand>, SpecError> {
        let refuse = |value: &str, hint| Err(SpecError::Value { key: "grades", value: value.to_owned(), hint });
        let mut bands: Vec<GradeBand> = Vec::new();
        for (i, rule) in self.grades.iter().enumerate() {
            let last = i + 1 == self.grades.len();
            if rule.grade.trim().is_empty() || bands.iter().any(|band| band.grade == rule.grade) {
                return refuse(&rule.grade, "names must be there, and each once");
            }
            let score_at_least = match rule.pd_at_most {
                None if last => None,
                None => return refuse(&rule.grade, "only the last grade goes without pd_at_most"),
                Some(_) if last => return refuse(&rule.grade, "the last grade takes all below: leave out pd_at_most"),
                Some(pd) if pd > 0.0 && pd < 1.0 => Some(self.scaling.score_for(pd)),
                Some(_) => return refuse(&rule.grade, "pd_at_most must lie between 0 and 1"),
            };
            if let (Some(above), Some(this)) = (bands.last().and_then(|band| band.score_at_least), score_at_least)
                && above <= this
            {
                return refuse(&rule.grade, "pd_at_most must ascend by at least a point from grade to grade");
            }
            bands.push(GradeBand { grade: rule.grade.clone(), score_at_least, pd_at_most: rule.pd_at_most });
        }
        if bands.is_empty() { refuse("empty", "there must be one grade") } else { Ok(bands) }
    }

    /// The decisions about the column `name`, if there are any.
    pub fn rule(&self, name: &str) -> Option<&FeatureRule> {
        self.feature.iter().find(|of| of.name == name)
    }

    /// The direction of the numeric column `name`, where one is stated.
    pub fn sign(&self, name: &str) -> Option<SignRule> {
        self.rule(name).and_then(|of| of.sign).or(self.default_sign)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_specification_is_the_default_one() {
        assert_eq!(TrainingSpec::from_toml("").unwrap(), TrainingSpec::default());
        TrainingSpec::default().check().unwrap();
    }

    #[test]
    fn unknown_keys_and_values_out_of_range_are_refused_by_name() {
        for (text, named) in [
            ("weight = 1", "weight"),
            ("min_bin_share = 0.9", "min_bin_share"),
            ("smoothing_rows = 0", "smoothing_rows"),
            ("l2 = nan", "l2"),
            ("grades = []", "grades"),
            ("[[feature]]\nname = \"a\"\nsign = \"up\"", "up"),
            ("[[feature]]\nname = \"a\"\n[[feature]]\nname = \"a\"", "feature"),
            ("[[grades]]\ngrade = \"A\"\npd_at_most = 0.1\n[[grades]]\ngrade = \"B\"\npd_at_most = 0.2", "grades"),
            (
                "[[grades]]\ngrade = \"A\"\npd_at_most = 0.1\n[[grades]]\ngrade = \"B\"\npd_at_most = 0.05\n[[grades]]\ngrade = \"C\"",
                "ascend",
            ),
            (
                "[scaling]\nbase = 600\nodds = 0\npdo = 20",
                "scaling.odds is 0: it must lie between 0.000000001 and a billion",
            ),
            ("[scaling]\npdo = 1e6", "scaling.pdo is 1000000: it must lie between 0.001 and 100000"),
            ("[scaling]\nbase = 2e6", "scaling.base is 2000000: it must lie between -1048576 and 1048576"),
            ("[scaling]\npoints = 2", "points"),
            ("bad_rate = 1e-7", "between 0.000001 and 0.999999"),
            ("id = \" \"", "specification's id is empty"),
        ] {
            let error = TrainingSpec::from_toml(text).unwrap_err().to_string();
            assert!(error.contains(named), "{text}: {error}");
        }
    }

    #[test]
    fn every_key_of_the_scale_may_be_left_out() {
        let scaling = |text: &str| TrainingSpec::from_toml(text).unwrap().scaling;
        assert_eq!(scaling("[scaling]\npdo = 40"), Scaling { pdo: 40.0, ..Scaling::default() });
        assert_eq!(
            scaling("[scaling]\nodds = 20\nbase = 500"),
            Scaling { base: 500.0, odds: 20.0, ..Scaling::default() }
        );
        assert_eq!(scaling("[scaling]"), Scaling::default());
        let artifact = serde_json::from_str::<Scaling>(r#"{"pdo": 40}"#);
        assert!(artifact.is_err(), "the scale of an artifact is stated whole");
    }

    #[test]
    fn decisions_about_the_target_are_refused_as_such() {
        for (text, key) in
            [("exclude = [\"y\"]", "exclude"), ("[[feature]]\nname = \"y\"", "[[feature]]"), ("date = \"y\"", "date")]
        {
            let spec = TrainingSpec::from_toml(text).unwrap();
            let message = spec.check_target("y").unwrap_err().to_string();
            assert!(message.contains(&format!("names \"y\" under {key}, but that is the target")), "{message}");
            spec.check_target("z").unwrap();
        }
    }

    #[test]
    fn the_default_grades_descend_to_a_last_one_that_takes_all() {
        let bands = TrainingSpec::default().grade_bands().unwrap();
        let scores: Vec<Option<i64>> = bands.iter().map(|band| band.score_at_least).collect();
        assert_eq!(scores, [Some(621), Some(588), Some(563), Some(538), None]);
    }
}
