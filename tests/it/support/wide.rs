//! A made-up model of any width, and rows for it.

use std::fmt::Write;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value as Json, json};
use yuxin::model::Scaling;

/// Edges of every table of numbers: 0, 5, 10 and so on.
const EDGES: usize = 20;
/// Words that a table of words knows.
pub const WORDS: usize = 30;

/// A multiple of 1/64 up to 16 points either way.
fn points(random: &mut ChaCha8Rng) -> f64 {
    f64::from(random.gen_range(-1024..=1024_i32)) / 64.0
}

fn bins(count: usize, random: &mut ChaCha8Rng) -> Vec<Json> {
    (0..count).map(|_| json!({"points": points(random), "count": 10, "bads": 1, "woe": 0.1})).collect()
}

/// The word with a number.
pub fn word(n: usize) -> String {
    let towns = ["百官", "Songxia", "v_3", "小越", "district-of-the-north"];
    format!("{}{n}", towns[n % towns.len()])
}

/// The bytes of a model of `n0`, `n1` … (numbers), `w0`, `w1` … (words), and pairs of neighbours.
pub fn model(numbers: usize, words: usize, pairs: usize) -> Vec<u8> {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mut tables = Vec::new();
    for i in 0..numbers + words {
        let (feature, shape, count) = if i < numbers {
            let edges: Vec<f64> = (0..EDGES).map(|edge| edge as f64 * 5.0).collect();
            (format!("n{i}"), json!({"type": "numeric", "edges": edges}), EDGES + 1)
        } else {
            let levels: Vec<Vec<String>> =
                (0..6).map(|bin| (0..WORDS).filter(|n| n % 6 == bin).map(word).collect()).collect();
            (format!("w{}", i - numbers), json!({"type": "text", "levels": levels, "other": 5}), 6)
        };
        tables.push(json!({"feature": feature, "sign": "none", "iv": 0.1, "points_per_woe": null, "baseline": points(&mut random),
            "shape": shape, "bins": bins(count, &mut random), "missing": bins(1, &mut random)[0]}));
    }
    let pairs: Vec<Json> =
        (0..pairs).map(|i| pair(&tables[i % tables.len()], &tables[(i + 1) % tables.len()], &mut random)).collect();
    let golden = golden(&tables, &pairs);
    let artifact = json!({
        "format": "yuxin-model/2", "id": "wide", "kind": "additive", "label": {"column": "y", "bad": 1},
        "scaling": {"base": 600.0, "odds": 50.0, "pdo": 20.0}, "intercept": 550.015625,
        "characteristics": tables, "pairs": pairs,
        "grades": [{"grade": "A", "score_at_least": 600, "pd_at_most": 0.02}, {"grade": "B, or so", "score_at_least": 540, "pd_at_most": 0.2},
                   {"grade": "C", "score_at_least": null, "pd_at_most": null}],
        "training": {"data_sha256": "", "rows": 20, "bads": 0, "columns": [], "period": null, "dates": null, "seed": 1, "spec": {}, "calibration": [0.0, 1.0]},
        "measures": {"method": "out_of_fold", "folds": 5, "values": {"auc": 0.7, "ks": 0.3, "gini": 0.4, "brier": 0.1,
                     "log_loss": 0.3, "ece": 0.01, "n": 20, "bad_rate": 0.1},
                     "intervals": {"level": 0.95, "replicates": 200, "auc": [0.6, 0.8], "ks": [0.2, 0.4], "gini": [0.2, 0.6],
                     "brier": [0.1, 0.1], "log_loss": [0.2, 0.4], "ece": [0.0, 0.1], "bad_rate": [0.0, 0.2]}},
        "out_of_time": null, "left_out": [], "warnings": [], "golden": [golden]
    });
    artifact.to_string().into_bytes()
}

fn pair(first: &Json, second: &Json, random: &mut ChaCha8Rng) -> Json {
    let mut axis = |table: &Json| {
        let count = table["bins"].as_array().unwrap().len();
        json!({"feature": table["feature"], "groups": (0..count).map(|bin| bin % 5).collect::<Vec<_>>(), "missing": random.gen_range(0..5)})
    };
    let (first, second) = (axis(first), axis(second));
    let cells: Vec<Vec<f64>> = (0..5).map(|_| (0..5).map(|_| points(random)).collect()).collect();
    json!({"first": first, "second": second, "baseline": points(random), "points": cells, "counts": vec![vec![1; 5]; 5]})
}

/// The row without any value.
fn golden(tables: &[Json], pairs: &[Json]) -> Json {
    let mut given: Vec<f64> = tables.iter().map(|table| table["missing"]["points"].as_f64().unwrap()).collect();
    for pair in pairs {
        let group = |side: &str| pair[side]["missing"].as_u64().unwrap() as usize;
        let half = pair["points"][group("first")][group("second")].as_f64().unwrap() / 2.0;
        for side in ["first", "second"] {
            given[tables.iter().position(|table| table["feature"] == pair[side]["feature"]).unwrap()] += half;
        }
    }
    let total = 550.015625 + given.iter().sum::<f64>();
    let scale = Scaling::default();
    let score = total.round() as i64;
    let grade = if score >= 600 {
        "A"
    } else if score >= 540 {
        "B, or so"
    } else {
        "C"
    };
    json!({"inputs": vec![Json::Null; tables.len()], "points": given, "total": total, "score": score,
           "pd": 1.0 / (1.0 + ((total - scale.offset()) / scale.factor()).exp()), "grade": grade})
}

/// The header of such rows: a code, the features, and a note that the model does not use.
pub fn header(numbers: usize, words: usize) -> String {
    let mut line = String::from("code");
    (0..numbers).for_each(|i| write!(line, ",n{i}").unwrap());
    (0..words).for_each(|i| write!(line, ",w{i}").unwrap());
    line + ",note\n"
}

/// A row; one cell in twelve is missing.
pub fn push_row(line: &mut String, row: usize, numbers: usize, words: usize, random: &mut ChaCha8Rng) {
    write!(line, "91330604MA{row:08}").unwrap();
    for _ in 0..numbers {
        match random.gen_range(0..12) {
            0 => line.push(','),
            1..6 => write!(line, ",{}", random.gen_range(-10..120)).unwrap(),
            _ => write!(line, ",{:.2}", random.gen_range(-10.0..120.0)).unwrap(),
        }
    }
    for _ in 0..words {
        match random.gen_range(0..12) {
            0 => line.push_str(",NA"),
            _ => write!(line, ",{}", word(random.gen_range(0..WORDS + 3))).unwrap(),
        }
    }
    line.push_str(",kept\n");
}

/// A CSV of `rows` rows.
pub fn csv(rows: usize, numbers: usize, words: usize, seed: u64) -> String {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut text = header(numbers, words);
    (0..rows).for_each(|row| push_row(&mut text, row, numbers, words, &mut random));
    text
}
