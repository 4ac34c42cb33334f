//! Models and rows for the tests of exports: what is awkward for engines, in names, words, numbers and shapes.

use std::path::{Path, PathBuf};

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value as Json, json};
use yuxin::model::artifact::Shape;
use yuxin::model::export::pmml::pmml;
use yuxin::model::export::sql::{Dialect, Target, sql};
use yuxin::model::{Model, Scaling};

use super::engines::{Cell, Job, Type};

/// Parts of a point.
const PARTS: f64 = 64.0;

pub fn bin(points: f64) -> Json {
    json!({"points": points, "count": 1, "bads": 0, "woe": 0.0})
}

pub fn characteristic(feature: &str, shape: Json, points: &[f64], missing: f64, baseline: f64) -> Json {
    json!({"feature": feature, "sign": "none", "iv": 0.1, "points_per_woe": null, "baseline": baseline, "shape": shape,
           "bins": points.iter().map(|p| bin(*p)).collect::<Vec<_>>(), "missing": bin(missing)})
}

/// A model of these tables, with a golden row of missing values.
pub fn model(id: &str, intercept: f64, tables: Vec<Json>, pairs: Vec<Json>) -> Model {
    let table = |name: &Json| tables.iter().position(|t| t["feature"] == *name).unwrap();
    let mut points: Vec<f64> = tables.iter().map(|t| t["missing"]["points"].as_f64().unwrap()).collect();
    for pair in &pairs {
        let [row, column] = ["first", "second"].map(|side| pair[side]["missing"].as_u64().unwrap() as usize);
        for side in ["first", "second"] {
            points[table(&pair[side]["feature"])] += pair["points"][row][column].as_f64().unwrap() / 2.0;
        }
    }
    let total = intercept + points.iter().sum::<f64>();
    let (scale, score) = (Scaling::default(), total.round());
    let grade = if score >= 580.0 {
        "A"
    } else if score >= -300.0 {
        "B'"
    } else {
        "C\\"
    };
    let artifact = json!({
        "format": "yuxin-model/2", "id": id, "kind": "additive", "label": {"column": "y", "bad": 1},
        "scaling": {"base": 600.0, "odds": 50.0, "pdo": 20.0}, "intercept": intercept,
        "characteristics": tables, "pairs": pairs,
        "grades": [
            {"grade": "A", "score_at_least": 580, "pd_at_most": 0.04},
            {"grade": "B'", "score_at_least": -300, "pd_at_most": 0.11},
            {"grade": "C\\", "score_at_least": null, "pd_at_most": null}
        ],
        "training": {"data_sha256": "", "rows": 20, "bads": 0, "columns": [], "period": null, "dates": null, "seed": 1,
                     "spec": {}, "calibration": [0.0, 1.0]},
        "measures": {"method": "out_of_fold", "folds": 5, "values": {"auc": 0.7, "ks": 0.3, "gini": 0.4, "brier": 0.1,
                     "log_loss": 0.3, "ece": 0.01, "n": 20, "bad_rate": 0.1},
                     "intervals": {"level": 0.95, "replicates": 200, "auc": [0.6, 0.8], "ks": [0.2, 0.4], "gini": [0.2, 0.6],
                     "brier": [0.1, 0.1], "log_loss": [0.2, 0.4], "ece": [0.0, 0.1], "bad_rate": [0.0, 0.2]}},
        "out_of_time": null, "left_out": [], "warnings": [],
        "golden": [{"inputs": vec![Json::Null; tables.len()], "points": points, "total": total, "score": score as i64,
                    "pd": 1.0 / (1.0 + ((total - scale.offset()) / scale.factor()).exp()), "grade": grade}]
    });
    Model::from_bytes(artifact.to_string().as_bytes()).unwrap_or_else(|e| panic!("{id}: {e}"))
}

/// Names, words and numbers that end quotes, comments and lines elsewhere; ties; pairs of all kinds; totals on both sides of zero.
pub fn awkward(intercept: f64) -> Model {
    let tables = vec![
        characteristic(
            "late days",
            json!({"type": "numeric", "edges": [0.0, 0.1, 0.30000000000000004, 1.0e-3 + 1.0, 7.0]}),
            &[20.25, 3.5, 0.0, -0.5, -31.734375, -40.015625],
            -2.5,
            4.5,
        ),
        characteristic(
            "re\"ve'nue`<&>\\",
            json!({"type": "numeric", "edges": [-1e300, -123456789.12345679, -5e-324, 1e-7, 12345678901234567.0, 1e300]}),
            &[-8.0, 9.5, 4.5, 2.0, 4.5, -3.25, 1.0],
            4.5,
            4.5,
        ),
        characteristic("税务 评级", json!({"type": "numeric", "edges": []}), &[1.5], -6.0, 1.5),
        characteristic(
            "1st -- town;",
            json!({"type": "text", "levels": [["Baiguan", "1", "0.5", "a\"b'c\\d`${x}"], [], ["崧厦", "x  y", "<&>", "1 "], ["TRUE"]],
                   "other": 1}),
            &[6.0, -3.0, 4.5, 4.484375],
            -1.0,
            4.5,
        ),
        characteristic(
            "Größe",
            json!({"type": "text", "levels": [["S"], ["M", "L"]], "other": 0}),
            &[0.0, 9.0],
            0.0,
            4.5,
        ),
        characteristic("tie", json!({"type": "numeric", "edges": [5.0]}), &[0.0, 9.0], 4.5, 4.5),
    ];
    let side = |feature: &str, groups: &[usize], missing: usize| json!({"feature": feature, "groups": groups, "missing": missing});
    let pair = |first: Json, second: Json, baseline: f64, points: Json| {
        let counts: Vec<Vec<u64>> =
            points.as_array().unwrap().iter().map(|row| vec![1; row.as_array().unwrap().len()]).collect();
        json!({"first": first, "second": second, "baseline": baseline, "points": points, "counts": counts})
    };
    let revenue = "re\"ve'nue`<&>\\";
    let pairs = vec![
        pair(
            side("late days", &[0, 1, 1, 0, 2, 2], 3),
            side(revenue, &[0, 0, 1, 1, 0, 0, 0], 1),
            0.015625,
            json!([[4.0, -3.0], [-6.5, 7.265625], [1.0, -1.0], [0.5, 0.25]]),
        ),
        pair(
            side("税务 评级", &[0], 1),
            side("1st -- town;", &[0, 1, 1, 0], 2),
            -0.5,
            json!([[9.0, -8.0, 0.5], [-5.0, 2.5, 1.0]]),
        ),
        pair(
            side("1st -- town;", &[0, 1, 0, 0], 0),
            side("late days", &[0, 0, 0, 0, 0, 0], 0),
            1.0,
            json!([[2.0], [-2.0]]),
        ),
        pair(side("税务 评级", &[0], 0), side(revenue, &[0, 0, 0, 1, 1, 1, 1], 1), 0.0, json!([[0.015625, -0.015625]])),
    ];
    model("awkward\n-- \"id\" \\", intercept, tables, pairs)
}

/// As large as models get: 60 features of 60 bins, 150 pairs of 12 groups by 12.
pub fn large() -> Model {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mut some = |size: i32| f64::from(random.gen_range(-size..size)) / PARTS;
    let mut tables = Vec::new();
    for i in 0..60_u32 {
        let points: Vec<f64> = (0..60).map(|_| some(1500)).collect();
        let shape = match i % 10 {
            9 => {
                let level = |bin: usize| vec![format!("word {bin}"), format!("Wort {bin}"), format!("{bin}")];
                json!({"type": "text", "levels": (0..60).map(level).collect::<Vec<_>>(), "other": 7})
            }
            _ => {
                json!({"type": "numeric", "edges": (1..60).map(|e| f64::from(e) * 0.1 + f64::from(i)).collect::<Vec<f64>>()})
            }
        };
        tables.push(characteristic(&format!("feature {i}"), shape, &points, some(1500), some(500)));
    }
    let mut pairs = Vec::new();
    for k in 0..150_usize {
        let (a, b) = (k % 60, (k % 60 + 1 + 7 * (k / 60)) % 60);
        let side = |i: usize| json!({"feature": format!("feature {i}"), "groups": (0..60).map(|bin| bin / 5).collect::<Vec<usize>>(), "missing": k % 12});
        let points: Vec<Vec<f64>> = (0..12).map(|_| (0..12).map(|_| some(300)).collect()).collect();
        pairs.push(json!({"first": side(a), "second": side(b), "baseline": some(50), "points": points, "counts": vec![vec![1; 12]; 12]}));
    }
    model("large", 500.0, tables, pairs)
}

/// The model that is shipped.
pub fn shipped() -> Model {
    Model::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("models/district-scorecard.json")).unwrap()
}

/// Words that engines may read in ways of their own.
const WORDS: [&str; 18] = [
    "Baiguan",
    " Baiguan\t",
    "\u{3000}崧厦\u{a0}",
    "baiguan",
    "x  y",
    "x y",
    "a\"b'c\\d`${x}",
    "a\"b'c\\d`",
    "<&>",
    "",
    "  ",
    "NA",
    " null ",
    "?",
    "TRUE",
    "true",
    "1",
    "0.5",
];

/// The values of a feature that may be in a table of doubles and words.
pub fn awkward_cells(shape: &Shape, random: &mut ChaCha8Rng) -> Cell {
    match shape {
        Shape::Numeric { edges } => {
            let edge = edges.choose(random).copied().unwrap_or(1.0);
            match random.gen_range(0..14) {
                0 => Cell::Null,
                1 => Cell::Double(f64::NAN),
                2 => Cell::Double(*[f64::INFINITY, f64::NEG_INFINITY].choose(random).unwrap()),
                3 => Cell::Double(*[0.0, -0.0, f64::MIN_POSITIVE, -5e-324, f64::MAX, f64::MIN].choose(random).unwrap()),
                4 => Cell::Double(edge.next_down()),
                5 => Cell::Double(edge.next_up()),
                6 | 7 => Cell::Double(edge),
                8 => Cell::Double(random.gen_range(-1e4..1e4)),
                _ => Cell::Double(edge + random.gen_range(-3.0..3.0)),
            }
        }
        Shape::Text { levels, .. } => {
            let known: Vec<&String> = levels.iter().flatten().collect();
            match random.gen_range(0..8) {
                0 => Cell::Null,
                1..=3 => Cell::Text((*WORDS.choose(random).unwrap()).to_owned()),
                _ => known.choose(random).map_or(Cell::Null, |word| Cell::Text((*word).clone())),
            }
        }
    }
}

/// The same value written out in a column of texts.
pub fn as_text(cell: Cell, random: &mut ChaCha8Rng) -> Cell {
    let Cell::Double(x) = cell else { return cell };
    let text = match random.gen_range(0..4) {
        _ if x.is_nan() => "NaN".to_owned(),
        _ if x.is_infinite() => (if x > 0.0 { ["inf", "+Infinity", "INF"] } else { ["-inf", "-infinity", "-Inf"] })
            [random.gen_range(0..3)]
        .to_owned(),
        0 => format!("  {x:?} "),
        1 => format!("{x:e}\u{3000}"),
        2 if x.is_sign_positive() => format!("+{x:?}"),
        _ => format!("{x}"),
    };
    Cell::Text(text)
}

/// Rows of these cells for a model.
pub fn job(model: &Model, count: usize, types: &[Type], mut cell: impl FnMut(usize, &Shape) -> Cell) -> Job {
    let tables = &model.artifact().characteristics;
    let row = |_| tables.iter().enumerate().map(|(i, of)| cell(i, &of.shape)).collect();
    Job {
        document: PathBuf::new(),
        table: "firms".to_owned(),
        prefix: String::new(),
        features: model.columns().to_vec(),
        columns: model.columns().iter().cloned().zip(types.iter().copied()).collect(),
        rows: (0..count).map(row).collect(),
    }
}

/// Doubles and words, as the features are.
pub fn typed_job(model: &Model, count: usize, seed: u64) -> Job {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let is_text = |shape: &Shape| matches!(shape, Shape::Text { .. });
    let types: Vec<Type> = (model.artifact().characteristics.iter())
        .map(|of| if is_text(&of.shape) { Type::Text } else { Type::Double })
        .collect();
    job(model, count, &types, |_, shape| awkward_cells(shape, &mut random))
}

/// The job with its document written into `folder`.
pub fn with_sql(mut job: Job, model: &Model, dialect: Dialect, folder: &Path, name: &str) -> Job {
    let target = Target { dialect, table: &job.table, prefix: &job.prefix };
    job.document = folder.join(format!("{name}.sql"));
    std::fs::write(&job.document, sql(model, target).unwrap()).unwrap();
    job
}

/// The job with its document written into `folder`.
pub fn with_pmml(mut job: Job, model: &Model, folder: &Path, name: &str) -> Job {
    job.document = folder.join(format!("{name}.pmml"));
    std::fs::write(&job.document, pmml(model, &job.prefix).unwrap()).unwrap();
    job
}
