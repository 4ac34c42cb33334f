//! What training promises: orientation, monotone tables, calibration, determinism, and what it makes of awkward data.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use yuxin::model::additive::Means;
use yuxin::model::artifact::{Artifact, Characteristic, Kind, Shape, Sign};
use yuxin::model::dataset::{Column, Dataset, MISSING_CODE, Values};
use yuxin::model::spec::TrainingSpec;
use yuxin::model::train::{Origin, TrainError, Trained, train};
use yuxin::model::{Model, Value};

const TOWNS: [(&str, f64); 4] = [("Baiguan", -0.8), ("Songxia", 0.0), ("Fenghui", 0.3), ("Zhangzhen", 1.0)];

fn origin() -> Origin {
    Origin { id: "test".into(), target: "y".into(), data_sha256: "0".repeat(64) }
}

pub fn column(name: &str, values: Values) -> Column {
    Column { name: name.into(), values }
}

/// Firms whose log-odds of default are a known sum: late filings (+), revenue (−), town, and noise columns.
pub fn firms(rows: usize, base: f64, seed: u64) -> Dataset {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let (mut late, mut revenue, mut noise, mut town, mut bad) = (vec![], vec![], vec![], vec![], vec![]);
    for _ in 0..rows {
        let (l, r, t) = (random.gen_range(0..8), random.gen_range(0.0..10.0_f64), random.gen_range(0..TOWNS.len()));
        let z = base + 0.35 * f64::from(l) - 0.3 * r + TOWNS[t].1;
        bad.push(random.gen_bool(1.0 / (1.0 + (-z).exp())));
        late.push(if random.gen_bool(0.1) { f64::NAN } else { f64::from(l) });
        revenue.push(r);
        noise.push(random.gen_range(0.0..1.0));
        town.push(if random.gen_bool(0.05) { MISSING_CODE } else { t as u32 });
    }
    let levels = TOWNS.iter().map(|t| t.0.to_owned()).collect();
    let columns = vec![
        column("late_filings", Values::Numeric(late)),
        column("revenue", Values::Numeric(revenue)),
        column("noise", Values::Numeric(noise)),
        column("town", Values::Text { levels, codes: town }),
    ];
    Dataset { columns, bad }
}

pub fn trained_as(data: &Dataset, kind: Kind, spec: &str, threads: usize) -> Result<Trained, TrainError> {
    let means = Means { seed: 1, threads, progress: &|_| () };
    train(data, kind, &TrainingSpec::from_toml(spec).unwrap(), &origin(), &means)
}

fn trained(data: &Dataset, spec: &str) -> Artifact {
    trained_as(data, Kind::Scorecard, spec, 2).unwrap().artifact
}

fn refused(data: &Dataset, spec: &str) -> TrainError {
    trained_as(data, Kind::Scorecard, spec, 2).unwrap_err()
}

fn table<'a>(artifact: &'a Artifact, feature: &str) -> &'a Characteristic {
    artifact.characteristics.iter().find(|c| c.feature == feature).unwrap()
}

fn points(of: &Characteristic) -> Vec<f64> {
    of.bins.iter().map(|bin| bin.points).collect()
}

#[test]
fn points_fall_with_risk_whichever_outcome_is_the_majority() {
    for base in [-2.5, 2.5] {
        let data = firms(4000, base, 3);
        let share = data.bad.iter().filter(|b| **b).count() as f64 / 4000.0;
        assert_eq!(share > 0.5, base > 0.0, "the test is about both majorities");
        let artifact = trained(&data, "iv_min = 0.02");
        assert!(artifact.measures.values.auc > 0.7, "{:?}", artifact.measures);
        let late = table(&artifact, "late_filings");
        assert_eq!(late.sign, Sign::Plus);
        assert!(points(late).is_sorted_by(|a, b| a > b) && late.bins.len() > 2, "{late:?}");
        let revenue = table(&artifact, "revenue");
        assert_eq!(revenue.sign, Sign::Minus);
        assert!(points(revenue).is_sorted_by(|a, b| a < b) && revenue.bins.len() > 2);
        assert!(artifact.left_out.iter().any(|l| l.column == "noise"));
    }
}

#[test]
fn probabilities_are_true_on_rows_that_training_never_saw() {
    let artifact = trained(&firms(8000, -1.5, 4), "");
    let model = Model::from_bytes(&artifact.to_bytes().unwrap()).unwrap();
    let fresh = firms(8000, -1.5, 5);
    let places: Vec<usize> =
        model.columns().iter().map(|name| fresh.columns.iter().position(|c| c.name == *name).unwrap()).collect();
    let pd: Vec<f64> = (0..fresh.bad.len())
        .map(|row| {
            let values: Vec<Value<'_>> = places.iter().map(|place| fresh.columns[*place].values.get(row)).collect();
            model.score(&values).pd
        })
        .collect();
    let measures = yuxin::model::measure::measure(&pd, &fresh.bad).unwrap();
    assert!(measures.ece < 0.02, "{measures:?}");
    assert!((measures.auc - artifact.measures.values.auc).abs() < 0.02, "{measures:?} {:?}", artifact.measures);
}

#[test]
fn a_stated_direction_holds_even_against_the_data() {
    let data = firms(3000, -1.5, 6);
    let artifact = trained(&data, "[[feature]]\nname = \"revenue\"\nsign = \"+\"");
    assert!(artifact.characteristics.iter().all(|c| c.feature != "revenue"), "no rising risk to be found");
    assert!(artifact.left_out.iter().any(|l| l.column == "revenue"));
    let kept = trained(&data, "[[feature]]\nname = \"late_filings\"\nsign = \"+\"");
    assert_eq!(table(&kept, "late_filings").sign, Sign::Plus);
}

#[test]
fn the_same_data_specification_and_seed_give_the_same_bytes() {
    let data = firms(1500, -1.5, 7);
    let bytes = || trained(&data, "").to_bytes().unwrap();
    assert_eq!(bytes(), bytes());
}

#[test]
fn an_artifact_reads_back_as_the_same_artifact_and_writes_the_same_bytes() {
    let artifact = trained(&firms(1500, -1.5, 8), "period = \"2024\"");
    let bytes = artifact.to_bytes().unwrap();
    let model = Model::from_bytes(&bytes).unwrap();
    assert_eq!(*model.artifact(), artifact);
    assert_eq!(model.artifact().to_bytes().unwrap(), bytes);
    assert_eq!(model.sha256(), Model::from_bytes(&bytes).unwrap().sha256());
}

#[test]
fn golden_rows_are_at_least_eight_with_missing_values_among_them() {
    let artifact = trained(&firms(1500, -1.5, 9), "");
    assert!(artifact.golden.len() >= 9);
    let missing = |g: &yuxin::model::artifact::Golden| {
        g.inputs.iter().filter(|i| **i == yuxin::model::artifact::Input::Missing).count()
    };
    assert!(artifact.golden.iter().any(|g| missing(g) > 0 && missing(g) < g.inputs.len()));
    assert!(artifact.golden.iter().any(|g| missing(g) == g.inputs.len()));
}

#[test]
fn a_value_never_missing_in_training_gains_nothing_by_being_withheld() {
    let artifact = trained(&firms(2000, -1.5, 10), "");
    let revenue = table(&artifact, "revenue");
    assert_eq!(revenue.missing.count, 0);
    assert!(revenue.missing.points <= revenue.baseline && revenue.missing.points <= 0.0);
    // A town that training never met: there were no rare ones to learn from, so the same rule.
    let Shape::Text { other, .. } = table(&artifact, "town").shape else { panic!("town holds words") };
    let bin = table(&artifact, "town").bins[other];
    assert_eq!(bin.count, 0);
    assert!(bin.points <= table(&artifact, "town").baseline && bin.points <= 0.0);
}

#[test]
fn a_second_copy_of_a_feature_is_fitted_without_a_wrong_sign() {
    let mut data = firms(2000, -1.5, 11);
    let copy = column("revenue_again", data.columns[1].values.clone());
    data.columns.push(copy);
    let artifact = trained(&data, "");
    assert!(artifact.characteristics.iter().all(|c| c.points_per_woe > Some(0.0)));
}

#[test]
fn a_column_that_others_reverse_is_dropped_and_said_so() {
    // A copy of the cause with noise that another column explains away: its own coefficient turns negative.
    let mut random = ChaCha8Rng::seed_from_u64(12);
    let (mut a, mut b, mut bad) = (vec![], vec![], vec![]);
    for _ in 0..6000 {
        let (cause, noise) = (random.gen_range(-2.0..2.0_f64), random.gen_range(-2.0..2.0_f64));
        bad.push(random.gen_bool(1.0 / (1.0 + (1.0 - 2.0 * cause).exp())));
        a.push(cause + 0.5 * noise);
        b.push(noise + 0.1 * cause);
    }
    let data = Dataset { columns: vec![column("a", Values::Numeric(a)), column("b", Values::Numeric(b))], bad };
    let artifact = trained(&data, "[[feature]]\nname = \"b\"\nsign = \"+\"\nkeep = true");
    let dropped: Vec<_> = artifact.left_out.iter().map(|l| (l.column.as_str(), l.reason.as_str())).collect();
    assert_eq!(dropped.len(), 1, "{dropped:?}");
    assert!(dropped[0].0 == "b" && dropped[0].1.contains("wrong sign"), "{dropped:?}");
}

#[test]
fn ten_thousand_words_an_identifier_and_infinities_do_no_harm() {
    let mut data = firms(12_000, -1.5, 13);
    let many: Vec<String> = (0..10_000).map(|i| format!("w{i}")).collect();
    let codes = (0..12_000_u32).map(|row| row * 7 % 10_000).collect();
    data.columns.push(column("words", Values::Text { levels: many, codes }));
    let ids: Vec<String> = (0..12_000).map(|i| format!("id{i}")).collect();
    data.columns.push(column("id", Values::Text { levels: ids, codes: (0..12_000).collect() }));
    if let Values::Numeric(revenue) = &mut data.columns[1].values {
        revenue.iter_mut().step_by(50).for_each(|x| *x = f64::INFINITY);
        revenue.iter_mut().skip(1).step_by(50).for_each(|x| *x = f64::NEG_INFINITY);
    }
    let artifact = trained(&data, "folds = 2");
    let reason = |name: &str| artifact.left_out.iter().find(|l| l.column == name).map(|l| l.reason.clone());
    assert!(reason("id").unwrap().contains("identifier"));
    assert!(reason("words").is_some());
    let model = Model::from_bytes(&artifact.to_bytes().unwrap()).unwrap();
    let place = model.columns().iter().position(|c| c == "revenue").unwrap();
    let with = |x: f64| {
        let mut row = vec![Value::Missing; model.columns().len()];
        row[place] = Value::Number(x);
        model.score(&row).total
    };
    assert_eq!(with(f64::INFINITY), with(1e300));
    assert_eq!(with(f64::NEG_INFINITY), with(-1e300));
}

#[test]
fn too_few_of_an_outcome_noise_alone_and_no_columns_are_refused_with_the_reason() {
    let mut few = firms(500, -1.5, 14);
    few.bad = (0..500).map(|i| i < 5).collect();
    assert!(matches!(refused(&few, ""), TrainError::TooFew { bads: 5, goods: 495 }));
    few.bad = vec![true; 500];
    assert!(matches!(refused(&few, ""), TrainError::TooFew { bads: 500, goods: 0 }));
    let mut noise = firms(3000, -1.5, 15);
    noise.columns.retain(|c| c.name == "noise");
    assert!(matches!(
        refused(&noise, ""),
        TrainError::NoFeature(_) | TrainError::NoSignal { .. } | TrainError::Reversed { .. }
    ));
    let kept = refused(
        &noise,
        "bin_penalty = 0\nmin_bin_bads = 0\n[[feature]]\nname = \"noise\"\nkeep = true\nsign = \"none\"",
    );
    assert!(
        matches!(kept, TrainError::NoSignal { .. } | TrainError::Reversed { .. } | TrainError::NoFeature(_)),
        "{kept}"
    );
    noise.columns.clear();
    assert!(refused(&noise, "").to_string().contains("no column beside the target"));
}

#[test]
fn a_column_that_gives_the_outcome_away_is_used_with_a_warning() {
    let mut data = firms(2000, -1.5, 16);
    let leak = data.bad.iter().map(|b| if *b { 1.0 } else { 0.0 }).collect();
    data.columns.push(column("written_off", Values::Numeric(leak)));
    let artifact = trained(&data, "");
    assert!(artifact.warnings.iter().any(|w| w.starts_with("written_off") && w.contains("leak")));
    assert!(artifact.characteristics.iter().flat_map(points).all(f64::is_finite));
    Model::from_bytes(&artifact.to_bytes().unwrap()).unwrap();
}

#[test]
fn the_scale_and_the_grades_of_the_specification_are_those_of_the_model() {
    let spec = "[scaling]\nbase = 500\nodds = 20\npdo = 50\n[[grades]]\ngrade = \"good\"\npd_at_most = 0.1\n[[grades]]\ngrade = \"rest\"";
    let artifact = trained(&firms(2000, -1.5, 17), spec);
    let model = Model::from_bytes(&artifact.to_bytes().unwrap()).unwrap();
    for golden in &artifact.golden {
        let odds = (1.0 - golden.pd) / golden.pd;
        assert!((500.0 + 50.0 * (odds / 20.0).log2() - golden.total).abs() < 1e-9);
        assert!(golden.grade != "good" || golden.pd <= 0.1);
    }
    assert_eq!(model.grades().len(), 2);
}

#[test]
fn a_stated_bad_rate_is_the_mean_probability_that_a_scorecard_gives_the_rows_trained_on() {
    // Few rows: the tables fit their own rows better than rows that they had not seen, and the two means are far apart.
    let data = firms(400, -1.0, 3);
    for rate in [0.001, 0.03, 0.6] {
        let artifact = trained(&data, &format!("bad_rate = {rate}"));
        let model = Model::from_bytes(&artifact.to_bytes().unwrap()).unwrap();
        let places: Vec<usize> =
            model.columns().iter().map(|name| data.columns.iter().position(|c| c.name == *name).unwrap()).collect();
        let pd = |row: usize| {
            let values: Vec<Value<'_>> = places.iter().map(|place| data.columns[*place].values.get(row)).collect();
            model.score(&values).pd
        };
        let mean = (0..data.bad.len()).map(pd).sum::<f64>() / data.bad.len() as f64;
        // Half a 64th of a point is 0.03 % of the odds.
        assert!((mean / rate - 1.0).abs() < 0.0005, "{mean} for {rate}");
        assert_eq!((artifact.intercept * 64.0).fract(), 0.0);
    }
}

#[test]
fn a_change_in_any_bin_of_a_trained_model_is_noticed_whether_a_golden_row_falls_into_it_or_not() {
    let trained = trained(&firms(1500, -1.5, 9), "");
    let bytes = trained.to_bytes().unwrap();
    Model::from_bytes(&bytes).unwrap();
    let whole: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let mut changed = 0;
    for (table, of) in trained.characteristics.iter().enumerate() {
        for bin in 0..of.bins.len() {
            let mut other = whole.clone();
            let points = &mut other["characteristics"][table]["bins"][bin]["points"];
            *points = (points.as_f64().unwrap() + 1.0 / 64.0).into();
            Model::from_bytes(other.to_string().as_bytes()).unwrap_err();
            changed += 1;
        }
    }
    assert!(changed > 5, "{changed}");
}
