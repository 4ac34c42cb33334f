//! What training of additive models promises: sharper tables, the same on any number of threads, directions kept, exact sums.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use yuxin::model::artifact::{Artifact, Kind, Sign};
use yuxin::model::dataset::{Dataset, Values};
use yuxin::model::measure::auc_and_ks;
use yuxin::model::train::TrainError;
use yuxin::model::{Model, Value};

use crate::model_training::{column, firms, trained_as};

fn trained(data: &Dataset, kind: Kind, spec: &str) -> Artifact {
    trained_as(data, kind, spec, 2).unwrap().artifact
}

fn row<'a>(model: &Model, data: &'a Dataset, row: usize) -> Vec<Value<'a>> {
    let place = |name: &String| data.columns.iter().find(|column| column.name == *name).unwrap();
    model.columns().iter().map(|name| place(name).values.get(row)).collect()
}

fn auc(artifact: &Artifact, data: &Dataset) -> f64 {
    let model = Model::from_bytes(&artifact.to_bytes().unwrap()).unwrap();
    let risk: Vec<f64> = (0..data.bad.len()).map(|i| model.score(&row(&model, data, i)).pd).collect();
    auc_and_ks(&risk, &data.bad).unwrap().0
}

/// Bad where exactly one of two numbers is high, and more so with a third: nothing that one feature tells alone.
fn crossed(rows: usize, seed: u64) -> Dataset {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut draws = || (0..rows).map(|_| random.gen_range(0.0..1.0)).collect::<Vec<f64>>();
    let (a, b, c, luck) = (draws(), draws(), draws(), draws());
    let risk = |i: usize| 0.08 + 0.35 * f64::from(u8::from((a[i] > 0.4) != (b[i] > 0.6))) + 0.25 * c[i];
    let bad = (0..rows).map(|i| luck[i] < risk(i)).collect();
    let columns = vec![
        column("a", Values::Numeric(a.clone())),
        column("b", Values::Numeric(b.clone())),
        column("c", Values::Numeric(c.clone())),
    ];
    Dataset { columns, bad }
}

#[test]
fn what_two_features_tell_only_together_is_found_and_a_scorecard_misses_it() {
    let (seen, new) = (crossed(4000, 1), crossed(3000, 2));
    let additive = trained(&seen, Kind::Additive, "");
    let pair = additive.pairs.iter().find(|pair| pair.first.feature == "a" && pair.second.feature == "b").unwrap();
    assert!(pair.points.iter().flatten().any(|points| *points > 10.0));
    let (sharp, plain) = (auc(&additive, &new), auc(&trained(&seen, Kind::Scorecard, ""), &new));
    assert!(sharp > plain + 0.05, "{sharp} {plain}");
}

#[test]
fn the_same_seed_gives_the_same_bytes_on_any_number_of_threads() {
    let data = firms(600, -1.0, 5);
    let bytes = |threads| trained_as(&data, Kind::Additive, "", threads).unwrap().artifact.to_bytes().unwrap();
    let one = bytes(1);
    assert!(one == bytes(2) && one == bytes(5));
}

#[test]
fn columns_that_cannot_be_cut_take_nothing_from_the_others() {
    let (mut data, new) = (firms(3000, -1.0, 27), firms(3000, -1.0, 28));
    let alone = auc(&trained(&data, Kind::Additive, ""), &new);
    let rows = data.bad.len();
    for i in 0..6 {
        // Each word twice: all are rare, and pooled.
        let levels = (0..rows / 2).map(|word| format!("{i} {word}")).collect();
        data.columns.push(column(
            &format!("rare_{i}"),
            Values::Text { levels, codes: (0..rows).map(|r| (r / 2) as u32).collect() },
        ));
    }
    let beside = auc(&trained(&data, Kind::Additive, ""), &new);
    assert!((alone - beside).abs() < 0.01, "{alone} {beside}");
}

#[test]
fn a_pair_carries_no_main_effect_over_the_training_rows() {
    let artifact = trained(&crossed(3000, 3), Kind::Additive, "");
    for pair in &artifact.pairs {
        for (points, counts) in pair.points.iter().zip(&pair.counts) {
            let rows: u64 = counts.iter().sum();
            let sum: f64 = points.iter().zip(counts).map(|(points, rows)| points * *rows as f64).sum();
            // Cells are joined with a little of their neighbours and rounded.
            assert!(sum.abs() <= 0.35 * rows as f64 + 1.0, "{} of {rows} rows", sum);
        }
    }
}

#[test]
fn a_direction_is_kept_by_every_bin_and_such_a_feature_stands_in_no_pair() {
    let spec = "[[feature]]\nname = \"late_filings\"\nsign = \"+\"\n[[feature]]\nname = \"revenue\"\nsign = \"-\"";
    let artifact = trained(&firms(2000, -1.0, 7), Kind::Additive, spec);
    for (feature, sign) in [("late_filings", Sign::Plus), ("revenue", Sign::Minus)] {
        let table = artifact.characteristics.iter().find(|of| of.feature == feature).unwrap();
        let points: Vec<f64> = table.bins.iter().map(|bin| bin.points).collect();
        let kept = if sign == Sign::Plus { points.is_sorted_by(|a, b| a >= b) } else { points.is_sorted() };
        assert!(table.sign == sign && kept && points.len() > 2, "{points:?}");
        assert!(artifact.pairs.iter().all(|pair| pair.first.feature != feature && pair.second.feature != feature));
    }
}

#[test]
fn counts_of_bins_and_cells_are_those_of_the_training_rows() {
    let data = firms(1500, -1.0, 9);
    let artifact = trained(&data, Kind::Additive, "");
    assert_eq!(artifact.kind, Kind::Additive);
    for table in &artifact.characteristics {
        let rows: u64 = table.bins.iter().chain([&table.missing]).map(|bin| bin.count).sum();
        let bads: u64 = table.bins.iter().chain([&table.missing]).map(|bin| bin.bads).sum();
        assert_eq!((rows, bads), (artifact.training.rows, artifact.training.bads));
    }
    for pair in &artifact.pairs {
        assert_eq!(pair.counts.iter().flatten().sum::<u64>(), artifact.training.rows);
    }
}

#[test]
fn a_stated_bad_rate_moves_the_mean_probability_there_and_no_one_in_the_order() {
    let data = firms(2000, -1.0, 11);
    let plain = trained(&data, Kind::Additive, "");
    let moved = trained(&data, Kind::Additive, "bad_rate = 0.02");
    let mean = |artifact: &Artifact| {
        let model = Model::from_bytes(&artifact.to_bytes().unwrap()).unwrap();
        (0..data.bad.len()).map(|i| model.score(&row(&model, &data, i)).pd).sum::<f64>() / data.bad.len() as f64
    };
    assert!((mean(&moved) - 0.02).abs() < 0.002, "{}", mean(&moved));
    assert_eq!(plain.characteristics, moved.characteristics);
    assert_eq!(auc(&plain, &data), auc(&moved, &data));
}

#[test]
fn dates_split_the_rows_and_both_measures_are_there_with_intervals() {
    let mut data = firms(1600, -1.0, 13);
    let days: Vec<String> = (0..16).map(|i| format!("2021-{:02}-01", i % 12 + 1)).collect();
    let mut levels: Vec<String> = days.clone();
    levels.sort();
    levels.dedup();
    let codes = (0..1600).map(|row| (row % levels.len()) as u32).collect();
    data.columns.push(column("applied_on", Values::Text { levels, codes }));
    let found = trained_as(&data, Kind::Additive, "[[regime]]\non = \"2021-04-01\"\nwhat = \"new rules\"", 2).unwrap();
    let (artifact, later) = (&found.artifact, found.out_of_time.unwrap());
    let dates = artifact.training.dates.as_ref().unwrap();
    assert_eq!((dates.column.as_str(), dates.from.to_string().as_str()), ("applied_on", "2021-01-01"));
    assert!(dates.later_from.unwrap() > dates.to);
    assert_eq!(later.rows.len() as u64 + artifact.training.rows, 1600);
    let measured = artifact.out_of_time.as_ref().unwrap();
    assert!(measured.intervals.auc[0] <= measured.values.auc && measured.values.auc <= measured.intervals.auc[1]);
    assert_eq!(measured.values.n, later.rows.len() as u64);
    assert!(artifact.warnings.iter().any(|warning| warning.contains("new rules")));
    assert!(artifact.left_out.iter().any(|of| of.column == "applied_on" && of.reason.contains("date")));
}

#[test]
fn awkward_data_gives_a_model_without_a_nan_or_a_clear_error() {
    let mut data = firms(900, -1.0, 17);
    let rows = data.bad.len();
    let many: Vec<String> = (0..rows / 2).map(|i| format!("level {i}")).collect();
    let extremes = (0..rows).map(|i| [f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 1e308, -1e308, 0.0][i % 6]).collect();
    data.columns.extend([
        column("constant", Values::Numeric(vec![3.0; rows])),
        column("absent", Values::Numeric(vec![f64::NAN; rows])),
        column("extremes", Values::Numeric(extremes)),
        column("tiny", Values::Numeric((0..rows).map(|i| i as f64 * 5e-324).collect())),
        column("many", Values::Text { levels: many, codes: (0..rows).map(|i| (i / 2) as u32).collect() }),
    ]);
    for kind in [Kind::Additive, Kind::Scorecard] {
        let artifact = trained(&data, kind, "");
        let text = String::from_utf8(artifact.to_bytes().unwrap()).unwrap();
        assert!(!text.contains("NaN") && !text.contains("inf,"));
        Model::from_bytes(text.as_bytes()).unwrap();
        assert!(artifact.left_out.iter().any(|of| of.column == "constant"));
        data.bad.iter_mut().for_each(|bad| *bad = !*bad);
        trained(&data, kind, "");
        data.bad.iter_mut().for_each(|bad| *bad = !*bad);
    }
    let one = Dataset { columns: data.columns.clone(), bad: vec![true; rows] };
    assert!(matches!(trained_as(&one, Kind::Additive, "", 2), Err(TrainError::TooFew { goods: 0, .. })));
    let none = Dataset { columns: Vec::new(), bad: data.bad.clone() };
    assert!(matches!(trained_as(&none, Kind::Additive, "", 2), Err(TrainError::NoFeature(_))));
}

#[test]
fn a_few_hundred_rows_and_a_bad_one_in_two_hundred_are_enough_for_a_model_with_honest_intervals() {
    let small = trained(&firms(300, -0.5, 19), Kind::Additive, "");
    assert!(small.measures.intervals.auc[1] - small.measures.intervals.auc[0] > 0.05);
    let rare = firms(12_000, -6.2, 23);
    let share = rare.bad.iter().filter(|bad| **bad).count() as f64 / rare.bad.len() as f64;
    assert!((0.002..0.008).contains(&share), "{share}");
    let rare = trained(&rare, Kind::Additive, "[additive]\nbags = 8");
    assert!(rare.measures.values.auc > 0.65 && rare.measures.values.ece < 0.004);
    assert!(rare.measures.intervals.auc[1] - rare.measures.intervals.auc[0] > 0.02);
}

/// Columns of noise, and an outcome that has nothing to do with them.
fn noise(rows: usize, columns: usize, seed: u64) -> Dataset {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let columns = (0..columns)
        .map(|i| column(&format!("f{i}"), Values::Numeric((0..rows).map(|_| random.gen_range(0.0..1.0)).collect())))
        .collect();
    Dataset { columns, bad: (0..rows).map(|i| i % 10 == 0).collect() }
}

#[test]
fn noise_is_refused_however_many_columns_of_it_there_are() {
    let accepted = (0..4)
        .filter(|seed| trained_as(&noise(300, 60, *seed), Kind::Additive, "[additive]\nbags = 8", 2).is_ok())
        .count();
    // One in twenty may pass by chance.
    assert!(accepted <= 1, "{accepted} of 4");
}

#[test]
fn rows_that_training_never_saw_are_ordered_as_well_as_it_says() {
    let artifact = trained(&firms(400, -1.5, 21), Kind::Additive, "[additive]\nbags = 8");
    let later = auc(&artifact, &firms(4000, -1.5, 22));
    let [low, high] = artifact.measures.intervals.auc;
    assert!((low..=high).contains(&later), "{later} is not within {low} and {high}");
}
