//! A folder with a small made-up model, and the program that scores files in it.

use super::program::{Folder, stderr, text, yuxin};
use super::wide;

pub const NUMBERS: usize = 6;
pub const WORDS: usize = 3;
pub const PAIRS: usize = 5;

/// The header of the columns that the model uses.
pub const COLUMNS: &str = "n0,n1,n2,n3,n4,n5,w0,w1,w2\n";

pub fn folder_with_model() -> Folder {
    let folder = Folder::new();
    folder.write("model.json", wide::model(NUMBERS, WORDS, PAIRS));
    folder
}

/// Scores with further options; what the program said.
pub fn scored(folder: &Folder, data: &str, out: &str, options: &[&str]) -> String {
    let (model, data, out) = (folder.path("model.json"), folder.path(data), folder.path(out));
    let output =
        yuxin(&[&["score", "--model", text(&model), "--data", text(&data), "--out", text(&out)], options].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    stderr(&output)
}

/// What the program says of a file that it refuses, with nothing written.
pub fn refused(folder: &Folder, data: &str, out: &str) -> String {
    let (model, data, out) = (folder.path("model.json"), folder.path(data), folder.path(out));
    let output = yuxin(&["score", "--model", text(&model), "--data", text(&data), "--out", text(&out)]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(!out.exists());
    stderr(&output)
}
