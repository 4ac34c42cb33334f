//! What the engines write differently: names, literals, types, casts.

/// An SQL engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// PostgreSQL 12 or newer.
    Postgres,
    /// SQLite 3.35 or newer, with its mathematical functions.
    Sqlite,
    /// DuckDB 1.0 or newer.
    DuckDb,
    /// Spark SQL 3.3 or newer.
    Spark,
}

/// What a list holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    Points,
    Group,
}

/// White space as Unicode has it, which does not count at the ends of a word: control characters, then the others.
const SPACE_CONTROLS: [u32; 5] = [9, 10, 11, 12, 13];
const SPACES: &str = " \u{a0}\u{1680}\u{2000}\u{2001}\u{2002}\u{2003}\u{2004}\u{2005}\u{2006}\u{2007}\u{2008}\u{2009}\u{200a}\
                      \u{202f}\u{205f}\u{3000}";
const SPACE_LINES: [u32; 3] = [0x85, 0x2028, 0x2029];

impl Dialect {
    /// What people call the engine.
    pub fn name(self) -> &'static str {
        match self {
            Dialect::Postgres => "PostgreSQL",
            Dialect::Sqlite => "SQLite",
            Dialect::DuckDb => "DuckDB",
            Dialect::Spark => "Spark SQL",
        }
    }

    /// Whether columns may differ in case alone.
    pub(super) fn tells_case(self) -> bool {
        self == Dialect::Postgres
    }

    /// A name, quoted.
    pub(super) fn identifier(self, name: &str) -> String {
        match self {
            Dialect::Spark => format!("`{}`", name.replace('`', "``")),
            _ => format!("\"{}\"", name.replace('"', "\"\"")),
        }
    }

    /// A text, quoted.
    pub(super) fn text(self, text: &str) -> String {
        match self {
            // Backslashes escape, two quotes do not in all versions, and ${…} would be a variable.
            Dialect::Spark => {
                let escaped = text.replace('\\', "\\\\").replace('\'', "\\'").replace('$', "\\u0024");
                format!("'{}'", escaped.replace('\n', "\\n").replace('\r', "\\r"))
            }
            // Backslashes escape if an old setting is on; with E they always do.
            Dialect::Postgres if text.contains('\\') => {
                format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
            }
            _ => format!("'{}'", text.replace('\'', "''")),
        }
    }

    /// All white space, as one text.
    pub(super) fn white_space(self) -> String {
        let (code, join) = match self {
            Dialect::Sqlite => ("char", " || "),
            Dialect::Spark | Dialect::DuckDb | Dialect::Postgres => ("chr", " || "),
        };
        let controls = SPACE_CONTROLS.iter().chain(&SPACE_LINES);
        match self {
            // Its chr knows no character above 255.
            Dialect::Spark => {
                let controls: String = controls.map(|code| format!("\\u{code:04X}")).collect();
                format!("'{SPACES}{controls}'")
            }
            _ => {
                let parts: Vec<String> = controls.map(|c| format!("{code}({c})")).collect();
                format!("'{SPACES}'{join}{}", parts.join(join))
            }
        }
    }

    /// The type of 64-bit floating point.
    pub(super) fn double(self) -> &'static str {
        match self {
            Dialect::Postgres => "double precision",
            Dialect::Sqlite => "REAL",
            Dialect::DuckDb | Dialect::Spark => "DOUBLE",
        }
    }

    fn text_type(self) -> &'static str {
        match self {
            Dialect::Postgres | Dialect::Sqlite => "TEXT",
            Dialect::DuckDb => "VARCHAR",
            Dialect::Spark => "STRING",
        }
    }

    /// Whether a column's values are numbers that the engine turns into the nearest double by itself.
    pub(super) fn is_number(self, column: &str) -> String {
        match self {
            Dialect::Postgres => format!(
                "pg_typeof({column}) IN ('double precision'::regtype, 'real'::regtype, 'numeric'::regtype, \
                 'bigint'::regtype, 'integer'::regtype, 'smallint'::regtype)"
            ),
            Dialect::Sqlite => format!("typeof({column}) IN ('integer', 'real')"),
            // Its own way from decimals to doubles is not always the nearest; the way over text is.
            Dialect::DuckDb => {
                format!("typeof({column}) IN ('DOUBLE', 'FLOAT', 'BIGINT', 'INTEGER', 'SMALLINT', 'TINYINT')")
            }
            Dialect::Spark => {
                format!(
                    "split(typeof({column}), '[(]')[0] IN ('double', 'float', 'decimal', 'bigint', 'int', 'smallint', 'tinyint')"
                )
            }
        }
    }

    /// Whether a column's values are numbers that need not be whole: their text depends on the engine.
    pub(super) fn is_fraction(self, column: &str) -> String {
        match self {
            Dialect::Postgres => {
                format!("pg_typeof({column}) IN ('double precision'::regtype, 'real'::regtype, 'numeric'::regtype)")
            }
            Dialect::Sqlite => format!("typeof({column}) = 'real'"),
            Dialect::DuckDb | Dialect::Spark => {
                let kinds = if self == Dialect::Spark {
                    "'double', 'float', 'decimal'"
                } else {
                    "'DOUBLE', 'FLOAT', 'DECIMAL'"
                };
                format!("{}(typeof({column}), '[(]')[{}] IN ({kinds})", self.split(), self.first())
            }
        }
    }

    fn split(self) -> &'static str {
        if self == Dialect::DuckDb { "string_split_regex" } else { "split" }
    }

    fn first(self) -> usize {
        usize::from(self == Dialect::DuckDb)
    }

    /// `expression` as a double.
    pub(super) fn as_double(self, expression: &str) -> String {
        format!("CAST({expression} AS {})", self.double())
    }

    /// A column as text, compared byte by byte, without white space at its ends; `blank.chars` holds that.
    pub(super) fn trimmed(self, column: &str) -> String {
        let text = format!("CAST({column} AS {})", self.text_type());
        match self {
            // Neither the column's collation nor its type may make different words equal.
            Dialect::Postgres => format!("btrim({text} COLLATE \"C\", blank.chars)"),
            Dialect::Sqlite | Dialect::DuckDb => format!("trim({text}, blank.chars)"),
            Dialect::Spark => format!("trim(BOTH blank.chars FROM {text})"),
        }
    }

    /// The branches of a CASE that read the number that a text, without spaces around it, writes out.
    pub(super) fn readings(self, text: &str) -> Vec<String> {
        let number = "[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?";
        let pattern = format!("'^({number}|[+-]?(?:[iI][nN][fF]|[iI][nN][fF][iI][nN][iI][tT][yY]))$'");
        let is_number = match self {
            Dialect::Postgres => format!("{text} ~ {pattern}"),
            // A comparison makes a number of a text only where all of it is one. It knows no word for infinity.
            Dialect::Sqlite => {
                return vec![
                    format!("WHEN lower({text}) IN ('inf', '+inf', 'infinity', '+infinity') THEN 9e999"),
                    format!("WHEN lower({text}) IN ('-inf', '-infinity') THEN -9e999"),
                    format!("WHEN CAST({text} AS REAL) = {text} THEN CAST({text} AS REAL)"),
                ];
            }
            Dialect::DuckDb => format!("regexp_matches({text}, {pattern})"),
            Dialect::Spark => format!("{text} RLIKE {pattern}"),
        };
        vec![format!("WHEN {is_number} THEN {}", self.as_double(text))]
    }

    /// `number` or, where it is NaN, NULL. SQLite has no NaN.
    pub(super) fn without_nan(self, number: &str) -> String {
        match self {
            Dialect::Sqlite => number.to_owned(),
            _ => format!("NULLIF({number}, CAST('NaN' AS {}))", self.double()),
        }
    }

    /// An expression that stops the query with `message` and `text`.
    pub(super) fn refusal(self, message: &str, text: &str) -> String {
        let message = format!("{} || {text}", self.text(message));
        match self {
            Dialect::Postgres => format!("CAST({message} AS double precision)"),
            Dialect::Sqlite => format!("json_extract('{{}}', {message})"),
            Dialect::DuckDb => format!("CAST(error({message}) AS DOUBLE)"),
            Dialect::Spark => format!("CAST(raise_error({message}) AS DOUBLE)"),
        }
    }

    /// A literal of exactly the bits of `x`, which is finite. Without an exponent most engines would make a decimal of it.
    pub(super) fn exact(self, x: f64) -> String {
        let digits = crate::model::export::digits(x);
        match self {
            Dialect::Sqlite => sqlite_literal(x, digits),
            _ if digits.contains('e') => digits,
            _ => format!("{digits}e0"),
        }
    }

    /// The entry of a list at `index`, which is counted from 0; `of` is the type of the entries. A list that is written as one
    /// text costs the engine's planner nothing, however long it is; a CASE of thousands of branches would. SQLite has no lists.
    pub(super) fn entry(self, list: &[String], of: Entry, index: &str) -> Option<String> {
        let kind = match (of, self) {
            (Entry::Points, _) => self.double(),
            (Entry::Group, _) => "INTEGER",
        };
        match self {
            Dialect::Postgres => Some(format!("(CAST('{{{}}}' AS {kind}[]))[{index} + 1]", list.join(", "))),
            Dialect::DuckDb => Some(format!("(CAST('[{}]' AS {kind}[]))[{index} + 1]", list.join(", "))),
            Dialect::Spark => Some(format!("CAST(split('{}', ', ') AS ARRAY<{kind}>)[{index}]", list.join(", "))),
            Dialect::Sqlite => None,
        }
    }

    /// The largest of numbers.
    pub(super) fn largest(self, numbers: &[String]) -> String {
        // Functions of SQLite take 100 arguments by default, or 127.
        const ARGUMENTS_MAX: usize = 60;
        let function = if self == Dialect::Sqlite { "max" } else { "GREATEST" };
        let mut numbers = numbers.to_vec();
        while numbers.len() > ARGUMENTS_MAX {
            let groups = numbers.chunks(ARGUMENTS_MAX);
            numbers = groups.map(|group| self.largest(group)).collect();
        }
        match numbers.as_slice() {
            [only] => only.clone(),
            _ => format!("{function}({})", numbers.join(", ")),
        }
    }

    /// Rounded half away from zero, as an integer.
    pub(super) fn rounded(self, x: &str) -> String {
        match self {
            Dialect::Sqlite => {
                format!("CASE WHEN {x} < 0 THEN CAST({x} - 0.5 AS INTEGER) ELSE CAST({x} + 0.5 AS INTEGER) END")
            }
            _ => format!(
                "CASE WHEN {x} < 0 THEN CAST(CEIL({x} - 0.5) AS BIGINT) ELSE CAST(FLOOR({x} + 0.5) AS BIGINT) END"
            ),
        }
    }

    /// What stands before and after the query of a step, so that the engine works out each column of it once.
    pub(super) fn step(self) -> (&'static str, &'static str) {
        match self {
            Dialect::Postgres => ("AS (", "\n  OFFSET 0"),
            Dialect::Sqlite => ("AS MATERIALIZED (", ""),
            Dialect::DuckDb | Dialect::Spark => ("AS (", ""),
        }
    }
}

/// SQLite's reader of decimals is off by a bit now and then; a whole number over a power of two is read and divided exactly.
fn sqlite_literal(x: f64, digits: String) -> String {
    let is_read_exactly = x.abs() < 1e9 && (x * 64.0).fract() == 0.0;
    if is_read_exactly {
        return if digits.contains('.') { digits } else { format!("{digits}.0") };
    }
    let bits = x.abs().to_bits();
    let (fraction, exponent) = (bits & ((1 << 52) - 1), (bits >> 52) as i32);
    let (whole, power) = if exponent == 0 { (fraction, -1074) } else { (fraction | 1 << 52, exponent - 1075) };
    let zeros = whole.trailing_zeros();
    let (whole, mut power) = (whole >> zeros, power + zeros as i32);
    let sign = if x < 0.0 { "-" } else { "" };
    let mut literal = format!("CAST({sign}{whole} AS REAL)");
    while power != 0 {
        let step = power.clamp(-62, 62);
        literal.push_str(&format!(" {} {}", if step < 0 { '/' } else { '*' }, 1_u64 << step.unsigned_abs()));
        power -= step;
    }
    format!("({literal} /* {digits} */)")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_and_texts_cannot_end_their_quotes() {
        assert_eq!(Dialect::Postgres.identifier("a\"b`c"), "\"a\"\"b`c\"");
        assert_eq!(Dialect::Spark.identifier("a\"b`c"), "`a\"b``c`");
        assert_eq!(Dialect::DuckDb.text("it's \\n"), "'it''s \\n'");
        assert_eq!(Dialect::Sqlite.text("'; DROP TABLE firms; --"), "'''; DROP TABLE firms; --'");
        assert_eq!(Dialect::Postgres.text("it's \\"), "E'it''s \\\\'");
        assert_eq!(Dialect::Postgres.text("it's"), "'it''s'");
        assert_eq!(Dialect::Spark.text("it's \\ ${x}"), "'it\\'s \\\\ \\u0024{x}'");
    }

    #[test]
    fn numbers_are_doubles_in_every_dialect() {
        for dialect in [Dialect::Postgres, Dialect::DuckDb, Dialect::Spark] {
            assert_eq!(dialect.exact(0.1), "0.1e0");
            assert_eq!(dialect.exact(15600.0), "15600e0");
            assert_eq!(dialect.exact(-0.0), "0e0");
            assert_eq!(dialect.exact(1e300), "1e300");
        }
        assert_eq!(Dialect::Sqlite.exact(15600.0), "15600.0");
        assert_eq!(Dialect::Sqlite.exact(-2.25), "-2.25");
        assert_eq!(Dialect::Sqlite.exact(0.1), "(CAST(3602879701896397 AS REAL) / 36028797018963968 /* 0.1 */)");
    }

    /// What SQLite would compute: a cast of a whole number, then multiplications and divisions by powers of two.
    fn evaluated(literal: &str) -> f64 {
        let Some(inner) = literal.strip_prefix("(CAST(") else { return literal.parse().unwrap() };
        let (whole, rest) = inner.split_once(" AS REAL)").unwrap();
        let (steps, _) = rest.split_once(" /*").unwrap();
        let words: Vec<&str> = steps.split_whitespace().collect();
        let start = whole.parse::<i64>().unwrap() as f64;
        words.chunks(2).fold(start, |x, step| {
            let by = step[1].parse::<i64>().unwrap() as f64;
            if step[0] == "/" { x / by } else { x * by }
        })
    }

    proptest! {
        #[test]
        fn literals_for_sqlite_have_the_bits_of_the_number(x in prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL) {
            prop_assert_eq!(evaluated(&Dialect::Sqlite.exact(x)).to_bits(), x.to_bits());
        }

        #[test]
        fn literals_for_the_others_have_the_bits_of_the_number(x in prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL) {
            prop_assert_eq!(Dialect::Postgres.exact(x).parse::<f64>().unwrap().to_bits(), x.to_bits());
        }
    }

    #[test]
    fn the_largest_of_many_is_asked_for_in_groups() {
        let many: Vec<String> = (0..130).map(|i| format!("l{i}")).collect();
        let text = Dialect::Sqlite.largest(&many);
        assert_eq!(text.matches("max(").count(), 4);
        assert!(many.iter().all(|name| text.contains(name.as_str())));
        assert_eq!(Dialect::Sqlite.largest(&many[..1]), "l0");
        assert_eq!(Dialect::Postgres.largest(&many[..2]), "GREATEST(l0, l1)");
    }
}
