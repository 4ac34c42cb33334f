//! What `yuxin score` promises of files of any length: the same bytes on any number of threads, in order, in constant memory,
//! and no row lost.

use std::io::Read;
use std::path::Path;

use proptest::prelude::*;
use yuxin::data::batch::{Job, score_file};
use yuxin::data::text::unwatched;
use yuxin::model::columnar::{ColumnValues, Lookups};
use yuxin::model::dataset::is_missing;
use yuxin::model::{Model, Value};

use crate::support::program::{Folder, command, stderr, text, yuxin};
use crate::support::scoring::{COLUMNS, NUMBERS, PAIRS, WORDS, folder_with_model, scored};
use crate::support::wide;

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
        // The allocator gives pages back late; ten times the rows kept in memory would be several times as much.
        assert!(few > 0 && kib < few + 56 * 1024, "{what}: {kib} KiB, few rows {few} KiB");
    }
}

#[test]
fn a_signal_leaves_nothing_half_done_behind() {
    for signal in ["TERM", "INT", "HUP"] {
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

#[test]
fn a_job_that_was_told_to_outlive_its_terminal_does() {
    let folder = folder_with_model();
    folder.write("in.csv", wide::csv(200_000, NUMBERS, WORDS, 6));
    let (model, data, out) = (folder.path("model.json"), folder.path("in.csv"), folder.path("out.csv"));
    // What `nohup` does before it becomes the program.
    let mut child = std::process::Command::new("sh")
        .args(["-c", "trap '' HUP; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_yuxin"), "score", "--threads", "1"])
        .args(["--model", text(&model), "--data", text(&data), "--out", text(&out)])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    while !folder.names().iter().any(|name| name.ends_with(".tmp")) {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it could be told");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let id = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-HUP", &id]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(folder.read("out.csv").lines().count(), 200_001);
}

#[test]
fn a_workbook_that_finds_no_more_room_is_an_error_and_leaves_nothing_behind() {
    let folder = folder_with_model();
    folder.write("in.csv", wide::csv(20_000, NUMBERS, WORDS, 7));
    folder.write("out.xlsx", "what was there before");
    let (model, data, out) = (folder.path("model.json"), folder.path("in.csv"), folder.path("out.xlsx"));
    // No file may grow beyond 64 KiB: the sheet that waits for the workbook's end meets that, as it would a full disk.
    let output = std::process::Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 128; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_yuxin"), "score"])
        .args(["--model", text(&model), "--data", text(&data), "--out", text(&out)])
        .output()
        .unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("out.xlsx cannot be written: ") && said.contains("File too large"), "{said}");
    assert_eq!(folder.names(), ["in.csv", "model.json", "out.xlsx"]);
    assert_eq!(folder.read("out.xlsx"), "what was there before");
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
