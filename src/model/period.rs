//! Time in the training data: which column holds dates, which rows are kept back as the later ones.

use jiff::civil::Date;

use super::artifact::{Dates, LeftOut};
use super::dataset::{Dataset, Values};
use super::regime;
use super::spec::{Regime, SpecError, TrainingSpec};

/// Outcomes of each kind that the earlier and the later part must have.
const OUTCOMES_MIN: usize = 10;

/// The rows by time.
#[derive(Debug, Clone)]
pub struct Timeline {
    /// Rows to train on: the earlier ones, or all.
    pub rows: Vec<usize>,
    /// Rows kept back to measure on: the later ones, or none.
    pub later: Vec<usize>,
    /// The date column with the date of each row, where there is one.
    pub dates: Option<(String, Vec<Option<Date>>)>,
    /// The date of the first row kept back.
    pub later_from: Option<Date>,
    /// Columns of dates, which are no features.
    pub left_out: Vec<LeftOut>,
    /// What whoever approves the model should know.
    pub warnings: Vec<String>,
}

/// Finds the dates and keeps the latest `out_of_time_share` of the rows back.
///
/// # Errors
/// [`SpecError`] when the specification names a date column that is not there or does not hold dates.
pub fn timeline(data: &Dataset, spec: &TrainingSpec) -> Result<Timeline, SpecError> {
    let excluded = |name: &str| spec.exclude.iter().any(|excluded| excluded == name);
    let mut columns = Vec::new();
    if let Some(name) = &spec.date {
        let column = data.columns.iter().find(|column| column.name == *name);
        let column = column.ok_or_else(|| SpecError::NoSuchColumn(name.clone()))?;
        columns.push((name.clone(), named_dates(name, &column.values)?));
    } else {
        let unnamed = data.columns.iter().filter(|column| !excluded(&column.name));
        columns.extend(unnamed.filter_map(|column| Some((column.name.clone(), found_dates(&column.values)?))));
    }
    let left_out = columns.iter().map(|(name, _)| LeftOut { column: name.clone(), reason: "it is a date".to_owned() });
    let left_out: Vec<LeftOut> = left_out.collect();
    let all: Vec<usize> = (0..data.bad.len()).collect();
    let mut timeline =
        Timeline { rows: all, later: Vec::new(), dates: None, later_from: None, left_out, warnings: Vec::new() };
    let features: Vec<&str> = data.columns.iter().map(|c| c.name.as_str()).filter(|name| !excluded(name)).collect();
    let regimes: Vec<Regime> = spec.regime.iter().cloned().chain(regime::built_in(&features, &spec.regime)).collect();
    // Without a date in each row, what the specification says of the period is all that is known.
    let known = spec.period.as_deref().filter(|_| columns.is_empty()).and_then(span_of_words);
    if known.is_some() {
        timeline.warn_of_regimes("period", known, &regimes);
    } else if columns.len() != 1 && !spec.regime.is_empty() {
        timeline.warnings.push(
            "no one column holds the dates of the rows, so whether those trained on span a [[regime]] is not known: name the date of \
             the application as `date` in the specification"
                .to_owned(),
        );
    }
    if columns.len() > 1 {
        let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
        timeline.warnings.push(format!(
            "several columns hold dates ({}), so the rows were not split by time: name the date of the application as `date` in the \
             specification",
            names.join(", ")
        ));
    } else if let Some((name, dates)) = columns.pop() {
        timeline.split(data, &dates, spec);
        let known = (timeline.rows.iter()).filter_map(|row| dates[*row]).fold(None, widened);
        timeline.warn_of_regimes(&name, known, &regimes);
        timeline.dates = Some((name, dates));
    }
    Ok(timeline)
}

impl Timeline {
    /// The quarter of every row, for instance `2019Q3`.
    pub fn quarters(&self) -> Option<Vec<Option<String>>> {
        let quarter = |date: &Date| format!("{}Q{}", date.year(), (date.month() - 1) / 3 + 1);
        let (_, dates) = self.dates.as_ref()?;
        Some(dates.iter().map(|date| date.as_ref().map(quarter)).collect())
    }

    /// The dates of the rows, for the artifact.
    pub fn training_dates(&self) -> Option<Dates> {
        let (column, dates) = self.dates.as_ref()?;
        let of = |rows: &[usize]| rows.iter().filter_map(|row| dates[*row]).collect::<Vec<Date>>();
        let (trained, later) = (of(&self.rows), of(&self.later));
        Some(Dates {
            column: column.clone(),
            from: trained.iter().min().copied()?,
            to: trained.iter().max().copied()?,
            later_from: self.later_from,
            later_to: later.iter().max().copied(),
        })
    }

    fn split(&mut self, data: &Dataset, dates: &[Option<Date>], spec: &TrainingSpec) {
        if spec.out_of_time_share == 0.0 {
            return;
        }
        let mut known: Vec<Date> = dates.iter().flatten().copied().collect();
        known.sort_unstable();
        let first_kept = known.len() - (known.len() as f64 * spec.out_of_time_share).floor() as usize;
        // Rows of one day stay together: the first day that lies in the share with all its rows.
        let Some(from) = (first_kept.max(1)..known.len()).find(|i| known[*i] > known[i - 1]).map(|i| known[i]) else {
            let message = "no day parts the rows into earlier and later ones: they were not split by time";
            return self.warnings.push(message.to_owned());
        };
        let (later, rows): (Vec<usize>, Vec<usize>) =
            (0..dates.len()).partition(|row| dates[*row].is_some_and(|date| date >= from));
        let enough = |rows: &[usize]| {
            let bads = rows.iter().filter(|row| data.bad[**row]).count();
            bads >= OUTCOMES_MIN && rows.len() - bads >= OUTCOMES_MIN
        };
        if !enough(&later) || !enough(&rows) {
            return self.warnings.push(format!(
                "the rows were not split by time: before or from {from} there are fewer than {OUTCOMES_MIN} good or bad rows"
            ));
        }
        let undated = rows.iter().filter(|row| dates[**row].is_none()).count();
        if undated > 0 {
            self.warnings.push(format!("{undated} rows have no date and were counted among the earlier ones"));
        }
        (self.rows, self.later, self.later_from) = (rows, later, Some(from));
    }

    /// Warns of every regime that began within the time that the rows trained on span.
    fn warn_of_regimes(&mut self, name: &str, span: Option<(Date, Date)>, regimes: &[Regime]) {
        let Some((first, last)) = span else { return };
        for regime in regimes.iter().filter(|regime| first < regime.on && regime.on <= last) {
            self.warnings.push(format!(
                "{name}: the rows trained on run from {first} to {last}, across a change of regime on {} ({}): what was learnt before it may \
                 not hold after it",
                regime.on, regime.what
            ));
        }
    }
}

/// The span that holds one more date.
fn widened(span: Option<(Date, Date)>, date: Date) -> Option<(Date, Date)> {
    Some(span.map_or((date, date), |(first, last)| (first.min(date), last.max(date))))
}

/// From the first to the last date in a text like `2024-01 to 2026-06`; `None` where it has fewer than two.
fn span_of_words(text: &str) -> Option<(Date, Date)> {
    let words = text.split(|c: char| !c.is_ascii_digit() && c != '-');
    let dates: Vec<Date> = words.filter_map(|word| date_of_word(word.trim_matches('-'))).collect();
    if dates.len() < 2 { None } else { dates.into_iter().fold(None, widened) }
}

/// The dates of a column of words, if all its words are dates.
fn found_dates(values: &Values) -> Option<Vec<Option<Date>>> {
    let Values::Text { levels, codes } = values else { return None };
    let dates: Option<Vec<Date>> = levels.iter().map(|word| date_of_word(word)).collect();
    let dates = dates.filter(|dates| !dates.is_empty())?;
    Some(codes.iter().map(|code| dates.get(*code as usize).copied()).collect())
}

/// The dates of the column that the specification names: words, years (2019) or days (20190731).
fn named_dates(name: &str, values: &Values) -> Result<Vec<Option<Date>>, SpecError> {
    let no_date = |value: &str| SpecError::NoDate { column: name.to_owned(), value: value.to_owned() };
    match values {
        Values::Text { levels, codes } => {
            let date = |word: &String| date_of_word(word).ok_or_else(|| no_date(word));
            let dates = levels.iter().map(date).collect::<Result<Vec<Date>, SpecError>>()?;
            Ok(codes.iter().map(|code| dates.get(*code as usize).copied()).collect())
        }
        Values::Numeric(numbers) => {
            let date = |x: &f64| match x {
                x if x.is_nan() => Ok(None),
                x => date_of_number(*x).map(Some).ok_or_else(|| no_date(&x.to_string())),
            };
            numbers.iter().map(date).collect()
        }
    }
}

/// `2019-07-31`, `2019/7/31`, `2019-07` (its first day), or a date with a time behind it.
pub fn date_of_word(word: &str) -> Option<Date> {
    let day = word.split(['T', ' ']).next()?;
    let mut parts = day.split(['-', '/']);
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next().unwrap_or("1"));
    if year.len() != 4 || parts.next().is_some() {
        return None;
    }
    Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
}

fn date_of_number(x: f64) -> Option<Date> {
    let whole = (x.fract() == 0.0 && (0.0..1e8).contains(&x)).then_some(x as i32)?;
    match whole {
        1900..=2199 => Date::new(whole as i16, 1, 1).ok(),
        19_000_101..=21_991_231 => {
            Date::new((whole / 10_000) as i16, (whole / 100 % 100) as i8, (whole % 100) as i8).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::dataset::Column;
    use super::*;

    fn data(months: usize, per_month: usize) -> Dataset {
        let levels: Vec<String> = (0..months).map(|m| format!("20{:02}-{:02}-15", 10 + m / 12, m % 12 + 1)).collect();
        let codes: Vec<u32> = (0..months * per_month).map(|row| (row % months) as u32).collect();
        let bad = (0..codes.len()).map(|row| row % 3 == 0).collect();
        let x = Values::Numeric((0..codes.len()).map(|row| row as f64).collect());
        let column = |name: &str, values| Column { name: name.to_owned(), values };
        Dataset { columns: vec![column("x", x), column("applied", Values::Text { levels, codes })], bad }
    }

    #[test]
    fn the_latest_fifth_is_kept_back_by_default_and_days_are_never_parted() {
        let found = timeline(&data(20, 30), &TrainingSpec::default()).unwrap();
        assert_eq!((found.rows.len(), found.later.len()), (480, 120));
        assert_eq!(found.later_from.unwrap().to_string(), "2011-05-15");
        let (_, dates) = found.dates.as_ref().unwrap();
        assert!(found.rows.iter().all(|row| dates[*row] < found.later_from));
        assert_eq!(found.left_out[0].column, "applied");
        assert_eq!(found.quarters().unwrap()[0].as_deref(), Some("2010Q1"));
    }

    #[test]
    fn too_few_later_outcomes_or_two_date_columns_are_said_and_nothing_is_split() {
        let few = timeline(&data(20, 3), &TrainingSpec::default()).unwrap();
        assert!(few.later.is_empty() && few.warnings[0].contains("not split by time"));
        let mut two = data(20, 30);
        two.columns.push(Column { name: "paid".into(), values: two.columns[1].values.clone() });
        let two = timeline(&two, &TrainingSpec::default()).unwrap();
        assert!(two.later.is_empty() && two.warnings[0].contains("applied, paid"));
        assert_eq!(two.left_out.len(), 2);
        let off = TrainingSpec { out_of_time_share: 0.0, ..TrainingSpec::default() };
        assert!(timeline(&data(20, 30), &off).unwrap().later.is_empty());
    }

    #[test]
    fn a_change_of_regime_within_the_rows_trained_on_is_warned_of_and_one_outside_is_not() {
        let regime = |on: &str| Regime { on: on.parse().unwrap(), what: "tax merged with insurance".into() };
        let spec = TrainingSpec { regime: vec![regime("2010-09-01"), regime("2011-07-01")], ..TrainingSpec::default() };
        let warnings = timeline(&data(20, 30), &spec).unwrap().warnings;
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].contains("2010-09-01") && warnings[0].contains("tax merged"));
    }

    #[test]
    fn a_regime_without_a_column_of_dates_to_hold_it_against_is_warned_of() {
        let mut data = data(20, 30);
        let regime = vec![Regime { on: "2010-09-01".parse().unwrap(), what: "new law".into() }];
        let spec = TrainingSpec { regime, ..TrainingSpec::default() };
        data.columns.truncate(1);
        let warnings = timeline(&data, &spec).unwrap().warnings;
        assert!(warnings.len() == 1 && warnings[0].contains("[[regime]] is not known"), "{warnings:?}");
        assert!(timeline(&data, &TrainingSpec::default()).unwrap().warnings.is_empty());
    }

    #[test]
    fn a_window_across_the_merger_of_rating_and_insurance_is_warned_of_where_the_rating_is_a_feature() {
        let mut data = data(20, 30);
        let Values::Text { levels, .. } = &mut data.columns[1].values else { unreachable!() };
        // 2024-06 to 2026-01; the latest fifth, kept back, begins in October 2025.
        *levels = (0..20).map(|m| format!("{}-{:02}-15", 2024 + (m + 5) / 12, (m + 5) % 12 + 1)).collect();
        let spec = TrainingSpec::default();
        assert_eq!(timeline(&data, &spec).unwrap().warnings, Vec::<String>::new());
        data.columns[0].name = "tax_rating".into();
        let warnings = timeline(&data, &spec).unwrap().warnings;
        assert!(warnings.len() == 1 && warnings[0].contains("2025-07-01"), "{warnings:?}");
        let spec = TrainingSpec { exclude: vec!["tax_rating".into()], ..spec };
        assert_eq!(timeline(&data, &spec).unwrap().warnings, Vec::<String>::new());

        data.columns.pop();
        let of = |period: &str| TrainingSpec { period: Some(period.into()), ..TrainingSpec::default() };
        let warned = |period: &str| timeline(&data, &of(period)).unwrap().warnings.len();
        assert_eq!(["2024-01 to 2026-06", "2025-07 - 2026-06", "since 2019-01"].map(warned), [1, 0, 0]);
    }

    #[test]
    fn a_named_date_column_may_hold_years_or_days_as_numbers_and_refuses_what_is_no_date() {
        let mut data = data(20, 30);
        data.columns[0].values = Values::Numeric((0..600).map(|row| 2000.0 + f64::from(row % 10)).collect());
        let spec = TrainingSpec { date: Some("x".into()), ..TrainingSpec::default() };
        assert_eq!(timeline(&data, &spec).unwrap().later_from.unwrap().to_string(), "2008-01-01");
        data.columns[0].values = Values::Numeric(vec![20_190_231.0; 600]);
        assert!(timeline(&data, &spec).unwrap_err().to_string().contains("20190231"));
        assert_eq!(date_of_number(20_190_228.0), Date::new(2019, 2, 28).ok());
        assert_eq!(date_of_word("2019/7/3 10:00"), Date::new(2019, 7, 3).ok());
        assert_eq!([date_of_word("v_1"), date_of_word("12-2019"), date_of_word("2019-13-01")], [None; 3]);
    }
}
