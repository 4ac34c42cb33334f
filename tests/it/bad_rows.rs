//! What `yuxin score` promises of rows and files that it cannot score: no row is lost, nothing stops, and what to do is said.

use std::io::Write;

use yuxin::data::batch::{Job, score_file};
use yuxin::data::text::unwatched;
use yuxin::model::Model;

use crate::support::program::{stderr, text, yuxin};
use crate::support::scoring::{COLUMNS, NUMBERS, WORDS, folder_with_model, refused, scored};
use crate::support::wide;

/// A row of nine cells, of which `n0` is given.
fn row(n0: &str) -> String {
    format!("{n0},2,3,4,5,6,a,b,c\n")
}

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
