//! Columns that are probably not what they were taken for: warnings for whoever approves a model.

use super::SCORED_COLUMNS;
use super::artifact::Characteristic;
use super::dataset::{Dataset, parse_number};
use super::period::date_of_word;
use super::spec::TrainingSpec;

/// A kind of cells: its name, whether a word is of it, and what may be decided.
type CellKind = (&'static str, fn(&str) -> bool, &'static str);

/// Warns of columns of words most of whose cells are numbers or dates, unless the specification decides about the column.
pub fn mixed_columns(data: &Dataset, spec: &TrainingSpec) -> Vec<String> {
    let decided =
        |name: &String| spec.exclude.contains(name) || spec.rule(name).is_some_and(|rule| rule.column_type.is_some());
    let kinds: [CellKind; 2] = [
        (
            "numbers",
            |word| parse_number(word).is_some(),
            "type = \"numeric\" (then a word is refused with its row: empty the cells whose value is not known), or type = \"text\" if \
             the numbers are codes",
        ),
        (
            "dates",
            |word| date_of_word(word).is_some(),
            "type = \"text\" if they are words, or mend or empty the cells that are no dates",
        ),
    ];
    let mut warnings = Vec::new();
    for column in data.columns.iter().filter(|column| !decided(&column.name)) {
        for (kind, is_of_kind, advice) in kinds {
            let Some(found) = column.values.division(is_of_kind) else { continue };
            let Some((row, word)) = found.first_other else { continue };
            if found.of_kind * 2 >= found.filled {
                warnings.push(format!(
                    "{name} is read as words: row {row} is {word:?}, though {} of its {} filled cells are {kind}: say under [[feature]] \
                     with name = {name:?} {advice}",
                    found.of_kind,
                    found.filled,
                    name = column.name,
                    // The header is row 1.
                    row = row + 2,
                ));
            }
        }
    }
    warnings
}

/// Warns of features with the name of a column that scoring a file adds: a file that has them all cannot be scored.
pub fn taken_names(tables: &[Characteristic]) -> Vec<String> {
    let taken = tables.iter().filter(|table| SCORED_COLUMNS.contains(&table.feature.as_str()));
    taken
        .map(|table| {
            format!(
                "{}: `yuxin score` adds a column of this name, so it refuses every file that this model could score: rename the column \
                 and train again, or exclude it",
                table.feature
            )
        })
        .collect()
}
