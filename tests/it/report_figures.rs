//! What a report promises: every figure is there or is null, names are escaped, large models stay small.

use yuxin::model::report::html;

use crate::support::reports::trained;

#[test]
fn try_out() {
    let big = std::time::Instant::now();
    let mut large = crate::support::reports::large(64, 60, 190);
    let report = large.report();
    eprintln!("report {:?}", big.elapsed());
    let page = html(&report).unwrap();
    eprintln!("html {:?} {}", big.elapsed(), page.len());
    std::fs::write("/tmp/rl.html", page).unwrap();
    std::fs::write("/tmp/rl.json", serde_json::to_string(&report).unwrap()).unwrap();
    large.periods.clear();
    let mut case = trained(6000, 3, "period = \"2019–2021\"");
    case.pair_up(4);
    let report = case.report();
    std::fs::write("/tmp/r.html", html(&report).unwrap()).unwrap();
    std::fs::write("/tmp/r.json", serde_json::to_string_pretty(&report).unwrap()).unwrap();
}
