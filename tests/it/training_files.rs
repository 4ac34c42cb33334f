//! What `yuxin train` makes of columns that are nearly all of one kind: nothing is read as something else without a word.

use serde_json::Value;

use crate::support::program::{Folder, stderr, text, yuxin};

/// Firms with a cause of default, a date of application over two years, and a turnover; `cell` may change a row's cells.
fn firms_csv(cell: impl Fn(u32, &'static str, String) -> String) -> String {
    let mut csv = String::from("late,applied,turnover,y\n");
    for i in 0..1200_u32 {
        let (late, draw) = (i * 7 % 10, i * 7919 % 100);
        let bad = u8::from(draw < 5 + late * 7);
        let applied = format!("{}-{:02}-{:02}", 2019 + i / 600, i / 50 % 12 + 1, i % 28 + 1);
        let (applied, turnover) = (cell(i, "applied", applied), cell(i, "turnover", (i * 31 % 977).to_string()));
        csv.push_str(&format!("{late},{applied},{turnover},{bad}\n"));
    }
    csv
}

/// Trains; the artifact, and what was said.
fn train(csv: &str, spec: &str) -> Result<(Value, String), String> {
    let folder = Folder::new();
    let (data, model, spec) =
        (folder.write("data.csv", csv), folder.path("model.json"), folder.write("spec.toml", spec));
    let output = yuxin(&[
        "train",
        "--kind",
        "scorecard",
        "--data",
        text(&data),
        "--target",
        "y",
        "--out",
        text(&model),
        "--spec",
        text(&spec),
    ]);
    let said = stderr(&output);
    match output.status.code() {
        Some(0) => Ok((serde_json::from_slice(&std::fs::read(&model).unwrap()).unwrap(), said)),
        code => {
            assert!(code == Some(1) && !model.exists(), "{said}");
            Err(said)
        }
    }
}

#[test]
fn one_impossible_date_is_refused_and_does_not_drop_the_split_by_time() {
    let (whole, _) = train(&firms_csv(|_, _, cell| cell), "").unwrap();
    assert!(whole["out_of_time"].is_object(), "the rows are split by time");
    for wrong in ["2019-02-30", "soon", "20190731"] {
        let csv = firms_csv(|i, name, cell| if i == 40 && name == "applied" { wrong.to_owned() } else { cell });
        let said = train(&csv, "").unwrap_err();
        let named = format!("row 42, column applied: {wrong:?} is no date, but 1199 of the 1200 filled cells");
        assert!(said.contains(&named) && said.contains("exclude") && said.contains("mend the cell"), "{said}");
        train(&csv, "exclude = [\"applied\"]").unwrap();
        let empty = firms_csv(|i, name, cell| if i == 40 && name == "applied" { String::new() } else { cell });
        assert!(train(&empty, "").unwrap().0["out_of_time"].is_object());
    }
}

#[test]
fn a_column_of_numbers_with_many_words_is_warned_of_until_somebody_decides() {
    let csv = firms_csv(|i, name, cell| if i % 5 == 3 && name == "turnover" { "unknown".to_owned() } else { cell });
    let of = |artifact: &Value| {
        let warnings = artifact["warnings"].as_array().unwrap().clone();
        warnings.iter().filter_map(Value::as_str).find(|w| w.contains("is read as words")).map(str::to_owned)
    };
    let (artifact, said) = train(&csv, "").unwrap();
    let warning = of(&artifact).unwrap();
    let named = "turnover is read as words: row 5 is \"unknown\", though 960 of its 1200 filled cells are numbers";
    assert!(warning.contains(named) && warning.contains("type = \"numeric\""), "{warning}");
    assert!(said.contains(named), "{said}");
    for decision in ["exclude = [\"turnover\"]", "[[feature]]\nname = \"turnover\"\ntype = \"text\""] {
        assert_eq!(of(&train(&csv, decision).unwrap().0), None);
    }
    let empty = csv.replace("unknown", "");
    assert_eq!(of(&train(&empty, "").unwrap().0), None);
    let dates = firms_csv(|i, name, cell| if i % 5 == 3 && name == "applied" { "open".to_owned() } else { cell });
    let warning = of(&train(&dates, "").unwrap().0).unwrap();
    assert!(
        warning.contains("applied is read as words: row 5 is \"open\"") && warning.contains("are dates"),
        "{warning}"
    );
}

#[test]
fn a_feature_with_the_name_of_a_column_that_scoring_adds_is_warned_of() {
    let csv = firms_csv(|_, _, cell| cell);
    let warned = |csv: &str| train(csv, "").unwrap().1.contains("grade: `yuxin score` adds a column of this name");
    assert!(warned(&csv.replace("late", "grade")));
    assert!(!warned(&csv));
}
