//! A chart in words.

use super::{Chart, Series, is_gap};
use crate::http::words::{Words, figures};

/// What the chart shows, for those who do not see it.
pub fn tell(chart: &Chart, words: Words) -> String {
    let (Some(first), Some(last)) = (chart.months.first(), chart.months.last()) else {
        return words.t("chart-none");
    };
    let mut told: Vec<String> = chart.series.iter().filter_map(|s| series_summary(chart, s, words)).collect();
    if told.is_empty() {
        told.push(words.t("chart-none"));
    }
    let gaps = (0..chart.months.len()).filter(|i| is_gap(chart, *i)).count();
    if gaps > 0 {
        told.push(words.with("chart-summary-gaps", &[("months", gaps.into())]));
    }
    words.with(
        "chart-summary",
        &[
            ("title", chart.title.as_str().into()),
            ("first", first.to_string().into()),
            ("last", last.to_string().into()),
            ("series", told.join(" ").into()),
        ],
    )
}

fn series_summary(chart: &Chart, series: &Series, words: Words) -> Option<String> {
    let known = || chart.months.iter().zip(&series.values).filter_map(|(m, v)| v.map(|v| (*m, v)));
    let (low_month, low) = known().min_by(|a, b| a.1.total_cmp(&b.1))?;
    let (high_month, high) = known().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let (latest_month, latest) = known().next_back()?;
    let number = |value: f64| figures::number(value, 2);
    Some(words.with(
        "chart-summary-series",
        &[
            ("name", series.name.as_str().into()),
            ("low", number(low).into()),
            ("low_month", low_month.to_string().into()),
            ("high", number(high).into()),
            ("high_month", high_month.to_string().into()),
            ("latest", number(latest).into()),
            ("latest_month", latest_month.to_string().into()),
        ],
    ))
}
