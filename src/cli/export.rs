//! `yuxin export`: a model for other engines.

use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, ValueEnum};
use thiserror::Error;

use super::one_file::{OneFile, apart};
use crate::data::DataError;
use crate::data::sink::write_whole;
use crate::model::export::ExportError;
use crate::model::export::pmml::pmml;
use crate::model::export::sql::{self, Target, sql};
use crate::model::{Model, ModelError};

/// Write a model for other engines: a PMML 4.4 document, or one SQL query over a table. See docs/export.md.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The model.
    #[arg(long)]
    pub model: PathBuf,
    /// What to write.
    #[arg(long, value_enum)]
    pub format: Format,
    /// The engine that the SQL is for.
    #[arg(long, value_enum, required_if_eq("format", "sql"))]
    pub dialect: Option<Dialect>,
    /// The table that the SQL reads, `table` or `schema.table`, written as the engine keeps it [default: firms].
    #[arg(long, value_name = "NAME", requires = "dialect")]
    pub table: Option<String>,
    /// What stands before the names of the columns that are added.
    #[arg(long, default_value = "")]
    pub prefix: String,
    /// Where it goes.
    #[arg(long)]
    pub out: PathBuf,
}

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// PMML 4.4, a Scorecard with reason codes.
    Pmml,
    /// One SELECT.
    Sql,
}

/// The engine that SQL is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Dialect {
    /// PostgreSQL 12 or newer.
    Postgres,
    /// SQLite 3.35 or newer, with its mathematical functions.
    Sqlite,
    /// DuckDB.
    Duckdb,
    /// Spark SQL 3.3 or newer.
    Spark,
}

impl From<Dialect> for sql::Dialect {
    fn from(dialect: Dialect) -> sql::Dialect {
        match dialect {
            Dialect::Postgres => sql::Dialect::Postgres,
            Dialect::Sqlite => sql::Dialect::Sqlite,
            Dialect::Duckdb => sql::Dialect::DuckDb,
            Dialect::Spark => sql::Dialect::Spark,
        }
    }
}

/// An export that wrote nothing.
#[derive(Debug, Error)]
pub enum ExportCommandError {
    /// The output would replace the model.
    #[error(transparent)]
    OneFile(#[from] OneFile),
    /// The model cannot be used.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The model cannot be written in this format.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// The file cannot be written.
    #[error(transparent)]
    Data(#[from] DataError),
}

/// Writes the model in the other format.
///
/// # Errors
/// [`ExportCommandError`]; then the output is not there, or as it was.
pub fn run(args: &ExportArgs) -> Result<(), ExportCommandError> {
    if args.format == Format::Pmml && args.dialect.is_some() {
        let mut command = ExportArgs::augment_args(clap::Command::new("yuxin export"));
        command.error(ErrorKind::ArgumentConflict, "--dialect is for --format sql").exit();
    }
    apart(&[("--model", &args.model)], &[("--out", &args.out)])?;
    let model = Model::load(&args.model)?;
    let text = match args.dialect {
        None => pmml(&model, &args.prefix)?,
        Some(dialect) => {
            let table = args.table.as_deref().unwrap_or("firms");
            sql(&model, Target { dialect: dialect.into(), table, prefix: &args.prefix })?
        }
    };
    write_whole(&args.out, text.as_bytes())?;
    eprintln!("{} sha256 {} written to {}", model.id(), model.sha256(), args.out.display());
    Ok(())
}
