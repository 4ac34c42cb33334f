//! How fast rows are scored: one row, columns in memory on one core, a CSV file to a CSV file on all cores; by a model of 40
//! columns of numbers and 10 of words, without pairs and with 60. `YUXIN_BENCH_ROWS` sets the rows of the file.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)] // a benchmark that fails may panic
#![allow(dead_code)] // the tests use more of what they share than this does

use std::hint::black_box;
use std::time::Instant;

use yuxin::data::batch::{BLOCK_BYTES, Job, score_file};
use yuxin::data::text::unwatched;
use yuxin::model::columnar::{ColumnValues, Lookups};
use yuxin::model::dataset::{is_missing, parse_number};
use yuxin::model::{Model, Value};

#[path = "../tests/it/support/wide.rs"]
mod wide;

const NUMBERS: usize = 40;
const WORDS: usize = 10;
const ROWS_IN_MEMORY: usize = 100_000;
const TIMES: usize = 8;

/// The shortest of several runs, and the processor time of one on average: what other programs on the machine do not change.
struct Taken {
    seconds: f64,
    processor_seconds: f64,
}

fn measure(mut run: impl FnMut()) -> Taken {
    let (used, mut seconds) = (processor_seconds(), f64::INFINITY);
    for _ in 0..TIMES {
        let begun = Instant::now();
        run();
        seconds = begun.elapsed().as_secs_f64().min(seconds);
    }
    Taken { seconds, processor_seconds: (processor_seconds() - used) / TIMES as f64 }
}

/// Processor time of this process, ended threads included, in hundredths of a second; NaN where there is no /proc.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(2).map(|field| field.parse().unwrap_or(f64::NAN));
    ticks.reduce(|user, system| user + system).unwrap_or(f64::NAN) / 100.0
}

fn told(what: &str, rows: usize, taken: &Taken) {
    let (rate, each) = (rows as f64 / taken.seconds, taken.processor_seconds * 1e9 / rows as f64);
    println!("  {what:<44} {rate:>12.0} rows/s  {each:>8.0} ns of processor time a row");
}

fn single_rows(model: &Model, rows: &[Vec<Value<'_>>]) {
    let taken = measure(|| rows.iter().for_each(|row| _ = black_box(model.score(black_box(row)))));
    told("Model::score, one row at a time", rows.len(), &taken);
    let taken = measure(|| rows.iter().for_each(|row| _ = black_box(model.points_lost(black_box(row)))));
    told("Model::points_lost", rows.len(), &taken);
}

fn in_memory(model: &Model, cells: &[csv::StringRecord]) {
    let levels: Vec<String> = (0..wide::WORDS + 3).map(wide::word).collect();
    let levels: Vec<&str> = levels.iter().map(String::as_str).collect();
    let numbers: Vec<Vec<f64>> = (0..NUMBERS)
        .map(|column| cells.iter().map(|row| parse_number(&row[1 + column]).unwrap_or(f64::NAN)).collect())
        .collect();
    let code = |cell: &str| levels.iter().position(|word| *word == cell).map_or(u32::MAX, |code| code as u32);
    let codes: Vec<Vec<u32>> =
        (0..WORDS).map(|column| cells.iter().map(|row| code(&row[1 + NUMBERS + column])).collect()).collect();
    let mut columns: Vec<ColumnValues<'_>> = numbers.iter().map(|column| ColumnValues::Numbers(column)).collect();
    columns.extend(codes.iter().map(|codes| ColumnValues::Words { levels: &levels, codes }));
    let lookups = Lookups::new(model);
    let taken = measure(|| {
        let mut sum = 0.0;
        lookups.score_columns(&columns, cells.len(), |total, _| sum += lookups.score(total).pd);
        black_box(sum);
    });
    told("columns in memory: score, pd, grade, reasons", cells.len(), &taken);
}

fn file_to_file(model: &Model, rows: usize) {
    let folder = tempfile::tempdir().unwrap();
    let (data, out) = (folder.path().join("in.csv"), folder.path().join("out.csv"));
    let text = wide::csv(rows, NUMBERS, WORDS, 3);
    std::fs::write(&data, &text).unwrap();
    let cores = std::thread::available_parallelism().unwrap().get();
    for threads in [1, cores] {
        let errors = folder.path().join("errors.csv");
        let job = Job { model, data: &data, out: &out, errors: &errors, threads, block_bytes: BLOCK_BYTES };
        let taken = measure(|| assert_eq!(score_file(&job, &unwatched, &mut |_| ()).unwrap().bad, 0));
        told(&format!("CSV file to CSV file, {threads} scoring threads"), rows, &taken);
    }
    println!("  ({} bytes a row)", text.len() / rows);
}

fn main() {
    let rows: usize = std::env::var("YUXIN_BENCH_ROWS").map_or(500_000, |rows| rows.parse().unwrap());
    let text = wide::csv(ROWS_IN_MEMORY, NUMBERS, WORDS, 3);
    let cells: Vec<csv::StringRecord> =
        csv::Reader::from_reader(text.as_bytes()).records().map(Result::unwrap).collect();
    let value = |cell| {
        if is_missing(cell) { Value::Missing } else { parse_number(cell).map_or(Value::Text(cell), Value::Number) }
    };
    let values: Vec<Vec<Value<'_>>> =
        cells.iter().map(|row| row.iter().skip(1).take(NUMBERS + WORDS).map(value).collect()).collect();
    for pairs in [0, 60] {
        println!("{NUMBERS} columns of numbers, {WORDS} of words, {pairs} pairs");
        let model = Model::from_bytes(&wide::model(NUMBERS, WORDS, pairs)).unwrap();
        single_rows(&model, &values);
        in_memory(&model, &cells);
        file_to_file(&model, rows);
    }
}
