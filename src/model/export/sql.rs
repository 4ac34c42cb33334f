//! SQL: one query over a table, as a chain of steps, each of which works out its columns once for all that follow.
//!
//! Cells become numbers or words, those become bins, bins become points, points become reasons. The chain carries the row of the
//! table along, so that the last step can give back every column of it.

mod dialect;
mod steps;

pub use dialect::Dialect;

use super::{ExportError, added_names, alike, not_features, writable};
use crate::model::Model;

/// The name of the row of the table in the query.
const FIRM: &str = "yuxin_firm";

/// Where a query runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target<'a> {
    /// The engine.
    pub dialect: Dialect,
    /// The table: `table` or `schema.table`, in the letters that the engine keeps.
    pub table: &'a str,
    /// What stands before the names of the added columns.
    pub prefix: &'a str,
}

/// The query that gives every column of the table and, beside them, `points` (the exact total), `score`, `pd`, `grade`,
/// `reason_1` to `reason_4` (NULL where there are fewer) and the points of each feature as `points_` and its name, with
/// the prefix before each.
///
/// # Errors
/// [`ExportError`] where names are in each other's way or cannot be written in SQL.
pub fn sql(model: &Model, target: Target<'_>) -> Result<String, ExportError> {
    let names = added_names(model, target.prefix)?;
    let parts: Vec<String> = model.columns().iter().map(|feature| points_of(feature, target.prefix)).collect();
    not_features(model, &parts)?;
    writable(model, &[target.table, target.prefix], "SQL", |c| c == '\0')?;
    if !target.dialect.tells_case()
        && let Some((_, first, second)) = alike(model, str::to_lowercase)
    {
        return Err(ExportError::SameColumn { engine: target.dialect.name(), first, second });
    }
    let table = table(target)?;
    let steps = steps::steps(model, target.dialect, &table);
    let mut text = heading(model, target);
    text.push_str("WITH\n");
    let queries: Vec<String> = steps.iter().map(|step| step.written(target.dialect)).collect();
    text.push_str(&queries.join(",\n"));
    text.push('\n');
    text.push_str(&steps::last(model, target, &table, &names));
    Ok(text)
}

/// The column with the points of a feature.
fn points_of(feature: &str, prefix: &str) -> String {
    format!("{prefix}points_{feature}")
}

fn table(target: Target<'_>) -> Result<String, ExportError> {
    let parts: Vec<&str> = target.table.split('.').collect();
    if parts.iter().any(|part| part.trim().is_empty()) {
        return Err(ExportError::Table(target.table.to_owned()));
    }
    Ok(parts.into_iter().map(|part| target.dialect.identifier(part)).collect::<Vec<_>>().join("."))
}

fn heading(model: &Model, target: Target<'_>) -> String {
    let lines = [
        format!("Yuxin model {}", quoted(model.id())),
        format!("SHA-256 of the artifact: {}", model.sha256()),
        format!(
            "Points of the rows of {} in {}, the same as the service gives.",
            quoted(target.table),
            target.dialect.name()
        ),
        "NULL and NaN are missing. A word in a column of numbers stops the query.".to_owned(),
    ];
    lines.map(|line| format!("-- {line}\n")).concat()
}

/// A name for a comment, which must not end the line. It ends in a quote: a backslash at the end of a comment would join lines.
fn quoted(name: &str) -> String {
    let visible: String =
        name.chars().map(|c| if c.is_control() || c == '\u{2028}' || c == '\u{2029}' { ' ' } else { c }).collect();
    format!("\"{visible}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_in_its_comment() {
        assert_eq!(quoted("a\nDROP TABLE firms\r\u{2028}x\\"), "\"a DROP TABLE firms  x\\\"");
    }

    #[test]
    fn tables_may_have_a_schema_and_must_have_a_name() {
        let of = |table| super::table(Target { dialect: Dialect::Spark, table, prefix: "" });
        assert_eq!(of("firms").unwrap(), "`firms`");
        assert_eq!(of("risk.fir`ms").unwrap(), "`risk`.`fir``ms`");
        assert_eq!(of("risk.").unwrap_err(), ExportError::Table("risk.".to_owned()));
        assert!(of("").is_err());
    }
}
