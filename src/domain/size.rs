//! The size class of a firm (中小企业划型标准规定, 工信部联企业〔2011〕300号), from a table kept as data.

use serde::{Deserialize, Serialize};

use super::Fen;

/// The size class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FirmSize {
    /// 大型
    Large,
    /// 中型
    Medium,
    /// 小型
    Small,
    /// 微型
    Micro,
    /// An indicator that the class depends on is missing; never a guess.
    Undetermined,
}

impl FirmSize {
    /// The name in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            FirmSize::Large => "large",
            FirmSize::Medium => "medium",
            FirmSize::Small => "small",
            FirmSize::Micro => "micro",
            FirmSize::Undetermined => "undetermined",
        }
    }
}

/// The indicators of a firm; `None` where unknown.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct SizeIndicators {
    /// X: persons employed at the period's end.
    pub staff: Option<u32>,
    /// Y: revenue of the last 12 months.
    pub revenue: Option<Fen>,
    /// Z: total assets.
    pub assets: Option<Fen>,
}

/// Where the staff figure of the size class came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StaffBasis {
    /// Declared with the tax return.
    Declared,
    /// Insured persons, a proxy.
    Insured,
}

/// Lower bounds of one class; `None` where the indicator does not count. Staff in persons, the others in 万元.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    staff: Option<u32>,
    revenue_wan: Option<i64>,
    assets_wan: Option<i64>,
}

/// The lower bounds (inclusive) of large, medium and small for the industries whose codes begin with one of `prefixes`.
struct Row {
    prefixes: &'static [&'static str],
    large: Bounds,
    medium: Bounds,
    small: Bounds,
}

const fn x(staff: u32) -> Bounds {
    Bounds { staff: Some(staff), revenue_wan: None, assets_wan: None }
}
const fn y(revenue: i64) -> Bounds {
    Bounds { staff: None, revenue_wan: Some(revenue), assets_wan: None }
}
const fn xy(staff: u32, revenue: i64) -> Bounds {
    Bounds { staff: Some(staff), revenue_wan: Some(revenue), assets_wan: None }
}
const fn yz(revenue: i64, assets: i64) -> Bounds {
    Bounds { staff: None, revenue_wan: Some(revenue), assets_wan: Some(assets) }
}
const fn xz(staff: u32, assets: i64) -> Bounds {
    Bounds { staff: Some(staff), revenue_wan: None, assets_wan: Some(assets) }
}

/// The table of the regulation. Codes are of GB/T 4754 with the section letter; the longest prefix that fits wins, and
/// rail transport (G53) belongs to the industries not listed.
#[rustfmt::skip] // a table reads as a table
static TABLE: &[Row] = &[
    Row { prefixes: &["A"], large: y(20_000), medium: y(500), small: y(50) },
    Row { prefixes: &["B", "C", "D"], large: xy(1000, 40_000), medium: xy(300, 2000), small: xy(20, 300) },
    Row { prefixes: &["E"], large: yz(80_000, 80_000), medium: yz(6000, 5000), small: yz(300, 300) },
    Row { prefixes: &["F51"], large: xy(200, 40_000), medium: xy(20, 5000), small: xy(5, 1000) },
    Row { prefixes: &["F52"], large: xy(300, 20_000), medium: xy(50, 500), small: xy(10, 100) },
    Row { prefixes: &["G"], large: xy(1000, 30_000), medium: xy(300, 3000), small: xy(20, 200) },
    Row { prefixes: &["G59"], large: xy(200, 30_000), medium: xy(100, 1000), small: xy(20, 100) },
    Row { prefixes: &["G60"], large: xy(1000, 30_000), medium: xy(300, 2000), small: xy(20, 100) },
    Row { prefixes: &["H61", "H62"], large: xy(300, 10_000), medium: xy(100, 2000), small: xy(10, 100) },
    Row { prefixes: &["I63", "I64"], large: xy(2000, 100_000), medium: xy(100, 1000), small: xy(10, 100) },
    Row { prefixes: &["I65"], large: xy(300, 10_000), medium: xy(100, 1000), small: xy(10, 50) },
    Row { prefixes: &["K7010"], large: yz(200_000, 10_000), medium: yz(1000, 5000), small: yz(100, 2000) },
    Row { prefixes: &["K7020"], large: xy(1000, 5000), medium: xy(300, 1000), small: xy(100, 500) },
    Row { prefixes: &["L"], large: xz(300, 120_000), medium: xz(100, 8000), small: xz(10, 100) },
    Row { prefixes: &["", "G53"], large: x(300), medium: x(100), small: x(10) },
];

fn row_of(industry: &str) -> Option<&'static Row> {
    let mut letters = industry.chars();
    let section = letters.next()?;
    if !('A'..='T').contains(&section) || !letters.all(|c| c.is_ascii_digit()) {
        return None;
    }
    // A code that stops before the table tells its industries apart is too coarse: which row applies is not known.
    let prefixes = || TABLE.iter().flat_map(|row| row.prefixes);
    if prefixes().any(|prefix| prefix.len() > industry.len() && prefix.starts_with(industry)) {
        return None;
    }
    TABLE
        .iter()
        .flat_map(|row| row.prefixes.iter().map(move |prefix| (prefix, row)))
        .filter(|(prefix, _)| industry.starts_with(**prefix))
        .max_by_key(|(prefix, _)| prefix.len())
        .map(|(_, row)| row)
}

impl Bounds {
    /// Whether all bounds are met; `None` when that cannot be told because an indicator is missing.
    fn met_by(&self, firm: &SizeIndicators) -> Option<bool> {
        let wan = |bound: i64| Fen::from_yuan(bound * 10_000);
        let checks = [
            self.staff.map(|bound| firm.staff.map(|staff| staff >= bound)),
            self.revenue_wan.map(|bound| firm.revenue.map(|revenue| revenue >= wan(bound))),
            self.assets_wan.map(|bound| firm.assets.map(|assets| assets >= wan(bound))),
        ];
        let checks: Vec<Option<bool>> = checks.into_iter().flatten().collect();
        checks.iter().try_fold(true, |all, check| check.map(|met| all && met))
    }
}

/// The largest class all of whose lower bounds are met, else micro. A missing indicator that the industry's row asks for,
/// or an industry that is unknown or too coarse, gives [`FirmSize::Undetermined`].
pub fn size_class(industry: Option<&str>, firm: &SizeIndicators) -> FirmSize {
    let Some(row) = industry.and_then(row_of) else {
        return FirmSize::Undetermined;
    };
    for (bounds, class) in
        [(&row.large, FirmSize::Large), (&row.medium, FirmSize::Medium), (&row.small, FirmSize::Small)]
    {
        match bounds.met_by(firm) {
            None => return FirmSize::Undetermined,
            Some(true) => return class,
            Some(false) => {}
        }
    }
    FirmSize::Micro
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn firm(staff: u32, revenue_wan: i64, assets_wan: i64) -> SizeIndicators {
        SizeIndicators {
            staff: Some(staff),
            revenue: Some(Fen::from_yuan(revenue_wan * 10_000)),
            assets: Some(Fen::from_yuan(assets_wan * 10_000)),
        }
    }

    #[test]
    fn bounds_are_inclusive_and_all_must_be_met() {
        for (industry, staff, revenue, assets, class) in [
            ("A01", 0, 20_000, 0, FirmSize::Large),
            ("A01", 0, 49, 0, FirmSize::Micro),
            ("C33", 1000, 40_000, 0, FirmSize::Large),
            ("C33", 1000, 39_999, 0, FirmSize::Medium),
            ("C33", 299, 40_000, 0, FirmSize::Small),
            ("C33", 19, 40_000, 0, FirmSize::Micro),
            ("E47", 0, 80_000, 79_999, FirmSize::Medium),
            ("F51", 5, 1000, 0, FirmSize::Small),
            ("F52", 10, 100, 0, FirmSize::Small),
            ("G54", 20, 200, 0, FirmSize::Small),
            ("G53", 10, 0, 0, FirmSize::Small),
            ("G59", 100, 1000, 0, FirmSize::Medium),
            ("G60", 300, 2000, 0, FirmSize::Medium),
            ("H62", 100, 1999, 0, FirmSize::Small),
            ("I64", 2000, 100_000, 0, FirmSize::Large),
            ("I65", 10, 50, 0, FirmSize::Small),
            ("K7010", 0, 200_000, 10_000, FirmSize::Large),
            ("K7020", 100, 500, 0, FirmSize::Small),
            ("L71", 300, 0, 120_000, FirmSize::Large),
            ("L72", 300, 0, 119_999, FirmSize::Medium),
            ("M73", 300, 0, 0, FirmSize::Large),
            ("O80", 9, 0, 0, FirmSize::Micro),
            ("K7030", 100, 0, 0, FirmSize::Medium),
        ] {
            assert_eq!(
                size_class(Some(industry), &firm(staff, revenue, assets)),
                class,
                "{industry} {staff} {revenue}"
            );
        }
    }

    #[test]
    fn what_is_missing_is_never_guessed() {
        let no_staff = SizeIndicators { staff: None, ..firm(0, 50, 0) };
        assert_eq!(size_class(Some("C33"), &no_staff), FirmSize::Undetermined);
        assert_eq!(size_class(Some("A01"), &no_staff), FirmSize::Small);
        for industry in [
            None,
            Some(""),
            Some("F"),
            Some("F5"),
            Some("G"),
            Some("K7"),
            Some("K70"),
            Some("Z9"),
            Some("33"),
            Some("C3x"),
        ] {
            assert_eq!(size_class(industry, &firm(10, 10, 10)), FirmSize::Undetermined, "{industry:?}");
        }
    }

    proptest! {
        #[test]
        fn a_firm_that_grows_never_falls_into_a_smaller_class(
            row in 0usize..TABLE.len(),
            staff in 0u32..3000, revenue in 0i64..250_000, assets in 0i64..150_000,
            more_staff in 0u32..3000, more_revenue in 0i64..250_000, more_assets in 0i64..150_000,
        ) {
            let industry = match TABLE[row].prefixes[0] { "" => "Q83", prefix => prefix };
            let now = size_class(Some(industry), &firm(staff, revenue, assets));
            let later = size_class(
                Some(industry),
                &firm(staff + more_staff, revenue + more_revenue, assets + more_assets),
            );
            prop_assert!(later <= now, "{now:?} became {later:?}");
        }
    }
}
