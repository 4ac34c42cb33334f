//! What scoring, training and measuring promise of Parquet: the results of a CSV of the same rows, bit for bit, and types that stay.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int8Type, Int32Type, Int64Type};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float32Array,
    Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, LargeStringArray, ListArray, RecordBatch, StringArray,
    StringViewArray, TimestampMillisecondArray, UInt8Array, UInt64Array,
};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, GzipLevel, ZstdLevel};
use parquet::file::properties::WriterProperties;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::support::program::{Folder, stderr, text, yuxin};
use crate::support::scoring::{NUMBERS, WORDS, folder_with_model, scored};
use crate::support::wide;

fn write(path: &Path, batch: &RecordBatch, compression: Compression, group_rows: usize) {
    let properties =
        WriterProperties::builder().set_compression(compression).set_max_row_group_row_count(Some(group_rows)).build();
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
}

fn read(path: &Path) -> Vec<RecordBatch> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap().build().unwrap();
    reader.map(Result::unwrap).collect()
}

fn score(folder: &Folder, data: &str, out: &str) -> String {
    scored(folder, data, out, &[])
}

fn array<A: Array + 'static>(array: A) -> ArrayRef {
    Arc::new(array)
}

/// Rows of many types, nulls among them; and the CSV of the same rows, and of the outcomes.
fn typed_rows(rows: usize) -> (RecordBatch, String) {
    let mut random = ChaCha8Rng::seed_from_u64(11);
    let mut some = |low: i64, high: i64| -> Vec<Option<i64>> {
        (0..rows).map(|_| (!random.gen_ratio(1, 12)).then(|| random.gen_range(low..high))).collect()
    };
    let (n0, n1, n2, n3, n4, n5) =
        (some(-100, 12_000), some(-10, 120), some(-1000, 12_000), some(-10, 120), some(0, 2), some(0, 120));
    let (w0, w1, w2) = (some(0, 33), some(0, 33), some(0, 33));
    let y: Vec<Option<i64>> = some(0, 100)
        .iter()
        .enumerate()
        .map(|(i, x)| Some(i64::from(n1[i].unwrap_or(50) + x.unwrap_or(50) > 90)))
        .collect();
    let word = |of: &Option<i64>| of.map(|n| wide::word(n as usize));
    let hundredths = |of: &Option<i64>| of.map(|n| n as f64 / 100.0);
    let dictionary: DictionaryArray<Int32Type> =
        w1.iter().map(word).collect::<Vec<_>>().iter().map(Option::as_deref).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("n0", array(n0.iter().map(hundredths).collect::<Float64Array>())),
        ("n1", array(n1.iter().copied().collect::<Int64Array>())),
        (
            "n2",
            array(
                n2.iter()
                    .map(|n| n.map(i128::from))
                    .collect::<Decimal128Array>()
                    .with_precision_and_scale(12, 2)
                    .unwrap(),
            ),
        ),
        ("n3", array(n3.iter().map(|n| n.map(|n| n as i8)).collect::<Int8Array>())),
        ("n4", array(n4.iter().map(|n| n.map(|n| n == 1)).collect::<BooleanArray>())),
        ("n5", array(n5.iter().map(|n| n.map(|n| n as f32 / 4.0)).collect::<Float32Array>())),
        ("w0", array(w0.iter().map(word).collect::<StringArray>())),
        ("w1", array(dictionary)),
        ("w2", array(w2.iter().map(word).collect::<StringViewArray>())),
        ("y", array(y.iter().copied().collect::<Int64Array>())),
        ("day", array((0..rows).map(|row| Some(row as i32)).collect::<Date32Array>())),
    ];
    let cell = |text: Option<String>| text.unwrap_or_default();
    let mut csv = String::from("n0,n1,n2,n3,n4,n5,w0,w1,w2,y,day\n");
    for row in 0..rows {
        let cells = [
            cell(hundredths(&n0[row]).map(|x| x.to_string())),
            cell(n1[row].map(|n| n.to_string())),
            cell(hundredths(&n2[row]).map(|x| format!("{x:.2}"))),
            cell(n3[row].map(|n| n.to_string())),
            cell(n4[row].map(|n| n.to_string())),
            cell(n5[row].map(|n| (n as f32 / 4.0).to_string())),
            cell(word(&w0[row])),
            cell(word(&w1[row])),
            cell(word(&w2[row])),
            cell(y[row].map(|n| n.to_string())),
            "d".to_owned(),
        ];
        csv.push_str(&(cells.join(",") + "\n"));
    }
    (
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap(),
        csv,
    )
}

/// The added cells of a scored CSV.
fn added(csv: &str) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    reader.records().map(|row| row.unwrap().iter().rev().take(7).map(str::to_owned).collect()).collect()
}

#[test]
fn columns_score_like_the_csv_of_the_same_rows_bit_for_bit_and_keep_their_types() {
    let folder = folder_with_model();
    let (batch, csv) = typed_rows(30_000);
    folder.write("in.csv", csv);
    score(&folder, "in.csv", "of_csv.csv");
    let expected = added(&folder.read("of_csv.csv"));
    let codecs = [
        Compression::SNAPPY,
        Compression::ZSTD(ZstdLevel::default()),
        Compression::GZIP(GzipLevel::default()),
        Compression::LZ4_RAW,
        Compression::UNCOMPRESSED,
    ];
    for codec in codecs {
        write(&folder.path("in.parquet"), &batch, codec, 7000);
        let said = score(&folder, "in.parquet", "out.parquet");
        assert!(said.contains("30000 rows in ") && said.contains(" 0 bad rows"), "{said}");
    }
    score(&folder, "in.parquet", "of_columns.csv");
    assert!(added(&folder.read("of_columns.csv")) == expected);
    let mut row = 0;
    for found in read(&folder.path("out.parquet")) {
        assert_eq!(found.schema().fields()[..11], batch.schema().fields()[..]);
        for column in 0..11 {
            assert_eq!(found.column(column).to_data(), batch.column(column).slice(row, found.num_rows()).to_data());
        }
        let pd = found["pd"].as_primitive::<Float64Type>();
        let points = found["score"].as_primitive::<Int64Type>();
        for i in 0..found.num_rows() {
            let cells = &expected[row + i];
            assert_eq!(pd.value(i).to_bits(), cells[6].parse::<f64>().unwrap().to_bits());
            assert_eq!(points.value(i).to_string(), cells[5]);
            for (name, cell) in [("grade", 4), ("reason_1", 3), ("reason_2", 2), ("reason_3", 1), ("reason_4", 0)] {
                let words = found[name].as_string::<i32>();
                assert_eq!(if words.is_valid(i) { words.value(i) } else { "" }, cells[cell]);
                assert_eq!(words.is_null(i), cells[cell].is_empty());
            }
        }
        row += found.num_rows();
    }
    assert_eq!(row, 30_000);
    // A CSV becomes columns of words and the added ones; they read back as the same rows.
    score(&folder, "in.csv", "words.parquet");
    let words = read(&folder.path("words.parquet"));
    assert_eq!(words[0]["n0"].data_type().to_string(), "Utf8");
    assert_eq!(words.iter().map(RecordBatch::num_rows).sum::<usize>(), 30_000);
    let of_words = |name: &str| {
        words.iter().flat_map(|batch| batch[name].as_primitive::<Float64Type>().iter()).collect::<Vec<_>>()
    };
    assert!(of_words("pd").iter().zip(&expected).all(|(pd, cells)| pd.unwrap().to_string() == cells[6]));
    assert!(words[0]["n0"].null_count() > 0, "an empty cell is no value");
}

/// Rows of the model's columns, all the same but for the first column, which is `n0`.
fn one_column(n0: ArrayRef) -> RecordBatch {
    let rows = n0.len();
    let mut columns: Vec<(String, ArrayRef)> = vec![("n0".to_owned(), n0)];
    columns.extend((1..NUMBERS).map(|i| (format!("n{i}"), array(Int16Array::from(vec![40; rows])))));
    columns.extend((0..WORDS).map(|i| (format!("w{i}"), array(LargeStringArray::from(vec!["v_32"; rows])))));
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

#[test]
fn every_usual_type_of_a_number_gives_the_same_score_and_null_is_missing() {
    let folder = folder_with_model();
    let dictionary = |words: Vec<Option<&str>>| words.into_iter().collect::<DictionaryArray<Int8Type>>();
    let numbers: Vec<ArrayRef> = vec![
        array(Int8Array::from(vec![Some(1), None])),
        array(Int16Array::from(vec![Some(1), None])),
        array(Int32Array::from(vec![Some(1), None])),
        array(Int64Array::from(vec![Some(1), None])),
        array(UInt8Array::from(vec![Some(1), None])),
        array(UInt64Array::from(vec![Some(1), None])),
        array(Float32Array::from(vec![Some(1.0), Some(f32::NAN)])),
        array(Float64Array::from(vec![Some(1.0), None])),
        array(BooleanArray::from(vec![Some(true), None])),
        array(Decimal128Array::from(vec![Some(100), None]).with_precision_and_scale(38, 2).unwrap()),
        array(Decimal128Array::from(vec![Some(10_i128.pow(30)), None]).with_precision_and_scale(38, 30).unwrap()),
        array(StringArray::from(vec![Some(" 1.0 "), Some("NA")])),
        array(LargeStringArray::from(vec![Some("1"), Some("")])),
        array(StringViewArray::from(vec![Some("1"), None])),
        array(BinaryArray::from(vec![Some(b"1".as_slice()), None])),
        array(dictionary(vec![Some("1"), None])),
    ];
    let mut expected = None;
    for n0 in numbers {
        let of = n0.data_type().to_string();
        write(&folder.path("in.parquet"), &one_column(n0), Compression::SNAPPY, 1000);
        score(&folder, "in.parquet", "out.parquet");
        let batch = &read(&folder.path("out.parquet"))[0];
        let pd: Vec<f64> = batch["pd"].as_primitive::<Float64Type>().iter().map(Option::unwrap).collect();
        assert!(pd[0] != pd[1]);
        assert_eq!(*expected.get_or_insert(pd.clone()), pd, "{of}");
    }
}

#[test]
fn words_in_a_column_of_numbers_are_listed_and_leave_the_added_columns_empty() {
    let folder = folder_with_model();
    let words = StringArray::from(vec![Some("1"), Some("many"), None, Some("2,5")]);
    write(&folder.path("in.parquet"), &one_column(array(words)), Compression::SNAPPY, 2);
    let said = score(&folder, "in.parquet", "out.parquet");
    assert!(said.contains("2 of 4 rows could not be scored"), "{said}");
    let batch = &read(&folder.path("out.parquet"))[0];
    let valid = |name: &str| (0..4).map(|row| batch[name].is_valid(row)).collect::<Vec<_>>();
    for name in ["pd", "score", "grade"] {
        assert_eq!(valid(name), [true, false, true, false]);
    }
    let list = folder.read("out.parquet.errors.csv");
    let lines: Vec<&str> = list.lines().collect();
    assert!(lines[1].starts_with("3,n0,many,") && lines[2].starts_with("5,n0,\"2,5\",") && lines.len() == 3, "{list}");
    // Dates where the model needs numbers: nothing can be scored.
    let moments = TimestampMillisecondArray::from(vec![1_700_000_000_000; 3]);
    write(&folder.path("in.parquet"), &one_column(array(moments)), Compression::SNAPPY, 10);
    let (model, data, out) = (folder.path("model.json"), folder.path("in.parquet"), folder.path("none.csv"));
    let output = yuxin(&["score", "--model", text(&model), "--data", text(&data), "--out", text(&out)]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("\"2023-11-14T22:13:20\""), "{}", stderr(&output));
}

#[test]
fn other_formats_take_columns_as_text() {
    let folder = folder_with_model();
    let days = array(Date32Array::from(vec![Some(0), None]));
    let moments = array(TimestampMillisecondArray::from(vec![Some(1_700_000_000_500), None]));
    let amounts = array(Decimal128Array::from(vec![Some(1250), None]).with_precision_and_scale(9, 2).unwrap());
    let notes = array(StringArray::from(vec![Some("a, \"b\"\n百官"), None]));
    let mut lists = arrow_array::builder::ListBuilder::new(StringBuilder::new());
    lists.values().append_value("x");
    lists.append(true);
    lists.append(false);
    let lists: ListArray = lists.finish();
    let base = one_column(array(Float64Array::from(vec![Some(0.1 + 0.2), None])));
    let names = ["day", "moment", "amount", "note", "list"].map(str::to_owned);
    let columns = [days, moments, amounts, notes, array(lists)];
    let all = base
        .schema()
        .fields()
        .iter()
        .map(|f| f.name().clone())
        .zip(base.columns().to_vec())
        .chain(names.into_iter().zip(columns))
        .collect::<Vec<_>>();
    let batch =
        RecordBatch::try_from_iter_with_nullable(all.into_iter().map(|(name, array)| (name, array, true))).unwrap();
    write(&folder.path("in.parquet"), &batch, Compression::SNAPPY, 10);
    score(&folder, "in.parquet", "out.csv");
    let out = folder.read("out.csv");
    let mut reader = csv::Reader::from_reader(out.as_bytes());
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(&rows[0][0], "0.30000000000000004");
    assert_eq!(
        [&rows[0][9], &rows[0][10], &rows[0][11], &rows[0][12]],
        ["1970-01-01", "2023-11-14T22:13:20.500", "12.50", "a, \"b\"\n百官"]
    );
    assert!(rows[1].iter().skip(9).take(5).all(str::is_empty));
    for out in ["out.csv.gz", "out.xlsx", "out.parquet"] {
        score(&folder, "in.parquet", out);
    }
    assert_eq!(read(&folder.path("out.parquet"))[0].column(13).to_data(), batch.column(13).to_data());
}

#[test]
fn training_and_measuring_give_what_the_csv_gives() {
    let folder = Folder::new();
    let (batch, csv) = typed_rows(3000);
    write(&folder.path("data.parquet"), &batch, Compression::SNAPPY, 1000);
    // Single precision is written out with fewer digits than it has, but these are quarters.
    folder.write("data.csv", csv);
    let spec = folder.write("spec.toml", "exclude = [\"day\"]");
    let trained = |data: &str| {
        let (data, model) = (folder.path(data), folder.path("model.json"));
        let output =
            yuxin(&["train", "--data", text(&data), "--target", "y", "--out", text(&model), "--spec", text(&spec)]);
        assert!(output.status.success(), "{}", stderr(&output));
        let mut artifact: serde_json::Value = serde_json::from_slice(&std::fs::read(&model).unwrap()).unwrap();
        artifact["training"]["data_sha256"].take();
        artifact
    };
    let of_csv = trained("data.csv");
    assert_eq!(trained("data.parquet"), of_csv);
    let measured = |data: &str, with: [&str; 2]| {
        let data = folder.path(data);
        let output = yuxin(&["evaluate", with[0], with[1], "--data", text(&data), "--target", "y"]);
        assert!(output.status.success(), "{}", stderr(&output));
        output.stdout
    };
    let model = folder.path("model.json");
    let figures = measured("data.csv", ["--model", text(&model)]);
    assert_eq!(measured("data.parquet", ["--model", text(&model)]), figures);
    score(&folder, "data.parquet", "scored.parquet");
    assert_eq!(measured("scored.parquet", ["--pd-column", "pd"]), figures);
}

#[test]
fn the_types_of_the_file_hold_unless_the_specification_says_otherwise() {
    let folder = Folder::new();
    let codes: Vec<String> = (0..400).map(|i| ((i * 7) % 10).to_string()).collect();
    let outcomes: Vec<bool> = (0..400).map(|i| i % 4 == 1 || (i * 7) % 10 > 6).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("code", array(StringArray::from(codes))),
        ("whole", array(Int32Array::from((0..400).map(|i| (i * 7) % 10).collect::<Vec<_>>()))),
        ("y", array(BooleanArray::from(outcomes))),
    ];
    write(&folder.path("data.parquet"), &RecordBatch::try_from_iter(columns).unwrap(), Compression::SNAPPY, 100);
    let shapes = |spec: &str| {
        let (data, model, spec) =
            (folder.path("data.parquet"), folder.path("model.json"), folder.write("spec.toml", spec));
        let output =
            yuxin(&["train", "--data", text(&data), "--target", "y", "--out", text(&model), "--spec", text(&spec)]);
        assert!(output.status.success(), "{}", stderr(&output));
        let artifact: serde_json::Value = serde_json::from_slice(&std::fs::read(&model).unwrap()).unwrap();
        let tables = artifact["characteristics"].as_array().unwrap().clone();
        tables
            .iter()
            .map(|table| format!("{} {}", table["feature"].as_str().unwrap(), table["shape"]["type"].as_str().unwrap()))
            .collect::<Vec<_>>()
    };
    let kept = |types: [&str; 2]| {
        format!(
            "[[feature]]\nname = \"code\"\nkeep = true\n{}\n[[feature]]\nname = \"whole\"\nkeep = true\n{}",
            types[0], types[1]
        )
    };
    let typed = shapes(&kept(["", ""]));
    assert!(
        typed.iter().all(|of| ["code text", "whole numeric"].contains(&of.as_str())) && !typed.is_empty(),
        "{typed:?}"
    );
    let turned = shapes(&kept(["type = \"numeric\"", "type = \"text\""]));
    assert!(
        turned.iter().all(|of| ["code numeric", "whole text"].contains(&of.as_str())) && !turned.is_empty(),
        "{turned:?}"
    );
}

#[test]
fn files_that_are_no_parquet_and_rows_that_cannot_be_used_are_named() {
    let folder = folder_with_model();
    let message = |args: &[&str]| {
        let output = yuxin(args);
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        stderr(&output)
    };
    let (model, data, out) = (folder.path("model.json"), folder.path("in.parquet"), folder.path("out.csv"));
    let scoring = ["score", "--model", text(&model), "--data", text(&data), "--out", text(&out)];
    std::fs::write(&data, "PAR1 but no more").unwrap();
    assert!(message(&scoring).contains("damaged"));
    std::fs::write(&data, "").unwrap();
    assert!(message(&scoring).contains("empty"));
    write(&data, &one_column(array(Int64Array::from(Vec::<i64>::new()))), Compression::SNAPPY, 10);
    assert!(message(&scoring).contains("no rows"));
    write(&data, &one_column(array(Int64Array::from(vec![1; 3]))), Compression::SNAPPY, 10);
    let evaluating = ["evaluate", "--model", text(&model), "--data", text(&data), "--target", "y"];
    assert!(message(&evaluating).contains("does not have the column y"));
    let mut bytes = std::fs::read(&data).unwrap();
    bytes[60..120].fill(0);
    std::fs::write(&data, bytes).unwrap();
    assert!(message(&scoring).contains("damaged"));
    let columns: Vec<(&str, ArrayRef)> =
        vec![("p", array(Float64Array::from(vec![0.5, 1.5]))), ("y", array(Int64Array::from(vec![Some(1), None])))];
    write(
        &data,
        &RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, a)| (n, a, true))).unwrap(),
        Compression::SNAPPY,
        10,
    );
    let evaluating = ["evaluate", "--pd-column", "p", "--data", text(&data), "--target", "y"];
    assert!(message(&evaluating).contains("row 3, column y: the target is missing"));
    let evaluating = ["evaluate", "--pd-column", "y", "--data", text(&data), "--target", "p"];
    assert!(message(&evaluating).contains("row 2, column p: the target is \"0.5\""));
}
