use super::*;
use rstest::rstest;

fn writing(holds: Holds) -> Writing {
    Writing {
        holds,
        unit: Unit::Power(0),
        round: false,
        formats: vec![],
        values: BTreeMap::new(),
        strip: vec![],
        day: None,
        plus_months: 0,
    }
}

#[rstest]
#[case("12.5", "wan_yuan", Ok(12_500_000))]
#[case("12.5万元", "wan_yuan", Ok(12_500_000))]
#[case("12.5 万元", "stated", Ok(12_500_000))]
#[case("1,234.50元", "stated", Ok(123_450))]
#[case("0.3亿元", "stated", Ok(3_000_000_000))]
#[case("￥1,234.5万", "stated", Ok(1_234_500_000))]
#[case("¥ -1.5", "yuan", Ok(-150))]
#[case("1,234.50", "yuan", Ok(123_450))]
#[case("7", "fen", Ok(7))]
#[case("7.5", "fen", Err("whole number of fen"))]
#[case("12.5万元", "yuan", Err("another unit"))]
#[case("12.5", "stated", Err("does not end in a unit"))]
#[case("ten", "yuan", Err("not a number"))]
#[case("92233720368547758.08", "yuan", Err("too large"))]
#[case("99999999999", "yi_yuan", Err("too large"))]
#[case("99999999999999999999.5", "fen", Err("too large"))]
#[case("99999999999999999999999999999", "yi_yuan", Err("too large"))]
fn amounts_come_out_in_fen_whatever_the_unit_and_a_wrong_unit_is_noticed(
    #[case] text: &str,
    #[case] unit: &str,
    #[case] fen: Result<i64, &str>,
) {
    let mut writing = writing(Holds::Amount);
    writing.unit = match unit {
        "stated" => Unit::Stated,
        unit => Unit::Power(power(Holds::Amount, unit).unwrap()),
    };
    match (writing.read(text, None), fen) {
        (Ok(value), Ok(fen)) => assert_eq!(value, json!(fen)),
        (Err(problem), Err(said)) => assert!(problem.contains(said), "{problem}"),
        (read, expected) => panic!("{read:?}, expected {expected:?}"),
    }
}

#[rstest]
#[case("20261031", "%Y%m%d", "2026-10-31")]
#[case("2026年10月31日", "%Y年%m月%d日", "2026-10-31")]
#[case("2026年1月5日", "%Y年%m月%d日", "2026-01-05")]
#[case("2026/10/31 09:08:07", "%Y/%m/%d %H:%M:%S", "2026-10-31")]
#[case("1793376000000", "epoch_ms", "2026-10-31")]
#[case("1793376000", "epoch_s", "2026-10-31")]
#[case("2026-10-31", "iso", "2026-10-31")]
#[case("2026-10-31T08:09:10", "iso", "2026-10-31")]
#[case("2026-10-31T00:00:00+08:00", "iso", "2026-10-31")]
#[case("2026-10-30T16:00:00.000Z", "iso", "2026-10-31")]
#[case("2026-10-30 16:00:00 +0000", "%Y-%m-%d %H:%M:%S %z", "2026-10-31")]
fn days_are_read_in_the_formats_that_departments_use(#[case] text: &str, #[case] format: &str, #[case] day: &str) {
    let mut writing = writing(Holds::Day);
    writing.formats = vec![Format::of(format)];
    assert_eq!(writing.read(text, None), Ok(json!(day)));
    assert!(writing.read("31.10.2026", None).unwrap_err().contains(format));
    assert_eq!(writing.formats[0].tried(), Some(true));
}

#[rstest]
#[case("202610", "%Y%m", "2026-10")]
#[case("2026年10月", "%Y年%m月", "2026-10")]
#[case("2026-10-31", "%Y-%m-%d", "2026-10")]
#[case("2026Q3", "quarter", "2026-09")]
#[case("2026年第四季度", "quarter", "2026-12")]
fn months_are_read_in_the_formats_that_departments_use(#[case] text: &str, #[case] format: &str, #[case] month: &str) {
    let mut writing = writing(Holds::Month);
    writing.formats = vec![Format::of(format)];
    assert_eq!(writing.read(text, None), Ok(json!(month)));
}

#[test]
fn a_day_can_be_counted_from_a_month() {
    let mut writing = writing(Holds::Day);
    writing.formats = vec![Format::of("%Y%m")];
    assert!(writing.read("202601", None).unwrap_err().contains("no day"));
    writing.day = Some(DayOfMonth::Word(DayWord::Last));
    assert_eq!(writing.read("202602", None), Ok(json!("2026-02-28")));
    (writing.day, writing.plus_months) = (Some(DayOfMonth::Number(15)), 1);
    assert_eq!(writing.read("202612", None), Ok(json!("2027-01-15")));
}

#[test]
fn formats_that_cannot_read_what_they_write_are_noticed() {
    assert_eq!(Format::of("%H:%M").tried(), None);
    assert_eq!(Format::of("yyyyMMdd").tried(), None);
    assert_eq!(Format::of("%Y%m").tried(), Some(false));
}
