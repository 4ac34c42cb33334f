//! What serving promises: exact sums, intervals that hold, reasons that add up, and no doubtful artifact.

use proptest::prelude::*;
use serde_json::{Value as Json, json};
use yuxin::model::{Model, ModelError, Value};

/// Three tables, written by hand: numbers falling, numbers rising, words.
fn artifact() -> Json {
    let bin = |points: f64, count: u64| json!({"points": points, "count": count, "bads": 0, "woe": points / 28.0});
    let table = |feature: &str, sign: &str, shape: Json, bins: Vec<Json>, missing: Json| {
        json!({"feature": feature, "sign": sign, "iv": 0.3, "points_per_woe": 28.0, "baseline": 4.5,
               "shape": shape, "bins": bins, "missing": missing})
    };
    let mut artifact = json!({
        "format": "yuxin-model/2", "id": "hand-made", "kind": "scorecard",
        "label": {"column": "y", "bad": 1},
        "scaling": {"base": 600.0, "odds": 50.0, "pdo": 20.0},
        "intercept": 550.015625,
        "characteristics": [
            table("late", "+", json!({"type": "numeric", "edges": [1.0, 3.0]}),
                  vec![bin(20.25, 10), bin(0.0, 5), bin(-31.734375, 5)], bin(-2.5, 1)),
            table("revenue", "-", json!({"type": "numeric", "edges": [0.0]}), vec![bin(-8.0, 3), bin(9.5, 4)], bin(-9.0, 2)),
            table("town", "none", json!({"type": "text", "levels": [["Baiguan", "1"], []], "other": 1}),
                  vec![bin(6.0, 9), bin(-3.0, 2)], bin(-1.0, 0)),
        ],
        "pairs": [],
        "grades": [
            {"grade": "A", "score_at_least": 580, "pd_at_most": 0.04},
            {"grade": "B", "score_at_least": 550, "pd_at_most": 0.11},
            {"grade": "C", "score_at_least": null, "pd_at_most": null}
        ],
        "training": {"data_sha256": "", "rows": 20, "bads": 0, "columns": [], "period": null, "dates": null, "seed": 1,
                     "spec": {}, "calibration": [0.0, 1.0]},
        "measures": {"method": "out_of_fold", "folds": 5,
                     "values": {"auc": 0.7, "ks": 0.3, "gini": 0.4, "brier": 0.1, "log_loss": 0.3, "ece": 0.01, "n": 20, "bad_rate": 0.1},
                     "intervals": {"level": 0.95, "replicates": 200, "auc": [0.6, 0.8], "ks": [0.2, 0.4], "gini": [0.2, 0.6],
                     "brier": [0.1, 0.1], "log_loss": [0.2, 0.4], "ece": [0.0, 0.1], "bad_rate": [0.0, 0.2]}},
        "out_of_time": null, "left_out": [], "warnings": [],
        "golden": [{"inputs": [2.0, null, "Baiguan"], "points": [0.0, -9.0, 6.0], "total": 547.015625, "score": 547,
                    "pd": 0.0, "grade": "C"}]
    });
    let scale = yuxin::model::Scaling::default();
    artifact["golden"][0]["pd"] = json!(1.0 / (1.0 + ((547.015625 - scale.offset()) / scale.factor()).exp()));
    artifact
}

fn model() -> Model {
    Model::from_bytes(artifact().to_string().as_bytes()).unwrap()
}

fn refused(change: impl FnOnce(&mut Json)) -> ModelError {
    let mut changed = artifact();
    change(&mut changed);
    Model::from_bytes(changed.to_string().as_bytes()).unwrap_err()
}

#[test]
fn a_value_on_an_edge_belongs_to_the_bin_above() {
    let model = model();
    let late = |x: f64| model.points(&[Value::Number(x)])[0].points;
    assert_eq!([late(0.999), late(1.0), late(2.999), late(3.0)], [20.25, 0.0, 0.0, -31.734375]);
    assert_eq!([late(f64::NEG_INFINITY), late(f64::INFINITY), late(f64::NAN)], [20.25, -31.734375, -2.5]);
    assert_eq!(model.points(&[Value::Text(" 3.0 ")])[0].points, -31.734375);
}

#[test]
fn words_find_their_bin_new_ones_the_bin_of_others_and_numbers_count_as_they_are_written() {
    let model = model();
    let town = |value: Value<'_>| model.points(&[Value::Missing, Value::Missing, value])[2].points;
    assert_eq!(town(Value::Text("Baiguan ")), 6.0);
    assert_eq!(town(Value::Text("Atlantis")), -3.0);
    assert_eq!(town(Value::Number(1.0)), 6.0);
    assert_eq!(town(Value::Number(1e300)), -3.0);
    assert_eq!([town(Value::Missing), town(Value::Number(f64::NAN))], [-1.0, -1.0]);
}

#[test]
fn a_word_in_a_column_of_numbers_is_refused_by_check_and_a_number_written_out_is_not() {
    let model = model();
    model.check(&[Value::Text("2"), Value::Missing, Value::Text("2")]).unwrap();
    let bad = model.check(&[Value::Missing, Value::Text("much")]).unwrap_err();
    assert_eq!((bad.column.as_str(), bad.value.as_str()), ("revenue", "much"));
}

#[test]
fn the_score_is_the_total_rounded_half_away_from_zero_and_the_grade_follows_the_score() {
    let model = model();
    let score = model.score(&[Value::Number(0.0), Value::Number(1.0), Value::Missing]);
    assert_eq!((score.total, score.score, score.grade), (578.765625, 579, "B"));
    let score = model.score(&[Value::Number(0.0), Value::Number(1.0), Value::Text("1")]);
    assert_eq!((score.total, score.score, score.grade), (585.765625, 586, "A"));
}

#[test]
fn reasons_are_the_features_below_the_average_most_lost_first() {
    let lost = model().points_lost(&[Value::Number(5.0), Value::Number(1.0), Value::Text("x")]);
    let lost: Vec<(usize, f64)> = lost.iter().map(|l| (l.column, l.points_lost)).collect();
    assert_eq!(lost, [(0, 36.234375), (2, 7.5)]);
}

#[test]
fn a_doubtful_artifact_is_refused_with_its_place() {
    let point = |json: &mut Json, value: Json| json["characteristics"][0]["bins"][1]["points"] = value;
    let cases: Vec<(ModelError, &str)> = vec![
        (refused(|a| a["format"] = json!("yuxin-model/9")), "yuxin-model/9"),
        (refused(|a| a["characteristics"][0]["bins"][1]["points"] = Json::Null), "bins[1].points"),
        (refused(|a| point(a, json!(0.01))), "late: points"),
        (refused(|a| point(a, json!(1e300))), "late: points"),
        (refused(|a| point(a, json!(30.0))), "direction"),
        (refused(|a| a["intercept"] = json!(0.3)), "intercept"),
        (refused(|a| a["characteristics"][0]["shape"]["edges"] = json!([3.0, 1.0])), "ascend"),
        (refused(|a| a["characteristics"][0]["shape"]["edges"] = json!([1.0])), "bins"),
        (refused(|a| a["characteristics"][2]["shape"]["other"] = json!(2)), "other"),
        (refused(|a| a["characteristics"][2]["shape"]["levels"] = json!([["x"], ["x"]])), "two places"),
        (refused(|a| a["characteristics"][1]["feature"] = json!("late")), "late"),
        (refused(|a| a["characteristics"] = json!([])), "characteristics"),
        (refused(|a| a["scaling"]["pdo"] = json!(0.0)), "scaling"),
        (refused(|a| a["grades"][0]["score_at_least"] = json!(500)), "grades"),
        (refused(|a| a["label"]["bad"] = json!(0)), "label"),
        (refused(|a| a["surprise"] = json!(1)), "surprise"),
        (refused(|a| a["golden"] = json!([])), "golden"),
        (refused(|a| a["golden"][0]["points"][1] = json!(-9.015625)), "revenue"),
        (refused(|a| a["golden"][0]["total"] = json!(547.03125)), "total"),
        (refused(|a| a["golden"][0]["score"] = json!(548)), "score"),
        (refused(|a| a["golden"][0]["grade"] = json!("B")), "grade"),
        (refused(|a| a["golden"][0]["pd"] = json!(0.1)), "pd"),
        (refused(|a| a["golden"][0]["inputs"] = json!([2.0])), "inputs"),
    ];
    for (error, named) in cases {
        assert!(error.to_string().contains(named), "{named}: {error}");
    }
    for bytes in [&b""[..], b"{", b"[]", b"null", b"\xff\xfe"] {
        assert!(matches!(Model::from_bytes(bytes), Err(ModelError::Json { .. })));
    }
    let trailing = artifact().to_string() + "{}";
    assert!(Model::from_bytes(trailing.as_bytes()).is_err());
    assert!(matches!(Model::load(std::path::Path::new("/nowhere/model.json")), Err(ModelError::File { .. })));
}

fn any_value() -> impl Strategy<Value = Value<'static>> {
    prop_oneof![
        Just(Value::Missing),
        any::<f64>().prop_map(Value::Number),
        (-2.0..6.0_f64).prop_map(Value::Number),
        prop::sample::select(vec!["Baiguan", "1", "", "Atlantis", "2.5", "-1"]).prop_map(Value::Text),
    ]
}

proptest! {
    #[test]
    fn the_parts_add_up_to_the_total_bit_for_bit_in_any_order(row in prop::collection::vec(any_value(), 0..4), order in Just([0, 1, 2]).prop_shuffle()) {
        let model = model();
        let parts = model.points(&row);
        let mut sum = 0.0;
        for i in order { sum += parts[i].points; }
        sum += model.artifact().intercept;
        let score = model.score(&row);
        prop_assert_eq!(sum.to_bits(), score.total.to_bits());
        prop_assert!(score.pd > 0.0 && score.pd < 1.0);
    }

    #[test]
    fn an_interval_holds_the_score_of_every_row_that_fills_in_what_is_open(
        row in prop::collection::vec(any_value(), 3), filled in prop::collection::vec(any_value(), 3), open in prop::collection::vec(any::<bool>(), 3),
    ) {
        let model = model();
        let (lowest, highest) = model.interval(&row, &open);
        let complete: Vec<Value<'_>> = (0..3).map(|i| if open[i] { filled[i] } else { row[i] }).collect();
        let score = model.score(&complete);
        prop_assert!(lowest.total <= score.total && score.total <= highest.total);
        prop_assert!(lowest.pd >= score.pd && score.pd >= highest.pd);
        if !open.contains(&true) { prop_assert_eq!(lowest, highest); }
    }

    #[test]
    fn points_lost_are_baseline_less_points_and_only_losses(row in prop::collection::vec(any_value(), 3)) {
        let model = model();
        let parts = model.points(&row);
        let lost = model.points_lost(&row);
        prop_assert!(lost.windows(2).all(|pair| pair[0].points_lost >= pair[1].points_lost));
        for of in &lost {
            prop_assert!(of.points_lost > 0.0);
            prop_assert_eq!(of.points_lost, parts[of.column].baseline - parts[of.column].points);
        }
        prop_assert_eq!(lost.len(), parts.iter().filter(|p| p.points < p.baseline).count());
    }

    #[test]
    fn no_bytes_make_the_reader_panic(cut in 0_usize..2000, byte in any::<u8>()) {
        let mut bytes = artifact().to_string().into_bytes();
        let at = cut % bytes.len();
        bytes[at] = byte;
        let _ = Model::from_bytes(&bytes);
        let _ = Model::from_bytes(&bytes[..at]);
    }
}

/// The three tables of [`artifact`] without directions, and two pairs: late with revenue, revenue with town.
fn paired() -> Json {
    let mut artifact = artifact();
    for i in 0..3 {
        artifact["characteristics"][i]["sign"] = json!("none");
    }
    artifact["kind"] = json!("additive");
    artifact["pairs"] = json!([
        {"first": {"feature": "late", "groups": [0, 1, 1], "missing": 2},
         "second": {"feature": "revenue", "groups": [0, 1], "missing": 1},
         "baseline": 0.015625, "points": [[4.0, -3.0], [-6.5, 7.25], [1.0, -1.0]], "counts": [[1, 2], [3, 4], [0, 1]]},
        {"first": {"feature": "revenue", "groups": [1, 0], "missing": 1},
         "second": {"feature": "town", "groups": [0, 1], "missing": 0},
         "baseline": -0.5, "points": [[9.0, -8.0], [-5.0, 2.5]], "counts": [[1, 2], [3, 4]]}
    ]);
    let total = 547.015625 + 7.25 - 5.0;
    let scale = yuxin::model::Scaling::default();
    artifact["golden"][0] = json!({"inputs": [2.0, null, "Baiguan"], "points": [3.625, -9.0 + 3.625 - 2.5, 6.0 - 2.5],
        "total": total, "score": 549, "pd": 1.0 / (1.0 + ((total - scale.offset()) / scale.factor()).exp()), "grade": "C"});
    artifact
}

fn paired_model() -> Model {
    Model::from_bytes(paired().to_string().as_bytes()).unwrap()
}

#[test]
fn a_pair_that_does_not_fit_the_tables_of_its_features_is_refused_with_its_place() {
    type Change = fn(&mut Json);
    let changes: [(&str, Change); 8] = [
        ("no table", |a| a["pairs"][0]["first"]["feature"] = json!("gone")),
        ("the same", |a| a["pairs"][0]["first"]["feature"] = json!("revenue")),
        ("have a group", |a| a["pairs"][0]["first"]["groups"] = json!([0, 1])),
        ("no bin in group", |a| a["pairs"][0]["first"]["groups"] = json!([0, 9000000000_u64, 1])),
        ("rows of", |a| a["pairs"][1]["points"] = json!([[9.0, -8.0]])),
        ("rows of", |a| a["pairs"][1]["counts"][1] = json!([1])),
        ("1/64", |a| a["pairs"][0]["points"][0][0] = json!(0.3)),
        ("direction", |a| a["characteristics"][0]["sign"] = json!("+")),
    ];
    for (named, change) in changes {
        let mut changed = paired();
        change(&mut changed);
        let error = Model::from_bytes(changed.to_string().as_bytes()).unwrap_err().to_string();
        assert!(error.contains("pairs[") && error.contains(named), "{named}: {error}");
    }
}

proptest! {
    #[test]
    fn points_of_features_and_pairs_add_up_to_the_score_and_losses_to_its_distance_from_the_average(
        row in prop::collection::vec(any_value(), 3)
    ) {
        let model = paired_model();
        let parts = model.points(&row);
        prop_assert_eq!(550.015625 + parts.iter().map(|p| p.points).sum::<f64>(), model.score(&row).total);
        prop_assert_eq!(parts.iter().map(|p| p.baseline).sum::<f64>(), 3.0 * 4.5 + 0.015625 - 0.5);
        for of in model.points_lost(&row) {
            prop_assert_eq!(of.points_lost, parts[of.column].baseline - parts[of.column].points);
        }
    }

    #[test]
    fn the_interval_of_a_model_with_pairs_is_the_lowest_and_the_highest_of_all_possible_rows(
        row in prop::collection::vec(any_value(), 3), open in prop::collection::vec(any::<bool>(), 3)
    ) {
        let model = paired_model();
        let everywhere: [&[Value<'_>]; 3] = [
            &[Value::Number(0.0), Value::Number(2.0), Value::Number(9.0), Value::Missing],
            &[Value::Number(-1.0), Value::Number(1.0), Value::Missing],
            &[Value::Text("Baiguan"), Value::Text("elsewhere"), Value::Missing],
        ];
        let choices: Vec<&[Value<'_>]> =
            (0..3).map(|i| if open[i] { everywhere[i] } else { std::slice::from_ref(&row[i]) }).collect();
        let mut totals = Vec::new();
        for a in choices[0] {
            for b in choices[1] {
                totals.extend(choices[2].iter().map(|c| model.score(&[*a, *b, *c]).total));
            }
        }
        let (low, high) = model.interval(&row, &open);
        prop_assert_eq!(low.total, totals.iter().copied().fold(f64::INFINITY, f64::min));
        prop_assert_eq!(high.total, totals.iter().copied().fold(f64::NEG_INFINITY, f64::max));
    }
}
