//! A folder of real firms is read whole or refused with file, line and column.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::civil::date;
use tempfile::TempDir;
use yuxin::domain::Month;
use yuxin::sandbox::RealFirms;

const FIRMS: &str =
    "uscc,name_masked,as_of\n91330604MA2XY0014W,***有限公司,2020-02-29\n91330604MA2D7K3P92,个体经营,2020-02-29\n";
const HEAD: &str = "uscc,month,sales_count,sales_amount_fen,sales_tax_fen,sales_counterparties,sales_void_count,\
    sales_red_count,sales_red_amount_fen,sales_top_share,purchases_count,purchases_amount_fen,purchases_tax_fen,\
    purchases_counterparties,purchases_void_count,purchases_red_count,purchases_red_amount_fen,purchases_top_share\n";
const ROWS: &str = "91330604MA2XY0014W,2019-05,2,1000,60,1,0,0,0,1.0,0,0,0,0,0,0,0,0\n\
    91330604MA2XY0014W,2019-08,3,-500,-30,2,1,1,-900,0.75,1,100,13,1,0,0,0,1.0\n";

/// A folder of two firms, one of them without invoices.
pub fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    fill(folder.path(), FIRMS, &format!("{HEAD}{ROWS}"));
    folder
}

fn fill(folder: &Path, firms: &str, invoices: &str) {
    std::fs::write(folder.join("firms.csv"), firms).unwrap();
    let mut gz = GzEncoder::new(File::create(folder.join("invoices_monthly.csv.gz")).unwrap(), Compression::fast());
    gz.write_all(invoices.as_bytes()).unwrap();
    gz.finish().unwrap();
}

fn refusal(firms: &str, invoices: &str) -> String {
    let folder = TempDir::new().unwrap();
    fill(folder.path(), firms, invoices);
    RealFirms::open(folder.path()).unwrap_err().to_string()
}

#[test]
fn what_is_not_in_the_folder_is_missing_and_not_clean() {
    let folder = folder();
    let firms = RealFirms::open(folder.path()).unwrap();
    assert_eq!(firms.len(), 2);
    let firm = firms.find(&"91330604MA2XY0014W".parse().unwrap()).unwrap();
    let tax = &firm.tax;
    assert_eq!((tax.as_of, tax.name.as_deref()), (date(2020, 2, 29), Some("***有限公司")));
    assert_eq!(tax.invoices_since, Month::new(2019, 5));
    let invoices = tax.invoices.as_ref().unwrap();
    assert_eq!((invoices.len(), invoices[1].sales.red_amount.0, invoices[1].purchases.top_share), (2, -900, 1.0));
    assert!(tax.status.is_none() && tax.rating.is_none() && tax.arrears.is_none() && tax.filings.is_none());
    let silent = &firms.find(&"91330604MA2D7K3P92".parse().unwrap()).unwrap().tax;
    assert!(
        silent.invoices.is_none() && silent.invoices_since.is_none(),
        "no invoice, no knowledge of the covered months"
    );
    assert!(firms.find(&"91350100M000100Y43".parse().unwrap()).is_none());
}

#[test]
fn bad_data_is_refused_with_file_line_and_column() {
    let good = format!("{HEAD}{ROWS}");
    let spoiled = |from: &str, to: &str| refusal(FIRMS, &good.replacen(from, to, 1));
    for (refusal, parts) in [
        (refusal(&FIRMS.replacen("0014W", "0015W", 1), &good), ["firms.csv, line 2", "\"uscc\"", "check character"]),
        (
            refusal(&FIRMS.replacen("2020-02-29", "2020-02-30", 1), &good),
            ["firms.csv, line 2", "\"as_of\"", "2020-02-30"],
        ),
        (refusal(&format!("{FIRMS}91330604MA2XY0014W,x,2020-02-29\n"), &good), ["line 4", "\"uscc\"", "twice"]),
        (refusal(&FIRMS.replacen("as_of", "asof", 1), &good), ["firms.csv, line 1", "no column", "\"as_of\""]),
        (spoiled("2019-05", "2019-13"), ["invoices_monthly.csv.gz, line 2", "\"month\"", "2019-13"]),
        (spoiled("2019-08", "2019-05"), ["line 3", "\"month\"", "ascend"]),
        (spoiled("2019-08", "2020-03"), ["line 3", "\"month\"", "after"]),
        (spoiled("0.75", "1.75"), ["line 3", "\"sales_top_share\"", "1.75"]),
        (spoiled("-900", "900"), ["line 3", "\"sales_red_amount_fen\"", "positive"]),
        (spoiled(",1000,", ",1e3,"), ["line 2", "\"sales_amount_fen\"", "1e3"]),
        (
            spoiled("91330604MA2XY0014W,2019-05", "91350100M000100Y43,2019-05"),
            ["line 2", "\"uscc\"", "not in firms.csv"],
        ),
        (spoiled(",0,0,0,0,0,0,0,0\n", ",0,0\n"), ["invoices_monthly.csv.gz", "line: 2", "fields"]),
    ] {
        for part in parts {
            assert!(refusal.contains(part), "{refusal:?} does not say {part:?}");
        }
    }
}

#[test]
fn a_folder_without_the_files_says_what_it_should_hold() {
    let folder = TempDir::new().unwrap();
    let refusal = RealFirms::open(folder.path()).unwrap_err().to_string();
    assert!(refusal.contains("firms.csv") && refusal.contains("invoices_monthly.csv.gz"), "{refusal}");
    std::fs::write(folder.path().join("firms.csv"), FIRMS).unwrap();
    std::fs::write(folder.path().join("invoices_monthly.csv.gz"), "not gzip").unwrap();
    assert!(RealFirms::open(folder.path()).unwrap_err().to_string().contains("invoices_monthly.csv.gz"));
}
