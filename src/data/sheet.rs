//! The first sheet of a workbook, read cell by cell on a thread of its own as the CSV that it would be.

use std::io::{self, BufReader, Read};
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use calamine::{DataRef, Reader as _, Xlsx};

use super::DataError;
use super::records::push_cell;
use super::text::Counted;

/// Bytes of text that are handed over at a time.
const PART: usize = 1 << 16;

/// The text of a sheet, as it is read.
#[derive(Debug)]
pub struct SheetText {
    parts: Receiver<io::Result<Vec<u8>>>,
    part: Vec<u8>,
    taken: usize,
}

type Book = Xlsx<BufReader<Counted>>;

impl SheetText {
    /// Opens the workbook and begins to read its first sheet. What cells share, their different words, is in memory.
    ///
    /// # Errors
    /// [`DataError`], where it is no workbook or has no sheet.
    pub fn open(file: Counted, path: &Path) -> Result<SheetText, DataError> {
        let book: Book = Xlsx::new(BufReader::new(file))
            .map_err(|e| DataError::Damaged { path: path.to_path_buf(), message: e.to_string() })?;
        let Some(name) = book.sheet_names().first().cloned() else {
            return Err(DataError::Empty(path.to_path_buf()));
        };
        let (send, parts) = sync_channel(2);
        thread::Builder::new()
            .name("sheet".to_owned())
            .spawn(move || {
                // A panic of the library on a broken workbook must not look like the end of the sheet.
                let read = panic::catch_unwind(AssertUnwindSafe(|| read_sheet(book, &name, &send)));
                let broken = |_| Err(io::Error::new(io::ErrorKind::InvalidData, "the sheet cannot be read"));
                if let Err(error) = read.unwrap_or_else(broken) {
                    // Nobody may be there any more to hear it.
                    let _ = send.send(Err(error));
                }
            })
            .map_err(|source| DataError::Read { path: PathBuf::from(path), source })?;
        Ok(SheetText { parts, part: Vec::new(), taken: 0 })
    }
}

impl Read for SheetText {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.part.len() {
            match self.parts.recv() {
                Ok(part) => (self.part, self.taken) = (part?, 0),
                Err(_) => return Ok(0),
            }
        }
        let count = buffer.len().min(self.part.len() - self.taken);
        buffer[..count].copy_from_slice(&self.part[self.taken..self.taken + count]);
        self.taken += count;
        Ok(count)
    }
}

/// Sends the sheet's rows as text. The table begins with the first row that is not blank; its first column is the first that the
/// sheet says it uses. Blank rows are no rows.
fn read_sheet(mut book: Book, name: &str, send: &SyncSender<io::Result<Vec<u8>>>) -> io::Result<()> {
    let damaged = |e: calamine::XlsxError| io::Error::new(io::ErrorKind::InvalidData, e.to_string());
    let mut cells = book.worksheet_cells_reader(name).map_err(damaged)?;
    let first_used = cells.dimensions().start.1;
    let mut rows = RowText { part: Vec::with_capacity(PART + PART / 4), ..RowText::default() };
    while let Some(cell) = cells.next_cell().map_err(damaged)? {
        let (row, column) = cell.get_position();
        let text = match cell.get_value() {
            DataRef::Empty => continue,
            DataRef::SharedString(text) => std::borrow::Cow::Borrowed(*text),
            other => std::borrow::Cow::Owned(cell_text(other)),
        };
        if text.is_empty() {
            continue;
        }
        if rows.row != Some(row) {
            rows.end_row();
            if rows.part.len() >= PART && send.send(Ok(std::mem::take(&mut rows.part))).is_err() {
                return Ok(());
            }
            rows.row = Some(row);
        }
        let first = *rows.first.get_or_insert(column.min(first_used));
        let place = column.checked_sub(first).ok_or_else(|| {
            let message = format!("row {} of the sheet has a cell to the left of the table", row + 1);
            io::Error::new(io::ErrorKind::InvalidData, message)
        })?;
        rows.cell(place as usize, &text);
    }
    rows.end_row();
    let _ = send.send(Ok(rows.part));
    Ok(())
}

/// Rows becoming text.
#[derive(Debug, Default)]
struct RowText {
    part: Vec<u8>,
    /// The row of the sheet that is under way.
    row: Option<u32>,
    /// The first column of the table.
    first: Option<u32>,
    /// Columns of the header.
    width: Option<usize>,
    /// Cells of the row so far.
    cells: usize,
}

impl RowText {
    fn cell(&mut self, place: usize, text: &str) {
        while self.cells < place {
            self.blank();
        }
        if self.cells > 0 {
            self.part.push(b',');
        }
        push_cell(&mut self.part, text);
        self.cells += 1;
    }

    fn blank(&mut self) {
        if self.cells > 0 {
            self.part.push(b',');
        }
        self.cells += 1;
    }

    fn end_row(&mut self) {
        if self.cells == 0 {
            return;
        }
        let width = *self.width.get_or_insert(self.cells);
        while self.cells < width {
            self.blank();
        }
        self.part.push(b'\n');
        self.cells = 0;
    }
}

/// A cell as the text that a CSV of the sheet would have.
fn cell_text(cell: &DataRef<'_>) -> String {
    match cell {
        DataRef::Empty => String::new(),
        DataRef::Int(n) => n.to_string(),
        DataRef::Float(x) => x.to_string(),
        DataRef::SharedString(text) => (*text).to_owned(),
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => text.clone(),
        DataRef::Bool(yes) => if *yes { "TRUE" } else { "FALSE" }.to_owned(),
        DataRef::DateTime(at) if at.is_datetime() => {
            let (year, month, day, hour, minute, second, _) = at.to_ymd_hms_milli();
            match (hour, minute, second) {
                (0, 0, 0) => format!("{year:04}-{month:02}-{day:02}"),
                _ => format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"),
            }
        }
        DataRef::DateTime(duration) => duration.as_f64().to_string(),
        DataRef::Error(error) => format!("{error}"),
    }
}
