//! Models with everything that a report shows: made-up firms, a trained scorecard, out-of-fold probabilities, later rows, periods.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use yuxin::model::additive::Means;
use yuxin::model::artifact::{Artifact, Axis, Kind, Pair};
use yuxin::model::dataset::{Column, Dataset, MISSING_CODE, Values};
use yuxin::model::report::{Report, ReportInput, ScoredSet, SetName, report};
use yuxin::model::spec::TrainingSpec;
use yuxin::model::train::{Origin, train};
use yuxin::model::{Model, Value};

/// A word that would be markup where it is not escaped.
pub const HOSTILE: &str = "<script>alert('坏')</script>&\"";

/// What a report is made from, owned.
pub struct Case {
    pub artifact: Artifact,
    pub data: Dataset,
    pub trained: Vec<usize>,
    pub later: Vec<usize>,
    pub pd: Vec<f64>,
    pub periods: Vec<Option<String>>,
}

/// Firms whose default follows from late filings, revenue and the town; the last quarter of the rows is later, and riskier.
pub fn firms(rows: usize, extra_columns: usize, seed: u64) -> Dataset {
    const TOWNS: [(&str, f64); 5] =
        [("百官街道", -0.8), ("Songxia", 0.0), ("丰惠镇", 0.3), ("章镇镇", 1.0), (HOSTILE, 0.6)];
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let (mut late, mut revenue, mut noise, mut town, mut bad) = (vec![], vec![], vec![], vec![], vec![]);
    let mut extra: Vec<Vec<f64>> = vec![Vec::new(); extra_columns];
    for row in 0..rows {
        let drift = if row > rows * 3 / 4 { 1.5 } else { 0.0 };
        let (l, r) = (random.gen_range(0..8), random.gen_range(0.0..10.0_f64) - drift);
        let t = random.gen_range(0..TOWNS.len());
        let mut z = -2.2 + 0.35 * f64::from(l) - 0.3 * r + TOWNS[t].1;
        for column in &mut extra {
            let x: f64 = random.gen_range(-1.0..1.0) + 0.1 * r;
            z += 0.25 * x;
            column.push(x);
        }
        bad.push(random.gen_bool(1.0 / (1.0 + (-z).exp())));
        late.push(if random.gen_bool(0.1) { f64::NAN } else { f64::from(l) });
        revenue.push(r * 10_000.0);
        noise.push(random.gen_range(0.0..1.0));
        town.push(if random.gen_bool(0.05) { MISSING_CODE } else { t as u32 });
    }
    let levels = TOWNS.iter().map(|t| t.0.to_owned()).collect();
    let column = |name: String, values| Column { name, values };
    let mut columns = vec![
        column("late_filings_24m".into(), Values::Numeric(late)),
        column("申报营业收入_12m".into(), Values::Numeric(revenue)),
        column("noise".into(), Values::Numeric(noise)),
        column(format!("town {HOSTILE}"), Values::Text { levels, codes: town }),
        column("constant".into(), Values::Numeric(vec![1.0; rows])),
    ];
    columns.extend(extra.into_iter().enumerate().map(|(i, x)| column(format!("feature_{i}"), Values::Numeric(x))));
    Dataset { columns, bad }
}

fn subset(data: &Dataset, rows: &[usize]) -> Dataset {
    let values = |values: &Values| match values {
        Values::Numeric(x) => Values::Numeric(rows.iter().map(|row| x[*row]).collect()),
        Values::Text { levels, codes } => {
            Values::Text { levels: levels.clone(), codes: rows.iter().map(|row| codes[*row]).collect() }
        }
    };
    let columns = data.columns.iter().map(|c| Column { name: c.name.clone(), values: values(&c.values) }).collect();
    Dataset { columns, bad: rows.iter().map(|row| data.bad[*row]).collect() }
}

/// A model trained on the first three quarters of the rows, by quarter of the year.
pub fn trained(rows: usize, extra_columns: usize, spec: &str) -> Case {
    let data = firms(rows, extra_columns, 3);
    let (trained, later): (Vec<usize>, Vec<usize>) = (0..rows).partition(|row| *row < rows * 3 / 4);
    let spec = TrainingSpec::from_toml(spec).unwrap();
    let origin = Origin { id: "demo-<model>".into(), target: "bad 12m".into(), data_sha256: "ab".repeat(32) };
    let artifact = train(
        &subset(&data, &trained),
        Kind::Scorecard,
        &spec,
        &origin,
        &Means { seed: 1, threads: 2, progress: &|_| () },
    )
    .unwrap()
    .artifact;
    let model = Model::from_bytes(&artifact.to_bytes().unwrap()).unwrap();
    let places: Vec<usize> =
        model.columns().iter().map(|name| data.columns.iter().position(|c| c.name == *name).unwrap()).collect();
    let pd = (0..rows).map(|row| {
        let values: Vec<Value<'_>> = places.iter().map(|place| data.columns[*place].values.get(row)).collect();
        model.score(&values).pd
    });
    let pd = pd.collect();
    let period = |row: usize| {
        (!row.is_multiple_of(97)).then(|| format!("{}Q{}", 2019 + row * 3 / rows, row * 12 / rows % 4 + 1))
    };
    Case { artifact, trained, later, pd, periods: (0..rows).map(period).collect(), data }
}

impl Case {
    /// Adds a table over each two of the first `features` features, as an additive model has them.
    pub fn pair_up(&mut self, features: usize) {
        let tables = &self.artifact.characteristics;
        let axis = |i: usize| {
            let bins = tables[i].bins.len();
            Axis { feature: tables[i].feature.clone(), groups: (0..bins).collect(), missing: bins }
        };
        let mut pairs = Vec::new();
        for i in 0..features.min(tables.len()) {
            for j in 0..i {
                let (first, second) = (axis(i), axis(j));
                let points = |r: usize, c: usize| ((r * 3 + c * 2 + i + j) / 8 % 11) as f64 - 5.0;
                pairs.push(Pair {
                    baseline: 0.0,
                    points: (0..first.len()).map(|r| (0..second.len()).map(|c| points(r, c)).collect()).collect(),
                    counts: (0..first.len()).map(|r| (0..second.len()).map(|c| (r * c) as u64).collect()).collect(),
                    first,
                    second,
                });
            }
        }
        self.artifact.pairs = pairs;
        self.artifact.kind = Kind::Additive;
    }

    /// The report, with both sets and the periods.
    pub fn report(&self) -> Report {
        let pd = |rows: &[usize]| -> Vec<f64> { rows.iter().map(|row| self.pd[*row]).collect() };
        let (trained, later) = (pd(&self.trained), pd(&self.later));
        let sets = vec![
            ScoredSet { name: SetName::OutOfFold, rows: &self.trained, pd: &trained },
            ScoredSet { name: SetName::OutOfTime, rows: &self.later, pd: &later },
        ];
        let periods = Some(self.periods.clone());
        let input =
            ReportInput { artifact: &self.artifact, model_sha256: &"cd".repeat(32), data: &self.data, sets, periods };
        report(&input, 1)
    }
}

/// A hand-made model of many features, bins and pairs on a few thousand rows of chance, tables as an additive model has them.
pub fn large(features: usize, bins: usize, pairs: usize) -> Case {
    let mut case = trained(1600, 0, "");
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let rows = case.data.bad.len();
    let of_chance = (0..features).map(|i| Column {
        name: format!("a_rather_long_feature_name_{i}"),
        values: Values::Numeric((0..rows).map(|_| random.gen_range(0.0..bins as f64)).collect()),
    });
    case.data.columns = of_chance.collect();
    let template = case.artifact.characteristics[0].clone();
    let bin = |i: usize, j: usize| yuxin::model::artifact::Bin {
        points: ((i + j) % 64) as f64 / 8.0 - 3.0,
        count: (i * j % 90) as u64,
        bads: (i * j % 90 / 5) as u64,
        woe: 0.1,
    };
    let table = |i: usize| yuxin::model::artifact::Characteristic {
        feature: format!("a_rather_long_feature_name_{i}"),
        sign: yuxin::model::artifact::Sign::Free,
        shape: yuxin::model::artifact::Shape::Numeric { edges: (1..bins).map(|j| j as f64).collect() },
        bins: (0..bins).map(|j| bin(i, j)).collect(),
        ..template.clone()
    };
    case.artifact.characteristics = (0..features).map(table).collect();
    case.pair_up(features);
    case.artifact.pairs.truncate(pairs);
    case
}
