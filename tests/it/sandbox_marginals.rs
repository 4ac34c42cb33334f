//! The invoices of the district are distributed like those of real firms, within tolerances that docs/district.md explains.

use std::path::PathBuf;

use jiff::civil::date;
use yuxin::sandbox::{DEFAULT_FIRMS, DEFAULT_SEED, District, MEASURES, Marginals, Measure, RealFirms};

/// How far a quantile of the district may lie from that of the real firms.
#[derive(Clone, Copy)]
enum Within {
    /// Times as much or as little.
    Factor(f64),
    /// This much more or less.
    Distance(f64),
}

/// The tolerance of a measure at its quartiles. At the 10 % and 90 % quantiles it is twice as wide (a factor squared).
fn tolerance(measure: Measure) -> Within {
    match measure {
        m if m.contains("yuan") || m.ends_with("a month") => Within::Factor(1.35),
        "purchases over sales, 12 months" => Within::Factor(1.35),
        "sales of 12 months over the 12 before, minus 1" => Within::Distance(0.20),
        "standard deviation over mean of monthly sales, 24 months" => Within::Distance(0.15),
        "void invoices over issued ones, 24 months" => Within::Distance(0.025),
        "red invoices over valid ones, 24 months" => Within::Distance(0.010),
        m if m.contains("share") => Within::Distance(0.09),
        "months with purchases among the last 24" => Within::Distance(4.0),
        "months of history" => Within::Distance(4.0),
        m if m.contains("months") => Within::Distance(3.0),
        m => panic!("no tolerance is set for {m}"),
    }
}

#[test]
fn the_districts_invoices_are_distributed_like_those_of_real_firms() {
    let Some(data) = std::env::var_os("YUXIN_DATA") else {
        println!("skipped: YUXIN_DATA does not name a folder with real-firms/");
        return;
    };
    let real = Marginals::of_replay(&RealFirms::open(&PathBuf::from(data).join("real-firms")).unwrap());
    let district = Marginals::of_district(&District::new(DEFAULT_SEED, DEFAULT_FIRMS, date(2026, 10, 31)));
    let mut far = Vec::new();
    for measure in MEASURES {
        for (q, wide) in [(0.10, true), (0.25, false), (0.50, false), (0.75, false), (0.90, true)] {
            let (real, made) = (real.quantile(measure, q).unwrap(), district.quantile(measure, q).unwrap());
            let close = match tolerance(measure) {
                Within::Factor(f) => {
                    let f = if wide { f * f } else { f };
                    made <= real * f && made >= real / f
                }
                Within::Distance(d) => (made - real).abs() <= if wide { 2.0 * d } else { d },
            };
            if !close {
                far.push(format!("{measure}, {:.0} %: {made:.4} where real firms have {real:.4}", q * 100.0));
            }
        }
    }
    assert!(far.is_empty(), "{far:#?}");
}
