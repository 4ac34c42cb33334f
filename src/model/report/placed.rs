//! The bin of every row in every table.

use crate::model::Value;
use crate::model::artifact::Artifact;
use crate::model::dataset::{Dataset, MISSING_CODE, Values};
use crate::model::lookup::Table;

/// The bins of the rows of one feature.
pub struct Placed {
    /// The bin of each row; the last one is that of missing values.
    pub bins: Vec<u32>,
    /// The points of each bin.
    pub points: Vec<f64>,
}

/// The bins of all rows, one entry a table. A column that the data do not have is missing in every row.
pub fn place(artifact: &Artifact, data: &Dataset) -> Vec<Placed> {
    let of = |of: &crate::model::artifact::Characteristic| {
        let table = Table::new(of);
        let column = data.columns.iter().find(|column| column.name == of.feature);
        let bins = match column.map(|column| &column.values) {
            None => vec![bin(&table, Value::Missing); data.bad.len()],
            Some(Values::Numeric(numbers)) => numbers.iter().map(|x| bin(&table, Value::Number(*x))).collect(),
            Some(Values::Text { levels, codes }) => {
                let missing = bin(&table, Value::Missing);
                let of_level: Vec<u32> = levels.iter().map(|word| bin(&table, Value::Text(word))).collect();
                let of_code = |code: &u32| {
                    if *code == MISSING_CODE { missing } else { *of_level.get(*code as usize).unwrap_or(&missing) }
                };
                codes.iter().map(of_code).collect()
            }
        };
        Placed { bins, points: table.points }
    };
    artifact.characteristics.iter().map(of).collect()
}

fn bin(table: &Table, value: Value<'_>) -> u32 {
    table.bin_of(value) as u32
}
