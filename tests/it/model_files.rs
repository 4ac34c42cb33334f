//! What the train, evaluate and score commands promise about files, run as the program that is shipped.

use std::path::{Path, PathBuf};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::support::program::{Folder, stderr, text, yuxin};

/// A CSV with codes, words, numbers, missing values of several spellings, a quoted comma, and the outcome.
fn firms_csv(rows: u32, seed: u64) -> String {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut csv = String::from("uscc,late,town,note,y\n");
    for i in 0..rows {
        let (late, town) = (random.gen_range(0..6), random.gen_range(0..3_usize));
        let z = -2.0 + 0.6 * f64::from(late) + 0.7 * town as f64;
        let bad = u8::from(random.gen_bool(1.0 / (1.0 + (-z).exp())));
        let late = match random.gen_range(0..12) {
            0 => String::new(),
            1 => "NA".to_owned(),
            2 => "?".to_owned(),
            _ => late.to_string(),
        };
        csv.push_str(&format!("91330604MA{i:08},{late},{},\"a, b\",{bad}\n", ["上虞", "Songxia", "v_3"][town]));
    }
    csv
}

fn train(folder: &Folder, csv: &str) -> PathBuf {
    let (data, model) = (folder.write("train.csv", csv), folder.path("model.json"));
    let output = yuxin(&["train", "--data", text(&data), "--target", "y", "--out", text(&model)]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(output.stdout.is_empty(), "results only on stdout");
    model
}

fn refused(folder: &Folder, csv: impl AsRef<[u8]>, spec: Option<&str>) -> String {
    let (data, model) = (folder.write("bad.csv", csv), folder.path("no.json"));
    let mut args = vec!["train", "--data", text(&data), "--target", "y", "--out", text(&model)];
    let spec = spec.map(|spec| folder.write("spec.toml", spec));
    if let Some(spec) = &spec {
        args.extend(["--spec", text(spec)]);
    }
    let output = yuxin(&args);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(!model.exists());
    stderr(&output)
}

#[test]
fn a_model_is_trained_measured_and_scores_the_file_with_the_same_probabilities() {
    let folder = Folder::new();
    let model = train(&folder, &firms_csv(2000, 1));
    let fresh = folder.write("fresh.csv", firms_csv(1500, 2));
    let by_model = yuxin(&["evaluate", "--model", text(&model), "--data", text(&fresh), "--target", "y"]);
    let measures: serde_json::Value = serde_json::from_slice(&by_model.stdout).unwrap();
    let keys: Vec<&str> = measures.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = vec!["auc", "ks", "gini", "brier", "log_loss", "ece", "n", "bad_rate"];
    expected.sort();
    let mut keys = keys;
    keys.sort();
    assert_eq!(keys, expected);
    assert!(measures["auc"].as_f64().unwrap() > 0.65);
    let out = folder.path("scored.csv");
    let scored = yuxin(&["score", "--model", text(&model), "--data", text(&fresh), "--out", text(&out)]);
    assert!(scored.status.success(), "{}", stderr(&scored));
    let by_column = yuxin(&["evaluate", "--pd-column", "pd", "--data", text(&out), "--target", "y"]);
    assert_eq!(by_column.stdout, by_model.stdout, "the written probabilities are the served ones, digit for digit");
    assert_eq!(folder.names(), ["fresh.csv", "model.json", "scored.csv", "train.csv"], "no temporary file is left");
}

#[test]
fn scored_rows_are_the_rows_that_came_in_with_seven_columns_more() {
    let folder = Folder::new();
    let model = train(&folder, &firms_csv(2000, 3));
    let rows = "town,extra,late,uscc\n\"v_3\",\" kept, as is \",5,913306047410012389\nnew town,,,007\n";
    let (data, out) = (folder.write("in.csv", rows), folder.path("out.csv"));
    assert!(yuxin(&["score", "--model", text(&model), "--data", text(&data), "--out", text(&out)]).status.success());
    let mut reader = csv::Reader::from_path(&out).unwrap();
    let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    assert_eq!(
        header,
        ["town", "extra", "late", "uscc", "pd", "score", "grade", "reason_1", "reason_2", "reason_3", "reason_4"]
    );
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].iter().take(4).collect::<Vec<_>>(), ["v_3", " kept, as is ", "5", "913306047410012389"]);
    let pd: f64 = rows[0][4].parse().unwrap();
    assert!(pd > 0.3 && pd < 1.0 && pd.to_string() == rows[0][4]);
    let mut reasons = [&rows[0][7], &rows[0][8]];
    reasons.sort();
    assert_eq!(reasons, ["LATE", "TOWN"]);
    assert_eq!((&rows[0][9], &rows[0][10]), ("", ""));
}

#[test]
fn workbooks_gzip_and_byte_order_marks_score_like_the_plain_file() {
    use std::io::Write;
    let folder = Folder::new();
    let model = train(&folder, &firms_csv(2000, 4));
    let plain = firms_csv(200, 5);
    let scored = |data: &Path, out: &str| {
        let out = folder.path(out);
        let output = yuxin(&["score", "--model", text(&model), "--data", text(data), "--out", text(&out)]);
        assert!(output.status.success(), "{}", stderr(&output));
        out
    };
    let expected = std::fs::read_to_string(scored(&folder.write("a.csv", &plain), "a_out.csv")).unwrap();
    let marked = folder.write("b.csv", format!("\u{feff}{plain}"));
    assert_eq!(std::fs::read_to_string(scored(&marked, "b_out.csv")).unwrap(), expected);
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(plain.as_bytes()).unwrap();
    let gz = folder.write("c.csv.gz", gz.finish().unwrap());
    assert_eq!(std::fs::read_to_string(scored(&gz, "c_out.csv")).unwrap(), expected);
    let book = scored(&folder.path("a.csv"), "d.xlsx");
    let again = yuxin(&["evaluate", "--pd-column", "pd", "--data", text(&book), "--target", "y"]);
    let first = yuxin(&["evaluate", "--pd-column", "pd", "--data", text(&folder.path("a_out.csv")), "--target", "y"]);
    assert!(again.status.success(), "{}", stderr(&again));
    assert_eq!(again.stdout, first.stdout, "a workbook keeps the probabilities");
    // A workbook as input: numbers in cells, codes as text.
    let mut workbook = rust_xlsxwriter::Workbook::new();
    let sheet = workbook.add_worksheet();
    for (row, record) in
        csv::ReaderBuilder::new().has_headers(false).from_reader(plain.as_bytes()).records().enumerate()
    {
        for (column, cell) in record.unwrap().iter().enumerate() {
            let (row, column) = (row as u32, column as u16);
            match cell.parse::<f64>() {
                Ok(number) => sheet.write_number(row, column, number).map(drop).unwrap(),
                Err(_) => sheet.write_string(row, column, cell).map(drop).unwrap(),
            }
        }
    }
    let book = folder.write("e.xlsx", workbook.save_to_buffer().unwrap());
    assert_eq!(std::fs::read_to_string(scored(&book, "e_out.csv")).unwrap(), expected);
}

#[test]
fn a_column_that_the_model_needs_or_that_scoring_adds_is_named() {
    let folder = Folder::new();
    let model = train(&folder, &firms_csv(2000, 7));
    let out = folder.path("out.csv");
    let message = |rows: &str| {
        let data = folder.write("in.csv", rows);
        let output = yuxin(&["score", "--model", text(&model), "--data", text(&data), "--out", text(&out)]);
        assert_eq!(output.status.code(), Some(1));
        assert!(!out.exists());
        stderr(&output)
    };
    assert!(message("late,place\n1,x\n").contains("does not have the column town"));
    assert!(message("late,town,pd\n1,x,0.1\n").contains("\"pd\""));
    assert!(message("late,town\n").contains("no rows"));
    assert!(message("late,town\n1,x,3\n").contains("the row has 3 cells"));
}

#[test]
fn awkward_training_files_are_refused_with_row_column_and_what_to_do() {
    let folder = Folder::new();
    let refused = |csv: &[u8]| refused(&folder, csv, None);
    assert!(refused(b"").contains("empty"));
    assert!(refused(b"a,y\n").contains("no rows"));
    assert!(refused(b"a,a,y\n1,2,0\n").contains("\"a\" twice"));
    assert!(refused(b"a,b\n1,0\n").contains("does not have the column y"));
    assert!(refused(b"a,y\n1,0\n2,2\n").contains("row 3, column y"));
    assert!(refused(b"a,y\n1,0\n2,\n").contains("missing"));
    assert!(refused(b"a,y\n1,0\n2\n").contains("row 3 has 1 cells where the header has 2: put cells with a comma"));
    assert!(refused(b"a,y\n1,0\n\"2,1\n3,0\n").contains("several lines are one row: close the mark"));
    assert!(refused(b"a,y\n1,0\n\xff\xfe,1\n").contains("UTF-8"));
    assert!(refused(b"a,y\n1,0\n2,1\n").contains("too few"));
    let one_class: String = "a,y\n".to_owned() + &"1,0\n".repeat(100);
    assert!(refused(one_class.as_bytes()).contains("0 bad and 100 good"));
    let constant: String = "a,y\n".to_owned() + &"1,0\n1,1\n".repeat(100);
    assert!(refused(constant.as_bytes()).contains("no column predicts"));
}

#[test]
fn a_few_words_in_a_column_of_numbers_are_refused_until_somebody_decides() {
    let folder = Folder::new();
    // Forty numbers a word: far too few words to be meant.
    let mut csv = String::from("code,town,y\n");
    for i in 0..400 {
        let code = if i % 41 == 40 { "x".to_owned() } else { ((i * 7) % 10).to_string() };
        csv.push_str(&format!("{code},{},{}\n", ["a", "b"][i % 2], u8::from(i % 4 == 1 || (i * 7) % 10 > 6)));
    }
    let message = refused(&folder, &csv, None);
    assert!(message.contains("row 42, column code: \"x\" is a word, but 391 of the 400 filled cells"), "{message}");
    assert!(message.contains("type = \"text\"") && message.contains("empty it"), "{message}");
    assert!(
        refused(&folder, &csv, Some("[[feature]]\nname = \"code\"\ntype = \"numeric\""))
            .contains("row 42, column code")
    );
    let trained = |csv: &str, spec: &str| {
        let (data, model, spec) =
            (folder.write("codes.csv", csv), folder.path("codes.json"), folder.write("codes.toml", spec));
        let output =
            yuxin(&["train", "--data", text(&data), "--target", "y", "--out", text(&model), "--spec", text(&spec)]);
        assert!(output.status.success(), "{}", stderr(&output));
        let artifact: serde_json::Value = serde_json::from_slice(&std::fs::read(&model).unwrap()).unwrap();
        let tables = artifact["characteristics"].as_array().unwrap().clone();
        tables
            .iter()
            .find(|table| table["feature"] == "code")
            .map(|table| table["shape"]["type"].as_str().unwrap().to_owned())
    };
    assert_eq!(trained(&csv, "[[feature]]\nname = \"code\"\ntype = \"text\"").as_deref(), Some("text"));
    assert_eq!(trained(&csv.replace("\nx,", "\n,"), "").as_deref(), Some("numeric"), "an empty cell is no word");
    assert_eq!(trained(&csv, "exclude = [\"code\"]"), None);
    // One word in ten is no mistake, and neither is one in a handful of cells.
    let many = csv
        .lines()
        .enumerate()
        .map(|(i, line)| if i % 10 == 5 { format!("w{}\n", &line[1..]) } else { format!("{line}\n") });
    assert_eq!(trained(&many.collect::<String>(), "").as_deref(), Some("text"));
}

#[test]
fn awkward_files_are_read_as_what_they_are() {
    let folder = Folder::new();
    let plain = firms_csv(500, 9);
    let model = std::fs::read(train(&folder, &plain)).unwrap();
    let same_but_for_the_digest = |csv: &str| {
        let again = std::fs::read(train(&folder, csv)).unwrap();
        let parsed = |bytes: &[u8]| {
            let mut model: serde_json::Value = serde_json::from_slice(bytes).unwrap();
            model["training"]["data_sha256"].take();
            model
        };
        assert_eq!(parsed(&again), parsed(&model));
    };
    same_but_for_the_digest(&format!("\u{feff}{plain}"));
    same_but_for_the_digest(&plain.replace('\n', "\r\n"));
    same_but_for_the_digest(&format!("{plain}\n\n\r\n"));
    same_but_for_the_digest(&plain.replace("\"a, b\"", "\"a\nb\""));
    assert!(refused(&folder, plain.replace(',', ";"), None).contains("semicolons"));
    assert!(
        refused(&folder, b"a,y\n1,0\n\xb0\xd9\xb9\xd9,1\n", None).contains("row 3 is not UTF-8 but looks like GBK")
    );
    assert!(refused(&folder, b"\xb0\xd9\xb9\xd9,y\n1,0\n", None).contains("row 1 is not UTF-8 but looks like GBK"));
}

#[test]
fn a_specification_that_does_not_fit_the_data_is_refused() {
    let folder = Folder::new();
    let csv = firms_csv(500, 8);
    assert!(refused(&folder, &csv, Some("excluded = []")).contains("excluded"));
    assert!(refused(&folder, &csv, Some("exclude = [\"ussc\"]")).contains("ussc"));
    assert!(refused(&folder, &csv, Some("exclude = [\"y\"]")).contains("that is the target"));
    assert!(refused(&folder, &csv, Some("[[feature]]\nname = \"town\"\ntype = \"numeric\"")).contains("column town"));
}

#[test]
fn what_is_not_offered_is_wrong_usage() {
    for args in [
        &["train", "--data", "x.csv", "--target", "y", "--out", "m.json", "--kind", "forest"][..],
        &["evaluate", "--data", "x.csv", "--target", "y"],
        &["evaluate", "--data", "x.csv", "--target", "y", "--model", "m.json", "--pd-column", "pd"],
        &["score", "--model", "m.json"],
        &["train", "--data", "x.csv", "--target", "", "--out", "m.json"],
        &["evaluate", "--data", "x.csv", "--target", "", "--model", "m.json"],
    ] {
        assert_eq!(yuxin(args).status.code(), Some(2), "{args:?}");
    }
}

#[test]
fn no_output_overwrites_what_the_command_reads_nor_another_output() {
    let folder = Folder::new();
    let (data, spec, model) =
        (folder.write("data.csv", firms_csv(500, 1)), folder.path("spec.toml"), folder.path("m.json"));
    std::fs::write(&spec, "period = \"2024\"").unwrap();
    folder.write("m.json", "a model");
    std::os::unix::fs::symlink(&data, folder.path("link.csv")).unwrap();
    std::os::unix::fs::symlink(&spec, folder.path("report.html")).unwrap();
    let link = folder.path("link.csv");
    let here = data.parent().unwrap();
    let training = |data: &Path, out: &Path| {
        ["train", "--data", text(data), "--spec", text(&spec), "--target", "y", "--out", text(out)].map(str::to_owned)
    };
    let scoring =
        |out: &Path| ["score", "--model", text(&model), "--data", text(&data), "--out", text(out)].map(str::to_owned);
    let with =
        |args: &[String], more: &[&str]| [args, &more.iter().map(|m| (*m).to_owned()).collect::<Vec<_>>()].concat();
    let files = || ["data.csv", "spec.toml", "m.json"].map(|name| folder.read(name));
    let before = files();
    for (args, both) in [
        (training(&data, &data).to_vec(), "both --data and --out"),
        (training(&link, &data).to_vec(), "both --data and --out"),
        (training(&data, &spec).to_vec(), "both --spec and --out"),
        (
            with(&training(&data, &folder.path("new.json")), &["--report", text(here)]),
            "both --spec and a file of --report",
        ),
        (
            with(&training(&data, &folder.path("other/report.json")), &["--report", text(&folder.path("other"))]),
            "both --out and a file of --report",
        ),
        (scoring(&data).to_vec(), "both --data and --out"),
        (scoring(&model).to_vec(), "both --model and --out"),
        (with(&scoring(&folder.path("o.csv")), &["--errors", text(&model)]), "both --model and --errors"),
        (
            ["export", "--model", text(&model), "--format", "pmml", "--out", text(&model)].map(str::to_owned).to_vec(),
            "both --model and --out",
        ),
        (
            ["features", "--replay", text(here), "--out", text(&folder.path("firms.csv"))].map(str::to_owned).to_vec(),
            "a file of --replay and --out",
        ),
    ] {
        let output = yuxin(&args.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        assert!(stderr(&output).contains(both), "{both}: {}", stderr(&output));
        assert!(files() == before && !folder.path("new.json").exists());
    }
}
