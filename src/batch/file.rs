//! A file of requests, read a block at a time: rows that are wrong are told of, and stop no other.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use super::row::{Columns, HeaderFault, of_json, two_amounts};
use crate::data::DataError;
use crate::data::blocks::{Block, Blocks};
use crate::data::encoding::to_utf8;
use crate::data::records::{Record, Records, unquote};
use crate::data::text::unwatched;
use crate::data::unpacked::check_unpacked;
use crate::domain::batch::{FaultText, NewRow, RowFault, SentRow};

/// Bytes of text that are read at a time.
const BLOCK_BYTES: usize = 256 << 10;
/// Rows that are handed on at a time.
const ROWS_AT_ONCE: usize = 250;
/// The longest row, in bytes.
const ROW_BYTES_MAX: usize = 16 << 10;
/// Characters that are kept of a longer one.
const KEPT_CHARS: usize = 200;
/// The most columns.
const COLUMNS_MAX: usize = 200;
/// The most that a workbook may unpack to, as a multiple of the largest file.
const UNPACKED_TIMES: u64 = 4;

/// What kind of file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    /// Comma-separated; UTF-8 with or without a byte order mark, or GBK.
    Csv,
    /// An Excel workbook; its first sheet.
    Xlsx,
    /// One object of JSON on each line.
    JsonLines,
}

impl FileFormat {
    /// The ending by which the readers of files know it.
    pub fn ending(self) -> &'static str {
        match self {
            FileFormat::Csv => ".csv",
            FileFormat::Xlsx => ".xlsx",
            FileFormat::JsonLines => ".jsonl",
        }
    }
}

/// A file that cannot be taken in at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFault {
    /// The row, where it is one.
    pub row: Option<u64>,
    /// The column, where it is one.
    pub column: Option<String>,
    /// What is wrong and what to do.
    pub said: FaultText,
    /// Whether the file is right but too large.
    pub too_large: bool,
}

impl FileFault {
    fn new(zh: impl Into<String>, en: impl Into<String>) -> FileFault {
        FileFault { row: None, column: None, said: FaultText { zh: zh.into(), en: en.into() }, too_large: false }
    }

    fn at(self, row: u64, column: Option<&str>) -> FileFault {
        FileFault { row: Some(row), column: column.map(str::to_owned), ..self }
    }
}

/// What a file consists of.
#[derive(Debug)]
pub(super) enum Part {
    /// The columns; `None` where each row is JSON. It comes first, and once.
    Header(Option<Vec<String>>),
    /// Rows.
    Rows(Vec<NewRow>),
}

/// Where the parts go; false where nobody wants them any more.
pub(super) type Sink<'a> = &'a mut dyn FnMut(Part) -> bool;

/// Reads the file at `path`, which may have `rows_max` rows. `charset` is what its sender declared. A workbook may unpack to a
/// multiple of `bytes_max`. Beside the file, one of the same name and another ending may be written.
pub(super) fn read(
    path: &Path,
    format: FileFormat,
    charset: Option<&str>,
    [bytes_max, rows_max]: [u64; 2],
    sink: Sink<'_>,
) -> Result<(), FileFault> {
    if format == FileFormat::Xlsx {
        check_unpacked(path, bytes_max.saturating_mul(UNPACKED_TIMES)).map_err(unreadable)?;
        return read_table(path, rows_max, sink);
    }
    let rewritten = path.with_file_name(format!("utf8{}", format.ending()));
    let disk = |source| unreadable(DataError::Read { path: path.to_path_buf(), source });
    let encoding = to_utf8(path, &rewritten, charset).map_err(disk)?;
    let text = if encoding.is_some() { &rewritten } else { path };
    match format {
        FileFormat::JsonLines => read_lines(text, rows_max, sink),
        _ => read_table(text, rows_max, sink),
    }
}

/// Rows on their way, handed on some at a time.
struct Outgoing<'a> {
    rows: Vec<NewRow>,
    count: u64,
    rows_max: u64,
    sink: Sink<'a>,
}

impl Outgoing<'_> {
    /// Takes a row; false where nobody wants more.
    fn push(&mut self, row: NewRow) -> Result<bool, FileFault> {
        self.count += 1;
        if self.count > self.rows_max {
            let most = self.rows_max;
            let fault = FileFault::new(
                format!("文件超过 {most} 行，请拆分后分批提交"),
                format!("the file has more than {most} rows: split it and send the parts as batches of their own"),
            );
            return Err(FileFault { too_large: true, ..fault });
        }
        self.rows.push(row);
        Ok(self.rows.len() < ROWS_AT_ONCE || self.flush())
    }

    fn flush(&mut self) -> bool {
        self.rows.is_empty() || (self.sink)(Part::Rows(std::mem::take(&mut self.rows)))
    }

    fn finish(mut self) -> Result<(), FileFault> {
        if self.count == 0 {
            return Err(FileFault::new("文件没有数据行", "the file has no rows"));
        }
        self.flush();
        Ok(())
    }
}

fn read_table(path: &Path, rows_max: u64, sink: Sink<'_>) -> Result<(), FileFault> {
    let mut blocks = Blocks::open(path, &unwatched, BLOCK_BYTES).map_err(unreadable)?;
    let header = blocks.header().to_vec();
    let columns = columns_of(&header)?;
    if !sink(Part::Header(Some(header.clone()))) {
        return Ok(());
    }
    let mut out = Outgoing { rows: Vec::new(), count: 0, rows_max, sink };
    let (mut text, mut ends) = (String::new(), Vec::new());
    while let Some(block) = blocks.next_block().map_err(unreadable)? {
        #[cfg_attr(
            not(feature = "parquet"),
            expect(irrefutable_let_patterns, reason = "Parquet has another kind of block")
        )]
        let Block::Text(block) = block else { continue };
        for record in Records::new(&block) {
            let number = out.count + 2;
            let row = table_row(number, record, &columns, header.len(), &mut text, &mut ends);
            if !out.push(row)? {
                return Ok(());
            }
        }
    }
    out.finish()
}

fn columns_of(header: &[String]) -> Result<Columns, FileFault> {
    if header.len() > COLUMNS_MAX {
        let (found, most) = (header.len(), COLUMNS_MAX);
        return Err(FileFault::new(
            format!("表头有 {found} 列，至多 {most} 列"),
            format!("the header has {found} columns, at most {most} are taken"),
        )
        .at(1, None));
    }
    Columns::of(header).map_err(|fault| match fault {
        HeaderFault::Missing(missing) => {
            let separators = [(';', "semicolons"), ('\t', "tabs"), ('|', "vertical bars")];
            let separated = separators.into_iter().find(|(mark, _)| header.len() == 1 && header[0].contains(*mark));
            if let Some((_, marks)) = separated {
                return FileFault::new(
                    "列须以逗号分隔，请另存为逗号分隔的 CSV",
                    format!("the columns are separated by {marks}: save the file with commas"),
                )
                .at(1, None);
            }
            let names = missing.join(", ");
            FileFault::new(
                format!("表头缺少列：{names}（金额列为 amount_fen 或 amount_yuan）"),
                format!("the header lacks the columns {names} (the amount is amount_fen or amount_yuan)"),
            )
            .at(1, missing.first().copied())
        }
        HeaderFault::TwoAmounts => {
            let fault = two_amounts();
            let said = fault.said.unwrap_or(FaultText { zh: String::new(), en: String::new() });
            FileFault { row: Some(1), column: fault.column, said, too_large: false }
        }
    })
}

fn table_row(
    number: u64,
    record: Record<'_>,
    columns: &Columns,
    width: usize,
    text: &mut String,
    ends: &mut Vec<usize>,
) -> NewRow {
    let (Record::Plain(bytes) | Record::Quoted(bytes) | Record::Broken(bytes)) = record;
    // The text was made UTF-8 before; a workbook's is.
    let line = String::from_utf8_lossy(bytes);
    let refused = |fault: RowFault| NewRow { number, sent: kept(&line), request: Err(fault), previous: None };
    if bytes.len() > ROW_BYTES_MAX {
        return refused(too_long());
    }
    if matches!(record, Record::Broken(_)) {
        return refused(RowFault::new("INVALID").saying(
            "引号没有在逗号或行末之前闭合：请闭合引号；引号属于内容时请写两个；或删去",
            "a quotation mark is not closed before a comma or the end of the line: close it, double it if it is part of the text, or \
             remove it",
        ));
    }
    if line.contains('\u{fffd}') {
        return refused(RowFault::new("INVALID").saying(
            "此行既不是 UTF-8 也不是 GBK 编码：请把文件另存为“CSV UTF-8”",
            "the row is neither UTF-8 nor GBK: save the file as \"CSV UTF-8\"",
        ));
    }
    unquote(&line, text, ends);
    let starts = [0].into_iter().chain(ends.iter().copied());
    let cells: Vec<String> = starts.zip(ends.iter()).map(|(start, end)| text[start..*end].to_owned()).collect();
    let request = if cells.len() == width {
        columns.request(&cells)
    } else {
        let found = cells.len();
        Err(RowFault::new("INVALID").saying(
            format!("此行有 {found} 个单元格，表头有 {width} 列：含逗号的内容请加引号，缺少的单元格请补上"),
            format!(
                "the row has {found} cells where the header has {width}: put cells with a comma in quotation marks, or add the missing \
                 cells"
            ),
        ))
    };
    NewRow { number, sent: SentRow::Cells(cells), request, previous: None }
}

fn read_lines(path: &Path, rows_max: u64, sink: Sink<'_>) -> Result<(), FileFault> {
    let disk = |source| unreadable(DataError::Read { path: path.to_path_buf(), source });
    let mut lines = BufReader::new(File::open(path).map_err(disk)?);
    if !sink(Part::Header(None)) {
        return Ok(());
    }
    let mut out = Outgoing { rows: Vec::new(), count: 0, rows_max, sink };
    let (mut number, mut objects, mut line) = (0, 0_u64, Vec::new());
    loop {
        line.clear();
        let most = ROW_BYTES_MAX as u64 + 1;
        if lines.by_ref().take(most).read_until(b'\n', &mut line).map_err(disk)? == 0 {
            break;
        }
        let cut = line.len() as u64 == most && line.last() != Some(&b'\n');
        if cut {
            skip_line(&mut lines).map_err(disk)?;
        }
        number += 1;
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.is_empty() {
            continue;
        }
        let request = if cut { Err(too_long()) } else { line_request(text, &mut objects) };
        let sent = if cut { kept(text) } else { SentRow::Line(text.to_owned()) };
        if !out.push(NewRow { number, sent, request, previous: None })? {
            return Ok(());
        }
    }
    if out.count > 0 && objects == 0 {
        let fault = FileFault::new(
            "没有一行是 JSON 对象：请核对 Content-Type 与文件格式",
            "not one line is an object of JSON: does the Content-Type say what the file is?",
        );
        return Err(fault.at(1, None));
    }
    out.finish()
}

fn line_request(text: &str, objects: &mut u64) -> Result<crate::domain::decision::DecisionRequest, RowFault> {
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(serde_json::Value::Object(object)) => {
            *objects += 1;
            of_json(&object)
        }
        Ok(_) => Err(RowFault::new("INVALID").saying("此行不是 JSON 对象", "the line is no object of JSON")),
        Err(error) => {
            let place = error.column();
            Err(RowFault::new("INVALID").saying(
                format!("此行不是有效的 JSON（第 {place} 个字节处）"),
                format!("the line is not valid JSON (at byte {place})"),
            ))
        }
    }
}

/// Reads on to the end of the line, keeping nothing.
fn skip_line(lines: &mut impl BufRead) -> std::io::Result<()> {
    loop {
        let part = lines.fill_buf()?;
        if part.is_empty() {
            return Ok(());
        }
        let end = part.iter().position(|byte| *byte == b'\n');
        let count = end.map_or(part.len(), |end| end + 1);
        lines.consume(count);
        if end.is_some() {
            return Ok(());
        }
    }
}

fn too_long() -> RowFault {
    RowFault::new("INVALID")
        .saying(format!("此行超过 {ROW_BYTES_MAX} 字节"), format!("the row has more than {ROW_BYTES_MAX} bytes"))
}

/// The beginning of a line that cannot be taken apart.
fn kept(line: &str) -> SentRow {
    let end = line.char_indices().nth(KEPT_CHARS).map_or(line.len(), |(at, _)| at);
    let more = if end < line.len() { "…" } else { "" };
    SentRow::Line(format!("{}{more}", &line[..end]))
}

/// What a reader of files found, without the path, which is nobody's business.
fn unreadable(error: DataError) -> FileFault {
    match error {
        DataError::Empty(_) | DataError::NoRows(_) => {
            FileFault::new("文件是空的：需要表头和数据行", "the file is empty: it needs a header and rows")
        }
        DataError::Twice { name, .. } => {
            FileFault::new("表头中此列出现两次，请改名", "the header has this column twice: rename one of them")
                .at(1, Some(&name))
        }
        DataError::NotUtf8 { row, .. } => FileFault::new(
            "既不是 UTF-8 也不是 GBK 编码：请把文件另存为“CSV UTF-8”",
            "neither UTF-8 nor GBK: save the file as \"CSV UTF-8\"",
        )
        .at(row, None),
        DataError::Line(_) => {
            FileFault::new("有一行没有结尾：这是 CSV 文件吗？", "a line has no end: is it a CSV file?")
        }
        DataError::Unpacked { max, .. } => FileFault {
            too_large: true,
            ..FileFault::new(
                format!("工作簿解压后超过 {max} 字节，不予读取：请只保留数据，或改用 CSV"),
                format!(
                    "the workbook unpacks to more than {max} bytes and is not read: keep only the data, or send CSV"
                ),
            )
        },
        DataError::Read { source, .. } => {
            tracing::error!(error = %source.kind(), "a batch on the disk cannot be read");
            FileFault::new("文件无法读取，请重试", "the file could not be read, try again")
        }
        _ => FileFault::new(
            "文件已损坏，或不是 Content-Type 所说的格式",
            "the file is damaged, or is not what its Content-Type says",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONSENT: &str = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";

    fn read_all(name: &str, format: FileFormat, bytes: &[u8]) -> Result<(Option<Vec<String>>, Vec<NewRow>), FileFault> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let (mut header, mut rows) = (None, Vec::new());
        read(&path, format, None, [1 << 20, 1000], &mut |part| {
            match part {
                Part::Header(columns) => header = columns,
                Part::Rows(more) => rows.extend(more),
            }
            true
        })?;
        Ok((header, rows))
    }

    #[test]
    fn rows_are_numbered_as_a_spreadsheet_does_and_bad_ones_stop_no_other() {
        let csv = format!(
            "\u{feff}uscc,consent_id,purpose,amount_fen,term_months,note\n91330604MA2XY0014W,{CONSENT},equipment,100,12,\"a, b\"\n\n\
             91330604MA2XY0014W,{CONSENT},equipment\n\"91330604MA2XY0014W,{CONSENT},equipment,100,12,x\n\
             91330604MA2XY0014W,{CONSENT},equipment,5E+08,12,虞\n91330604MA2XY0014W,{CONSENT},equipment,7,12,y"
        );
        let (header, rows) = read_all("f.csv", FileFormat::Csv, csv.as_bytes()).unwrap();
        assert_eq!(header.unwrap()[0], "uscc");
        let ends: Vec<(u64, bool)> = rows.iter().map(|row| (row.number, row.request.is_ok())).collect();
        assert_eq!(ends, [(2, true), (3, false), (4, false), (5, false), (6, true)]);
        assert!(matches!(&rows[0].sent, SentRow::Cells(cells) if cells[5] == "a, b"));
        let gbk = encoding_rs::GB18030.encode(&csv).0.into_owned();
        assert_eq!(read_all("f.csv", FileFormat::Csv, &gbk).unwrap().1, rows);
    }

    #[test]
    fn a_file_that_is_not_what_it_says_is_refused_as_a_whole() {
        for (format, bytes, row, told) in [
            (FileFormat::Csv, &b""[..], None, "empty"),
            (FileFormat::Csv, b"uscc,consent_id\n", Some(1), "lacks the columns purpose"),
            (FileFormat::Csv, b"uscc;consent_id;purpose\n1;2;3", Some(1), "semicolons"),
            (FileFormat::Csv, b"uscc,uscc\n", Some(1), "twice"),
            (FileFormat::Csv, b"uscc,consent_id,purpose,amount_fen,term_months\n", None, "no rows"),
            (FileFormat::Xlsx, b"uscc,consent_id\n", None, "damaged"),
            (FileFormat::JsonLines, b"uscc,consent_id\na,b\n", Some(1), "not one line"),
            (FileFormat::JsonLines, b"\n\n", None, "no rows"),
        ] {
            let name = format!("f{}", format.ending());
            let fault = read_all(&name, format, bytes).unwrap_err();
            assert_eq!(fault.row, row, "{told}");
            assert!(fault.said.en.contains(told), "{fault:?}");
            assert!(!fault.said.zh.is_ascii());
        }
        let many = format!("uscc,consent_id,purpose,amount_fen,term_months\n{}", "a,b,c,d,e\n".repeat(1001));
        assert!(read_all("f.csv", FileFormat::Csv, many.as_bytes()).unwrap_err().too_large);
    }

    #[test]
    fn lines_of_json_are_numbered_and_one_without_end_is_cut() {
        let good = format!(
            "{{\"uscc\":\"91330604MA2XY0014W\",\"consent_id\":\"{CONSENT}\",\"purpose\":\"equipment\",\"amount_fen\":100,\"term_months\":12}}"
        );
        let text = format!("{good}\n\n{{\"uscc\":1\n\"{}\"\n{good}", "x".repeat(40_000));
        let (header, rows) = read_all("f.jsonl", FileFormat::JsonLines, text.as_bytes()).unwrap();
        assert_eq!(header, None);
        let ends: Vec<(u64, bool)> = rows.iter().map(|row| (row.number, row.request.is_ok())).collect();
        assert_eq!(ends, [(1, true), (3, false), (4, false), (5, true)]);
        assert!(matches!(&rows[2].sent, SentRow::Line(line) if line.chars().count() == KEPT_CHARS + 1));
    }
}
