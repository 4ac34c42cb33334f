//! What `yuxin score` promises of files of any length: the same bytes on any number of threads, in order, in constant memory,
//! and no row lost.

use std::io::{Read, Write};
use std::path::Path;

use proptest::prelude::*;
use yuxin::data::batch::{Job, score_file};
use yuxin::data::text::unwatched;
use yuxin::model::columnar::{ColumnValues, Lookups};
use yuxin::model::dataset::is_missing;
use yuxin::model::{Model, Value};

use crate::support::program::{Folder, command, stderr, text, yuxin};
use crate::support::wide;

const NUMBERS: usize = 6;
const WORDS: usize = 3;
const PAIRS: usize = 5;

fn folder_with_model() -> Folder {
    let folder = Folder::new();
    folder.write("model.json", wide::model(NUMBERS, WORDS, PAIRS));
    folder
}

/// Scores with further options; what the program said.
fn scored(folder: &Folder, data: &str, out: &str, options: &[&str]) -> String {
    let (model, data, out) = (folder.path("model.json"), folder.path(data), folder.path(out));
    let output =
        yuxin(&[&["score", "--model", text(&model), "--data", text(&data), "--out", text(&out)], options].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    stderr(&output)
}

/// What the program says of a file that it refuses, with nothing written.
fn refused(folder: &Folder, data: &str, out: &str) -> String {
    let (model, data, out) = (folder.path("model.json"), folder.path(data), folder.path(out));
    let output = yuxin(&["score", "--model", text(&model), "--data", text(&data), "--out", text(&out)]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(!out.exists());
    stderr(&output)
}

/// The output as it must be, by the model's own functions, one row at a time, and the csv crate's writer.
fn expected(model: &Model, csv: &str) -> String {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let header = reader.headers().unwrap().clone();
    let places: Vec<usize> =
        model.columns().iter().map(|name| header.iter().position(|column| column.trim() == name).unwrap()).collect();
    let mut writer = csv::Writer::from_writer(Vec::new());
    let added = ["pd", "score", "grade", "reason_1", "reason_2", "reason_3", "reason_4"];
    writer.write_record(header.iter().map(str::trim).chain(added)).unwrap();
    for cells in reader.records().map(Result::unwrap) {
        let value =
            |place: &usize| if is_missing(&cells[*place]) { Value::Missing } else { Value::Text(&cells[*place]) };
        let row: Vec<Value<'_>> = places.iter().map(value).collect();
        let score = model.score(&row);
        let mut reasons = vec![String::new(); 4];
        for (reason, lost) in reasons.iter_mut().zip(model.points_lost(&row)) {
            *reason = model.columns()[lost.column].to_uppercase();
        }
        let (pd, points) = (score.pd.to_string(), score.score.to_string());
        writer
            .write_record(
                cells.iter().chain([pd.as_str(), &points, score.grade]).chain(reasons.iter().map(String::as_str)),
            )
            .unwrap();
    }
    String::from_utf8(writer.into_inner().unwrap()).unwrap()
}

/// Rows as awkward as rows may be: quoted commas, marks and line feeds, spaces, numbers in every spelling, all line ends.
fn awkward_csv() -> String {
    let mut csv = String::from("\u{feff}note, n0,n1,n2,n3,n4,n5,w0,w1,w2,\"code,\"\"x\"\"\"\r\n");
    let numbers = [
        "5",
        " 7.5 ",
        "\"15\"",
        "1e1",
        "+3",
        "-0",
        ".5",
        "5.",
        "inf",
        "-INF",
        "123456789012345678901234567890",
        "NA",
        "",
        "0.1000000000000000055511151231257827",
    ];
    let words = [
        wide::word(0),
        wide::word(1),
        format!(" {} ", wide::word(2)),
        "\"a, b\"".to_owned(),
        "?".to_owned(),
        "\"百\"\"官\"\"\n0\"".to_owned(),
        "5\" pipe".to_owned(),
    ];
    let ends = ["\n", "\r\n", "\r", "\n\n", "\r\n\r\n"];
    for i in 0..500 {
        let number = |k: usize| numbers[(i * 7 + k * 3) % numbers.len()];
        let word = |k: usize| &words[(i * 5 + k) % words.len()];
        let cells: Vec<&str> = (0..NUMBERS).map(number).chain((0..WORDS).map(|k| word(k).as_str())).collect();
        csv.push_str(&format!("{},{},x{i}{}", word(9), cells.join(","), ends[i % ends.len()]));
    }
    csv + "end,1,2,3,4,5,6,a,b,c,last"
}

#[test]
fn the_output_is_what_the_model_says_of_each_row_whatever_threads_and_blocks() {
    let folder = folder_with_model();
    let model = Model::load(&folder.path("model.json")).unwrap();
    for (name, csv) in [("plain", wide::csv(700, NUMBERS, WORDS, 1)), ("awkward", awkward_csv())] {
        let data = folder.write("in.csv", &csv);
        let expected = expected(&model, csv.trim_start_matches('\u{feff}'));
        for threads in 1..=4 {
            for block_bytes in [1, 100, 1000, 1 << 20] {
                let (out, errors) = (folder.path("out.csv"), folder.path("errors.csv"));
                let job = Job { model: &model, data: &data, out: &out, errors: &errors, threads, block_bytes };
                let tally = score_file(&job, &unwatched, &mut |_| ()).unwrap();
                assert_eq!((tally.bad, errors.exists()), (0, false));
                assert!(folder.read("out.csv") == expected, "{name}, {threads} threads, blocks of {block_bytes}");
            }
        }
    }
}

#[test]
fn order_is_kept_over_many_blocks_on_any_number_of_threads() {
    let folder = folder_with_model();
    folder.write("in.csv", wide::csv(60_000, NUMBERS, WORDS, 2));
    let said = scored(&folder, "in.csv", "one.csv", &["--threads", "1"]);
    assert!(said.contains("60000 rows in ") && said.contains("rows/s, 0 bad rows"), "{said}");
    let one = folder.read("one.csv");
    for threads in ["2", "3", "4"] {
        scored(&folder, "in.csv", "many.csv", &["--threads", threads]);
        assert!(folder.read("many.csv") == one, "{threads} threads");
    }
    scored(&folder, "in.csv", "default.csv", &[]);
    assert!(folder.read("default.csv") == one);
    let codes = one.lines().skip(1).map(|line| line.split_once(',').unwrap().0.to_owned());
    assert!(codes.eq((0..60_000).map(|row| format!("91330604MA{row:08}"))));
    for wrong in ["0", "-1", "many"] {
        assert_eq!(
            yuxin(&["score", "--model", "m", "--data", "d.csv", "--out", "o.csv", "--threads", wrong]).status.code(),
            Some(2)
        );
    }
}

/// A row of nine cells, of which `n0` is given.
fn row(n0: &str) -> String {
    format!("{n0},2,3,4,5,6,a,b,c\n")
}

const COLUMNS: &str = "n0,n1,n2,n3,n4,n5,w0,w1,w2\n";

#[test]
fn bad_rows_are_listed_and_the_others_are_scored_in_their_places() {
    let folder = folder_with_model();
    let mut csv = (COLUMNS.to_owned() + &row("1") + &row("many") + "\n" + &row("2")).into_bytes();
    csv.extend_from_slice(b"1,2,3,4,5,6,a,b\n1,2,3,4,5,6,a,b,c,d\n"); // rows 5 and 6: a cell too few, one too many
    csv.extend_from_slice(b"1,2,3,4,5,6,\xb0\xd9\xb9\xd9,b,c\n"); // row 7: GBK
    csv.extend_from_slice(b"1,2,3,4,5,6,\xff,b,c\n"); // row 8: nothing at all
    csv.extend_from_slice(b"1,2,3,4,5,6,\"a,b,c\n"); // row 9: a mark that stays open
    csv.extend_from_slice(row("3").as_bytes());
    csv.extend_from_slice(b"1,2,\"x\",\"y, z\",5,6,\"a\",b,c\n"); // row 11: two words that should be numbers
    csv.extend_from_slice(b"1,2,3,4,5,6,\"a\"b,b,c\n"); // row 12: a mark that closes too early
    csv.extend_from_slice(row("4").as_bytes());
    folder.write("in.csv", &csv);
    let said = scored(&folder, "in.csv", "out.csv", &[]);
    assert!(said.contains("8 of 12 rows could not be scored") && said.contains("out.csv.errors.csv"), "{said}");
    assert!(said.contains("row 3, column n0, \"many\"") && said.contains("4 rows scored by wide"), "{said}");
    assert!(said.contains("12 rows in ") && said.contains("8 bad rows"), "{said}");
    let out = folder.read("out.csv");
    let first: Vec<&str> = out.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(first, ["1", "many", "2", "3", "1", "4"], "rows whose cells could be read are in their places");
    assert!(
        out.contains("\nmany,2,3,4,5,6,a,b,c,,,,,,,\n") && out.contains("\n1,2,x,\"y, z\",5,6,a,b,c,,,,,,,\n"),
        "{out}"
    );
    let mut reader = csv::Reader::from_path(folder.path("out.csv.errors.csv")).unwrap();
    assert_eq!(reader.headers().unwrap().iter().collect::<Vec<_>>(), ["row", "column", "value", "message"]);
    let listed: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let brief: Vec<(&str, &str, &str)> = listed.iter().map(|of| (&of[0], &of[1], &of[2])).collect();
    assert_eq!(brief[..3], [("3", "n0", "many"), ("5", "", "1,2,3,4,5,6,a,b"), ("6", "", "1,2,3,4,5,6,a,b,c,d")]);
    assert_eq!(brief[3..].iter().map(|of| of.0).collect::<Vec<_>>(), ["7", "8", "9", "11", "12"]);
    assert_eq!((brief[5].2, brief[6].1, brief[6].2), ("1,2,3,4,5,6,\"a,b,c", "n2", "x"));
    let messages = [
        "write one, or empty the cell",
        "8 cells where the header has 9",
        "10 cells",
        "looks like GBK",
        "save the file as UTF-8",
        "quotation mark is not closed",
        "one more cell",
        "quotation mark",
    ];
    for (of, message) in listed.iter().zip(messages) {
        assert!(of[3].contains(message), "{of:?} {message}");
    }
    assert_eq!(folder.names(), ["in.csv", "model.json", "out.csv", "out.csv.errors.csv"]);
}

#[test]
fn the_list_of_bad_rows_goes_where_it_is_told_and_away_when_there_are_none() {
    let folder = folder_with_model();
    folder.write("in.csv", COLUMNS.to_owned() + &row("1") + &row("many"));
    let list = folder.path("list.csv");
    scored(&folder, "in.csv", "out.csv", &["--errors", text(&list)]);
    assert!(folder.read("list.csv").starts_with("row,column,value,message\n3,n0,many,"));
    folder.write("in.csv", COLUMNS.to_owned() + &row("1"));
    scored(&folder, "in.csv", "out.csv", &["--errors", text(&list)]);
    assert!(!list.exists(), "the list of an earlier run is gone");
    let notes = folder.write("notes.csv", "of another kind");
    scored(&folder, "in.csv", "out.csv", &["--errors", text(&notes)]);
    assert_eq!(folder.read("notes.csv"), "of another kind", "what is no such list stays");
    let (model, data, out) = (folder.path("model.json"), folder.path("in.csv"), folder.path("out.csv"));
    for same in [&out, &data] {
        let args =
            ["score", "--model", text(&model), "--data", text(&data), "--out", text(&out), "--errors", text(same)];
        let output = yuxin(&args);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains("cannot be both"));
    }
}

#[test]
fn where_not_one_row_can_be_scored_only_the_list_is_written() {
    let folder = folder_with_model();
    folder.write("in.csv", COLUMNS.to_owned() + &row("many") + &row("few"));
    let message = refused(&folder, "in.csv", "out.csv");
    assert!(message.contains("none of the 2 rows") && message.contains("row 2, column n0, \"many\""), "{message}");
    assert_eq!(folder.names(), ["in.csv", "model.json", "out.csv.errors.csv"]);
    assert_eq!(folder.read("out.csv.errors.csv").lines().count(), 3);
}

#[test]
fn a_mark_that_never_closes_costs_its_own_line_even_in_a_long_file() {
    let folder = folder_with_model();
    let model = Model::load(&folder.path("model.json")).unwrap();
    let mut csv = COLUMNS.to_owned() + &row("1") + "2,2,3,4,5,6,a,b,\"c\n";
    // More than a record may have, so that the reader must give up on the mark.
    (0..60_000).for_each(|i| csv.push_str(&row(&format!("{i}"))));
    csv.push_str("3,2,3,4,5,6,a,b,\"c\n");
    csv.push_str(&row("4"));
    let data = folder.write("in.csv", &csv);
    let mut outputs = Vec::new();
    for block_bytes in [1000, 512 << 10, 4 << 20] {
        let (out, errors) = (folder.path("out.csv"), folder.path("errors.csv"));
        let job = Job { model: &model, data: &data, out: &out, errors: &errors, threads: 2, block_bytes };
        let tally = score_file(&job, &unwatched, &mut |_| ()).unwrap();
        assert_eq!((tally.rows, tally.bad), (60_004, 2));
        let rows: Vec<String> =
            folder.read("errors.csv").lines().skip(1).map(|l| l.split(',').next().unwrap().to_owned()).collect();
        assert_eq!(rows, ["3", "60004"]);
        outputs.push(folder.read("out.csv"));
    }
    assert!(outputs.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn rows_that_a_mark_runs_together_are_never_scored_as_something_else() {
    let folder = folder_with_model();
    // The second mark looks like a closing one: three lines would be one row of the wrong width.
    folder.write(
        "in.csv",
        COLUMNS.to_owned() + &row("1") + "2,2,3,4,5,6,a,b,\"c\n" + &row("3") + "4,2,3,4,5,6,a,b,c\",d\n" + &row("5"),
    );
    let said = scored(&folder, "in.csv", "out.csv", &[]);
    assert!(said.contains("1 of 3 rows could not be scored"), "{said}");
    let list = folder.read("out.csv.errors.csv");
    assert!(list.contains("several lines are one row of 10 cells"), "{list}");
    assert_eq!(folder.read("out.csv").lines().count(), 3);
}

#[test]
fn files_that_are_no_table_are_refused_with_what_to_do() {
    let folder = folder_with_model();
    let message = |bytes: &[u8]| {
        folder.write("in.csv", bytes);
        refused(&folder, "in.csv", "out.csv")
    };
    assert!(message(b"").contains("is empty"));
    assert!(message(b"\xef\xbb\xbf").contains("is empty"));
    assert!(message(b"\r\n\n\n").contains("is empty"));
    assert!(message(COLUMNS.as_bytes()).contains("no rows"));
    assert!(message((COLUMNS.to_owned() + "\n\r\n\n").as_bytes()).contains("no rows"));
    assert!(message((COLUMNS.replace(',', ";") + "1;2;3\n").as_bytes()).contains("semicolons"));
    assert!(message((COLUMNS.replace(',', "\t") + "1\t2\t3\n").as_bytes()).contains("tabs"));
    assert!(message(COLUMNS.replace("n1", "n0").as_bytes()).contains("\"n0\" twice"));
    assert!(message(COLUMNS.replace("n1", "x").as_bytes()).contains("does not have the column n1"));
    assert!(message((COLUMNS.replace("n1", "n1,grade") + &row("1")).as_bytes()).contains("\"grade\""));
    assert!(message(b"\xb0\xd9\xb9\xd9,n0\n1,2\n").contains("row 1 is not UTF-8 but looks like GBK"));
    // Rows in GBK under a header in ASCII: each row is bad, and the reason is told.
    let mut gbk = COLUMNS.as_bytes().to_vec();
    gbk.extend_from_slice(b"1,2,3,4,5,6,\xb0\xd9\xb9\xd9,b,c\n");
    assert!(message(&gbk).contains("looks like GBK"));
    folder.write("in.xlsx", "no workbook");
    assert!(refused(&folder, "in.xlsx", "out.csv").contains("damaged"));
    folder.write("in.csv.gz", b"\x1f\x8b\x08no gzip");
    assert!(refused(&folder, "in.csv.gz", "out.csv").contains("damaged"));
    folder.write("in.txt", COLUMNS);
    assert!(refused(&folder, "in.txt", "out.csv").contains("must end in"));
    folder.write("in.csv", COLUMNS.to_owned() + &row("1"));
    assert!(refused(&folder, "in.csv", "out.json").contains("must end in"));
    if cfg!(not(feature = "parquet")) {
        assert!(refused(&folder, "in.csv", "out.parquet").contains("--features parquet"));
        folder.write("in.parquet", "PAR1");
        assert!(refused(&folder, "in.parquet", "out.csv").contains("--features parquet"));
    }
}

#[test]
fn a_gzip_that_ends_early_writes_nothing() {
    let folder = folder_with_model();
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(wide::csv(30_000, NUMBERS, WORDS, 3).as_bytes()).unwrap();
    let gz = gz.finish().unwrap();
    folder.write("in.csv.gz", &gz[..gz.len() / 2]);
    assert!(refused(&folder, "in.csv.gz", "out.csv").contains("damaged"));
    assert_eq!(folder.names(), ["in.csv.gz", "model.json"]);
}

#[test]
fn gzip_and_workbooks_hold_the_rows_of_the_plain_output() {
    let folder = folder_with_model();
    folder.write("in.csv", wide::csv(5000, NUMBERS, WORDS, 4));
    scored(&folder, "in.csv", "out.csv", &[]);
    scored(&folder, "in.csv", "out.csv.gz", &["--threads", "3"]);
    let mut unpacked = String::new();
    let gz = std::fs::File::open(folder.path("out.csv.gz")).unwrap();
    flate2::read::GzDecoder::new(gz).read_to_string(&mut unpacked).unwrap();
    assert!(unpacked == folder.read("out.csv"), "one gzip stream, as every reader takes it");
    // Numbers in cells, and back: the same scores.
    workbook(&folder.read("in.csv"), &folder.path("in.xlsx"));
    scored(&folder, "in.xlsx", "of_book.csv", &[]);
    scored(&folder, "in.csv", "book.xlsx", &[]);
    let added = |name: &str| -> Vec<Vec<String>> {
        let mut reader = csv::Reader::from_path(folder.path(name)).unwrap();
        reader.records().map(|row| row.unwrap().iter().rev().take(7).map(str::to_owned).collect()).collect()
    };
    assert!(added("of_book.csv") == added("out.csv"));
    scored(&folder, "in.xlsx", "from_book.xlsx", &[]);
    assert_eq!(sheet("book.xlsx", &folder), sheet("from_book.xlsx", &folder));
    assert_eq!(sheet("book.xlsx", &folder).len(), 5001);
}

/// Writes a CSV as a workbook: what reads as a number becomes one.
fn workbook(csv: &str, path: &Path) {
    let mut book = rust_xlsxwriter::Workbook::new();
    let sheet = book.add_worksheet();
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(csv.as_bytes());
    for (row, record) in (0_u32..).zip(reader.records()) {
        for (column, cell) in (0_u16..).zip(record.unwrap().iter()) {
            match cell.parse::<f64>() {
                Ok(number) => sheet.write_number(row, column, number).map(drop).unwrap(),
                Err(_) if cell.is_empty() => {}
                Err(_) => sheet.write_string(row, column, cell).map(drop).unwrap(),
            }
        }
    }
    book.save(path).unwrap();
}

fn sheet(name: &str, folder: &Folder) -> Vec<Vec<String>> {
    use calamine::Reader;
    let mut book: calamine::Xlsx<_> = calamine::open_workbook(folder.path(name)).unwrap();
    let range = book.worksheet_range_at(0).unwrap().unwrap();
    range.rows().map(|row| row.iter().map(ToString::to_string).collect()).collect()
}

#[test]
fn a_sheet_that_does_not_begin_in_its_corner_is_read_as_the_table_that_it_is() {
    let folder = folder_with_model();
    let mut book = rust_xlsxwriter::Workbook::new();
    let sheet = book.add_worksheet();
    for (row, line) in [(2_u32, COLUMNS.trim_end()), (3, "1,2,3,4,5,6,a,b,c"), (5, "7,,3,4,5,6,a,b,")] {
        for (column, cell) in (1_u16..).zip(line.split(',')).filter(|(_, cell)| !cell.is_empty()) {
            match cell.parse::<f64>() {
                Ok(number) => sheet.write_number(row, column, number).map(drop).unwrap(),
                Err(_) => sheet.write_string(row, column, cell).map(drop).unwrap(),
            }
        }
    }
    book.save(folder.path("in.xlsx")).unwrap();
    scored(&folder, "in.xlsx", "of_book.csv", &[]);
    folder.write("in.csv", COLUMNS.to_owned() + "1,2,3,4,5,6,a,b,c\n7,,3,4,5,6,a,b,\n");
    scored(&folder, "in.csv", "of_text.csv", &[]);
    assert_eq!(folder.read("of_book.csv"), folder.read("of_text.csv"));
}

/// The largest resident size of a run, in KiB.
fn peak_kib(folder: &Folder, data: &str, out: &str) -> u64 {
    let (model, data, out) = (folder.path("model.json"), folder.path(data), folder.path(out));
    let args = ["score", "--model", text(&model), "--data", text(&data), "--out", text(&out), "--threads", "2"];
    let mut child = command(&args).stderr(std::process::Stdio::null()).spawn().unwrap();
    let mut peak = 0;
    // The last value seen before the end: the peak only grows.
    while child.try_wait().unwrap().is_none() {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok());
        peak = peak.max(kib.unwrap_or(0));
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    peak
}

#[test]
fn memory_does_not_grow_with_the_file_not_even_when_all_rows_are_bad() {
    let folder = folder_with_model();
    let many = wide::csv(200_000, NUMBERS, WORDS, 5);
    let few_end = many.match_indices('\n').nth(20_000).unwrap().0 + 1;
    folder.write("few.csv", &many[..few_end]);
    folder.write("many.csv", &many);
    let (few, with_many) = (peak_kib(&folder, "few.csv", "out.csv"), peak_kib(&folder, "many.csv", "out.csv"));
    let gz = peak_kib(&folder, "many.csv", "out.csv.gz");
    // n0 becomes words: but for the first row, which it takes for the output to be written.
    let mut lines = many.lines();
    let mut bad = format!("{}\n{}\n", lines.next().unwrap(), lines.next().unwrap());
    lines.for_each(|line| bad.push_str(&(line.replacen(',', ",x", 1) + "\n")));
    folder.write("bad.csv", bad);
    let all_bad = peak_kib(&folder, "bad.csv", "out.csv");
    assert_eq!(folder.read("out.csv.errors.csv").lines().count(), 200_000);
    for (what, kib) in [("many rows", with_many), ("packed", gz), ("bad rows", all_bad)] {
        assert!(few > 0 && kib < few + 24 * 1024, "{what}: {kib} KiB, few rows {few} KiB");
    }
}

#[test]
fn a_signal_leaves_nothing_half_done_behind() {
    for signal in ["TERM", "INT"] {
        let folder = folder_with_model();
        folder.write("in.csv", wide::csv(400_000, NUMBERS, WORDS, 6).replacen("MA00000001,", "MA00000001,x", 1));
        folder.write("out.csv", "what was there before");
        let (model, data, out) = (folder.path("model.json"), folder.path("in.csv"), folder.path("out.csv"));
        let args = ["score", "--model", text(&model), "--data", text(&data), "--out", text(&out), "--threads", "1"];
        let mut child = command(&args).stderr(std::process::Stdio::piped()).spawn().unwrap();
        // Both the output and the list of bad rows are under way.
        while folder.names().iter().filter(|name| name.ends_with(".tmp")).count() < 2 {
            assert!(child.try_wait().unwrap().is_none(), "it ended before it could be stopped");
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        let id = child.id().to_string();
        assert!(std::process::Command::new("kill").args([&format!("-{signal}"), &id]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        assert!(stderr(&output).contains("signal"));
        assert_eq!(folder.names(), ["in.csv", "model.json", "out.csv"]);
        assert_eq!(folder.read("out.csv"), "what was there before");
    }
}

fn any_value() -> impl Strategy<Value = Value<'static>> {
    prop_oneof![
        Just(Value::Missing),
        any::<f64>().prop_map(Value::Number),
        (-2.0..110.0_f64).prop_map(Value::Number),
        (0..25_i32).prop_map(|edge| Value::Number(f64::from(edge) * 5.0)),
    ]
}

proptest! {
    #[test]
    fn columns_in_memory_score_like_single_rows(
        rows in prop::collection::vec(prop::collection::vec(any_value(), NUMBERS), 1..300),
        codes in prop::collection::vec(0..40_u32, 300 * WORDS),
        short in any::<bool>(),
    ) {
        let model = Model::from_bytes(&wide::model(NUMBERS, WORDS, PAIRS)).unwrap();
        let lookups = Lookups::new(&model);
        let levels: Vec<String> = (0..wide::WORDS + 3).map(wide::word).collect();
        let levels: Vec<&str> = levels.iter().map(String::as_str).collect();
        let number = |value: &Value<'_>| if let Value::Number(x) = value { *x } else { f64::NAN };
        let numbers: Vec<Vec<f64>> = (0..NUMBERS).map(|column| rows.iter().map(|row| number(&row[column])).collect()).collect();
        let codes: Vec<&[u32]> = codes.chunks(300).map(|codes| &codes[..if short { rows.len() / 2 } else { rows.len() }]).collect();
        let mut columns: Vec<ColumnValues<'_>> = numbers.iter().map(|column| ColumnValues::Numbers(column)).collect();
        columns.extend(codes.iter().map(|codes| ColumnValues::Words { levels: &levels, codes }));
        let mut found = Vec::new();
        lookups.score_columns(&columns, rows.len(), |total, reasons| found.push((lookups.score(total), reasons)));
        prop_assert_eq!(found.len(), rows.len());
        for (i, (row, (score, reasons))) in rows.iter().zip(found).enumerate() {
            let word = |codes: &&[u32]| codes.get(i).and_then(|code| levels.get(*code as usize)).map_or(Value::Missing, |word| Value::Text(word));
            let row: Vec<Value<'_>> = row.iter().copied().chain(codes.iter().map(word)).collect();
            prop_assert_eq!(model.score(&row), score);
            prop_assert_eq!(model.score(&row).pd.to_bits(), score.pd.to_bits());
            let lost: Vec<usize> = model.points_lost(&row).iter().take(4).map(|lost| lost.column).collect();
            prop_assert_eq!(reasons.columns().collect::<Vec<_>>(), lost);
        }
    }
}
