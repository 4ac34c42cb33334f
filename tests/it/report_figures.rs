//! What a report promises: figures that agree with the model and its rows, nothing undefined but null, names escaped, few bytes.

use serde_json::Value as Json;
use yuxin::model::measure::measure;
use yuxin::model::report::{Report, ReportInput, ScoredSet, SetName, html, report};
use yuxin::model::spec::TrainingSpec;

use crate::support::reports::{Case, HOSTILE, large, trained};

/// The report of the whole case without later rows and periods.
fn plain(case: &Case, pd: &[f64]) -> Report {
    let rows: Vec<usize> = (0..case.data.bad.len()).collect();
    let sets = vec![ScoredSet { name: SetName::OutOfFold, rows: &rows, pd }];
    let input = ReportInput { artifact: &case.artifact, model_sha256: "cd", data: &case.data, sets, periods: None };
    report(&input, 1)
}

/// Every page says the same of a report as its figures do: nothing that is no number.
fn page(report: &Report) -> String {
    let page = html(report).unwrap();
    let words: Vec<&str> = page.split(|c: char| !c.is_ascii_alphabetic()).collect();
    for undefined in ["NaN", "inf", "None", "Some"] {
        assert!(!words.contains(&undefined), "{undefined}");
    }
    page
}

#[test]
fn the_figures_of_a_set_are_those_of_its_rows() {
    let case = trained(4000, 2, "");
    let report = case.report();
    let (pd, bad): (Vec<f64>, Vec<bool>) = case.later.iter().map(|row| (case.pd[*row], case.data.bad[*row])).unzip();
    let set = &report.sets[1];
    assert_eq!((set.name, set.rows), (SetName::OutOfTime, 1000));
    assert_eq!(set.measures, measure(&pd, &bad));
    let intervals = set.intervals.unwrap();
    assert!(intervals.auc[0] < set.measures.unwrap().auc && set.measures.unwrap().auc < intervals.auc[1]);
    assert_eq!(set.grades.iter().map(|row| row.rows).sum::<u64>(), 1000);
    assert_eq!(set.gains.iter().map(|row| row.bads).sum::<u64>(), set.bads);
    let goodness = set.goodness.as_ref().unwrap();
    assert_eq!(goodness.hosmer_lemeshow.unwrap().degrees, 10, "nothing was fitted to later rows");
    assert_eq!(report.sets[0].goodness.as_ref().unwrap().hosmer_lemeshow.unwrap().degrees, 8);
}

#[test]
fn the_tables_are_those_of_the_model_and_the_most_important_comes_first() {
    let mut case = trained(4000, 2, "");
    case.pair_up(3);
    let report = case.report();
    assert_eq!(report.characteristics.len(), case.artifact.characteristics.len());
    assert!(report.characteristics.is_sorted_by(|a, b| a.importance >= b.importance));
    for table in &report.characteristics {
        let of = case.artifact.characteristics.iter().find(|of| of.feature == table.feature).unwrap();
        assert_eq!(table.bins.len(), of.bins.len() + 1);
        assert_eq!(table.bins.iter().map(|bin| bin.rows).sum::<u64>(), 3000);
        assert!(table.vif.is_some_and(|vif| vif >= 1.0), "{table:?}");
    }
    assert_eq!(report.pairs.len(), 3);
    assert!(report.pairs.iter().all(|pair| pair.rows.len() == pair.points.len()));
}

#[test]
fn a_shift_from_period_to_period_is_found_and_rows_without_a_date_are_counted() {
    let case = trained(6000, 0, "");
    let stability = case.report().stability.unwrap();
    assert_eq!(stability.periods.len(), 12);
    assert!(stability.periods.is_sorted_by(|a, b| a.period < b.period));
    assert_eq!(stability.undated, 62);
    let revenue = stability.features.iter().find(|of| of.feature.contains("营业收入")).unwrap();
    assert!(revenue.psi > 0.2 && revenue.period.as_str() >= "2021Q2", "{revenue:?}");
    let late = stability.features.iter().find(|of| of.feature.starts_with("late")).unwrap();
    assert!(late.psi < 2.0 * late.psi_of_chance, "{late:?}");
    let first = &stability.periods[0];
    assert!(first.score_psi.unwrap() < 2.0 * first.score_psi_of_chance.unwrap());
}

#[test]
fn names_and_words_of_the_data_are_escaped_wherever_they_stand() {
    let mut case = trained(1600, 0, "");
    case.pair_up(3);
    case.artifact.id = HOSTILE.into();
    case.artifact.label.column = HOSTILE.into();
    case.artifact.training.period = Some(HOSTILE.into());
    case.artifact.warnings = vec![
        HOSTILE.into(),
        format!(
            "{HOSTILE}: information value 1 is above 0.5: make sure that it is known at the time of scoring and does not leak the outcome"
        ),
    ];
    case.artifact.left_out[0].column = HOSTILE.into();
    case.artifact.grades[0].grade = HOSTILE.into();
    case.artifact.training.spec.exclude = vec![HOSTILE.into()];
    case.periods.iter_mut().flatten().for_each(|period| period.push_str(HOSTILE));
    let page = page(&case.report());
    assert!(!page.contains("<script") && !page.contains("&\"<"), "markup of the data");
    assert!(page.matches("&#60;script&#62;").count() > 20);
    assert!(!page.contains("http:") && !page.contains("https:") && !page.contains("src="), "nothing from elsewhere");
}

#[test]
fn what_is_not_defined_is_null_and_a_dash() {
    let mut case = trained(1600, 0, "");
    case.data.bad.fill(false);
    let report = plain(&case, &vec![0.1; 1600]);
    assert_eq!((report.sets[0].measures, report.sets[0].intervals), (None, None));
    assert!(page(&report).contains("只有一种结果"));
    let json: Json = serde_json::to_value(&report).unwrap();
    assert!(json["sets"][0]["measures"].is_null() && json["stability"].is_null());

    case.artifact.characteristics.truncate(1);
    case.artifact.characteristics[0].bins.iter_mut().for_each(|bin| (bin.count, bin.bads) = (0, 0));
    case.artifact.characteristics[0].missing.count = 0;
    case.data.columns.clear();
    let bare = plain(&case, &[]);
    assert_eq!(bare.sets[0].rows, 0);
    assert!(page(&bare).contains("模型只有一项特征"));
    let certain: Vec<f64> = (0..1600).map(|row| f64::from(u8::from(row % 2 == 0))).collect();
    case.data.bad = (0..1600).map(|row| row % 3 == 0).collect();
    page(&plain(&case, &certain));
    let no_sets = ReportInput {
        artifact: &case.artifact,
        model_sha256: "",
        data: &case.data,
        sets: Vec::new(),
        periods: Some(vec![None; 1600]),
    };
    page(&report_of(&no_sets));
}

fn report_of(input: &ReportInput<'_>) -> Report {
    report(input, 1)
}

#[test]
fn a_set_that_does_not_fit_the_data_does_no_harm() {
    let case = trained(1600, 0, "");
    let rows = [0, 1, 2, 9_000_000];
    let sets = vec![ScoredSet { name: SetName::OutOfTime, rows: &rows, pd: &[0.1, 0.2, f64::NAN, 0.3] }];
    let periods = Some(vec![Some("2020".to_owned()); 2]);
    let input = ReportInput { artifact: &case.artifact, model_sha256: "", data: &case.data, sets, periods };
    let found = report_of(&input);
    assert_eq!(found.sets[0].rows, 2);
    page(&found);
}

#[test]
fn the_same_input_and_seed_give_the_same_bytes() {
    let case = trained(1600, 1, "");
    let bytes = || {
        let report = case.report();
        (serde_json::to_string(&report).unwrap(), html(&report).unwrap())
    };
    assert_eq!(bytes(), bytes());
}

#[test]
fn the_specification_in_the_report_gives_the_training_again() {
    let case = trained(1600, 1, "period = \"2019\"\nprebins = 30\n[[feature]]\nname = \"noise\"\nkeep = true");
    let found = case.report().reproduction;
    assert_eq!(TrainingSpec::from_toml(&found.spec_toml.unwrap()).unwrap(), case.artifact.training.spec);
    assert_eq!(
        found.command,
        "yuxin train --data DATA.csv --target 'bad 12m' --kind scorecard --spec spec.toml --seed 1 --out 'demo-<model>.json'"
    );
}

#[test]
fn what_the_training_says_is_said_in_chinese_too() {
    let case = trained(1600, 3, "exclude = [\"noise\"]\niv_warn = 0.1");
    let page = page(&case.report());
    assert!(!case.artifact.warnings.is_empty() && case.artifact.left_out.len() >= 2);
    for sentence in case.artifact.warnings.iter().chain(case.artifact.left_out.iter().map(|of| &of.reason)) {
        let end = sentence.rsplit(['>', '"']).next().unwrap();
        let english = format!("{end}</span>");
        assert!(page.contains(&english), "{sentence} stands alone, without Chinese beside it");
    }
}

#[test]
fn a_large_model_stays_within_a_few_megabytes() {
    let case = large(64, 60, 190);
    let report = case.report();
    let page = page(&report);
    assert_eq!(page.matches("class=\"fold\"").count(), 64 + 190);
    assert!(page.len() < 6_000_000, "{} bytes", page.len());
    assert_eq!(report.dependence.features.len(), 60);
    assert_eq!(report.dependence.strongest.len(), 20);
}
