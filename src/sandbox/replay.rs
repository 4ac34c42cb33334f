//! Replay of a folder of real firms, as a tax department would share them: `firms.csv` and `invoices_monthly.csv.gz`.
//!
//! Nothing but their invoices is known of these firms. Everything else is missing, which is not the same as clean: rating,
//! arrears and filings are not shared (the keys are null, that of the rating is left out, since null would say "not rated"),
//! and the other departments do not know them at all.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use jiff::civil::Date;
use thiserror::Error;

use crate::domain::evidence::{InvoiceMonth, InvoiceSide, TaxRecord};
use crate::domain::{Fen, Month, Uscc};

const FIRMS: &str = "firms.csv";
const INVOICES: &str = "invoices_monthly.csv.gz";

/// The firms of a folder.
#[derive(Debug, Clone)]
pub struct RealFirms {
    firms: Vec<RealFirm>,
    by_code: HashMap<Uscc, usize>,
}

/// One firm of a folder.
#[derive(Debug, Clone, PartialEq)]
pub struct RealFirm {
    /// Its code.
    pub uscc: Uscc,
    /// Its name, masked by whoever published the data.
    pub name: String,
    /// What a tax department would share: invoices, and nothing else.
    pub tax: TaxRecord,
}

/// Why a folder cannot be replayed.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// A file is not there or cannot be read.
    #[error("cannot read {path}: {why}; a folder to replay holds {FIRMS} and {INVOICES}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
    /// A column is missing from the head line.
    #[error("{path}, line 1: there is no column {column:?}")]
    NoColumn {
        /// The file.
        path: PathBuf,
        /// The column.
        column: &'static str,
    },
    /// A value cannot be what its column says.
    #[error("{path}, line {line}, column {column:?}: {why}")]
    Value {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The column.
        column: &'static str,
        /// What is wrong with it.
        why: String,
    },
}

impl RealFirms {
    /// The files that are read of a folder.
    pub fn files(folder: &Path) -> [PathBuf; 2] {
        [folder.join(FIRMS), folder.join(INVOICES)]
    }

    /// Reads a folder whole and checks every value.
    ///
    /// # Errors
    /// The first file, line and column that cannot be read.
    pub fn open(folder: &Path) -> Result<RealFirms, ReplayError> {
        let mut firms = RealFirms { firms: Vec::new(), by_code: HashMap::new() };
        firms.read_firms(&folder.join(FIRMS))?;
        firms.read_invoices(&folder.join(INVOICES))?;
        Ok(firms)
    }

    /// The firm of a code.
    pub fn find(&self, uscc: &Uscc) -> Option<&RealFirm> {
        self.by_code.get(uscc).map(|&at| &self.firms[at])
    }

    /// All firms, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &RealFirm> {
        self.firms.iter()
    }

    /// How many firms there are.
    pub fn len(&self) -> usize {
        self.firms.len()
    }

    /// Whether there is no firm at all.
    pub fn is_empty(&self) -> bool {
        self.firms.is_empty()
    }

    fn read_firms(&mut self, path: &Path) -> Result<(), ReplayError> {
        let mut table = Table::open(path, open(path)?)?;
        let [uscc, name, as_of] = table.columns(["uscc", "name_masked", "as_of"])?;
        while table.advance()? {
            let code: Uscc = table.parse(uscc)?;
            if self.by_code.insert(code.clone(), self.firms.len()).is_some() {
                return Err(table.wrong(uscc, "this firm stands in the file twice".to_owned()));
            }
            let name = table.text(name).to_owned();
            let as_of: Date = table.parse(as_of)?;
            let tax = invoices_only(as_of, &name);
            self.firms.push(RealFirm { uscc: code, name, tax });
        }
        Ok(())
    }

    fn read_invoices(&mut self, path: &Path) -> Result<(), ReplayError> {
        let mut table = Table::open(path, MultiGzDecoder::new(open(path)?))?;
        let [uscc, month] = table.columns(["uscc", "month"])?;
        let sales = table.columns(SALES)?;
        let purchases = table.columns(PURCHASES)?;
        while table.advance()? {
            let code: Uscc = table.parse(uscc)?;
            let Some(&at) = self.by_code.get(&code) else {
                return Err(table.wrong(uscc, format!("this firm is not in {FIRMS}")));
            };
            let tax = &mut self.firms[at].tax;
            let row = InvoiceMonth {
                month: table.parse(month)?,
                sales: table.side(sales)?,
                purchases: table.side(purchases)?,
            };
            if row.month > Month::of(tax.as_of) {
                return Err(table.wrong(month, format!("{} is after {}, the date of this firm", row.month, tax.as_of)));
            }
            let invoices = tax.invoices.get_or_insert_default();
            if invoices.last().is_some_and(|last| last.month >= row.month) {
                return Err(table.wrong(month, "the months of a firm must ascend".to_owned()));
            }
            tax.invoices_since.get_or_insert(row.month);
            invoices.push(row);
        }
        Ok(())
    }
}

/// A record that knows nothing yet. A firm without any invoice keeps `None`: which months the data cover is unknown then.
fn invoices_only(as_of: Date, name: &str) -> TaxRecord {
    TaxRecord { name: Some(name.to_owned()), ..TaxRecord::sharing_nothing(as_of) }
}

/// The columns of one direction, in the order in which [`Table::side`] reads them.
const SALES: [&str; 8] = [
    "sales_count",
    "sales_amount_fen",
    "sales_tax_fen",
    "sales_counterparties",
    "sales_void_count",
    "sales_red_count",
    "sales_red_amount_fen",
    "sales_top_share",
];
const PURCHASES: [&str; 8] = [
    "purchases_count",
    "purchases_amount_fen",
    "purchases_tax_fen",
    "purchases_counterparties",
    "purchases_void_count",
    "purchases_red_count",
    "purchases_red_amount_fen",
    "purchases_top_share",
];

fn open(path: &Path) -> Result<File, ReplayError> {
    File::open(path).map_err(|e| ReplayError::Read { path: path.to_owned(), why: e.to_string() })
}

/// A column: its name and where it stands.
#[derive(Debug, Clone, Copy)]
struct Column {
    name: &'static str,
    at: usize,
}

/// A CSV file, read line by line, that knows where it is.
struct Table<R> {
    path: PathBuf,
    reader: csv::Reader<R>,
    head: csv::StringRecord,
    row: csv::StringRecord,
}

impl<R: Read> Table<R> {
    fn open(path: &Path, from: R) -> Result<Table<R>, ReplayError> {
        let mut reader = csv::Reader::from_reader(from);
        let path = path.to_owned();
        let head = reader.headers().map_err(|e| ReplayError::Read { path: path.clone(), why: e.to_string() })?.clone();
        Ok(Table { path, reader, head, row: csv::StringRecord::new() })
    }

    fn columns<const N: usize>(&self, names: [&'static str; N]) -> Result<[Column; N], ReplayError> {
        let mut columns = names.map(|name| Column { name, at: usize::MAX });
        for column in &mut columns {
            column.at = self
                .head
                .iter()
                .position(|head| head.trim_start_matches('\u{feff}') == column.name)
                .ok_or(ReplayError::NoColumn { path: self.path.clone(), column: column.name })?;
        }
        Ok(columns)
    }

    /// Goes to the next row; false at the end.
    fn advance(&mut self) -> Result<bool, ReplayError> {
        self.reader
            .read_record(&mut self.row)
            .map_err(|e| ReplayError::Read { path: self.path.clone(), why: e.to_string() })
    }

    fn text(&self, column: Column) -> &str {
        self.row.get(column.at).unwrap_or_default().trim()
    }

    fn wrong(&self, column: Column, why: String) -> ReplayError {
        let line = self.row.position().map_or(0, csv::Position::line);
        ReplayError::Value { path: self.path.clone(), line, column: column.name, why }
    }

    fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(&self, column: Column) -> Result<T, ReplayError> {
        let text = self.text(column);
        text.parse().map_err(|e| self.wrong(column, format!("{text:?}: {e}")))
    }

    fn side(&self, columns: [Column; 8]) -> Result<InvoiceSide, ReplayError> {
        let [count, amount, tax, counterparties, void_count, red_count, red_amount, top_share] = columns;
        let side = InvoiceSide {
            count: self.parse(count)?,
            amount: Fen(self.parse(amount)?),
            tax: Fen(self.parse(tax)?),
            counterparties: self.parse(counterparties)?,
            void_count: self.parse(void_count)?,
            red_count: self.parse(red_count)?,
            red_amount: Fen(self.parse(red_amount)?),
            top_share: self.parse(top_share)?,
        };
        if !(0.0..=1.0).contains(&side.top_share) {
            return Err(self.wrong(top_share, format!("{} is not a share from 0 to 1", side.top_share)));
        }
        if side.red_amount > Fen::ZERO {
            return Err(self.wrong(red_amount, "the amount of red invoices cannot be positive".to_owned()));
        }
        if side.red_count > side.count {
            return Err(self.wrong(red_count, format!("more red invoices than invoices ({})", side.count)));
        }
        Ok(side)
    }
}
