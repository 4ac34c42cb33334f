//! One statement for many rows, the same text on either database but for its placeholders: SQLite looks a named one up in a list,
//! and PostgreSQL has only named ones.
//!
//! On PostgreSQL a statement goes over the wire and back, which costs more than most rows. Rows are taken in pieces of 1, 2, 4, …
//! [`PIECE_MAX`], so that there are few texts and each is prepared once. On SQLite it runs once for each row: one of many rows
//! would keep a journal of its own in case that it fails half-way.

use std::fmt::Write as _;
use std::sync::OnceLock;

/// The most rows of one statement.
pub(super) const PIECE_MAX: usize = 256;
const SIZES: usize = PIECE_MAX.ilog2() as usize + 1;

/// A statement with a list of rows in it: `head ($1, $2), ($3, $4) tail`.
pub(super) struct ManyRows {
    head: &'static str,
    columns: usize,
    tail: &'static str,
    texts: [[OnceLock<String>; SIZES]; 2],
}

/// Whose placeholders.
#[derive(Clone, Copy)]
pub(super) enum Marks {
    /// `?`
    Sqlite,
    /// `$1`
    Postgres,
}

impl ManyRows {
    /// A statement whose rows have so many columns.
    pub(super) const fn new(head: &'static str, columns: usize, tail: &'static str) -> ManyRows {
        ManyRows { head, columns, tail, texts: [const { [const { OnceLock::new() }; SIZES] }; 2] }
    }

    /// The text for a piece of so many rows, as [`pieces`] makes them.
    pub(super) fn sql(&'static self, marks: Marks, rows: usize) -> &'static str {
        let size = rows.max(1).ilog2() as usize;
        self.texts[marks as usize][size.min(SIZES - 1)].get_or_init(|| self.written(marks, rows))
    }

    fn written(&self, marks: Marks, rows: usize) -> String {
        let mut text = self.head.to_owned();
        for row in 0..rows {
            text.push_str(if row == 0 { "(" } else { ", (" });
            for column in 0..self.columns {
                text.push_str(if column == 0 { "" } else { ", " });
                match marks {
                    Marks::Sqlite => text.push('?'),
                    // Writing to a String cannot fail.
                    Marks::Postgres => drop(write!(text, "${}", row * self.columns + column + 1)),
                }
            }
            text.push(')');
        }
        text.push_str(self.tail);
        text
    }
}

/// The rows in pieces whose lengths are powers of two, the longest first.
pub(super) fn pieces<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = rows.len().checked_ilog2()?;
        let (piece, rest) = rows.split_at((1 << size).min(PIECE_MAX));
        rows = rest;
        Some(piece)
    })
}

/// Runs a statement of [`ManyRows`] for all rows: `write_many!(transaction, SQL, &rows, |row| row.id, row.name)`.
macro_rules! write_many {
    ($of:expr, $sql:expr, $rows:expr, |$row:ident| $($value:expr),+ $(,)?) => {
        match $of {
            $crate::store::database::WriteTransaction::Sqlite(c) => {
                let mut each = c.each($sql.sql($crate::store::many::Marks::Sqlite, 1))?;
                for $row in $rows.iter() {
                    each.execute(&[$(&$value as &dyn $crate::store::direct::ToSql),+])?;
                }
            }
            $crate::store::database::WriteTransaction::Postgres(c) => {
                for piece in $crate::store::many::pieces($rows) {
                    let sql = $sql.sql($crate::store::many::Marks::Postgres, piece.len());
                    let mut query = sqlx::query(sql);
                    for $row in piece {
                        $(query = query.bind($value);)+
                    }
                    query.execute(&mut **c).await?;
                }
            }
        }
    };
}

/// Reads with a statement of [`ManyRows`] what it gives for all rows: `read_many!(transaction, Found, SQL, &rows, |row| row.id)`.
macro_rules! read_many {
    ($of:expr, $found:ty, $sql:expr, $rows:expr, |$row:ident| $($value:expr),+ $(,)?) => {{
        let mut found: Vec<$found> = Vec::new();
        match $of {
            $crate::store::database::WriteTransaction::Sqlite(c) => {
                let sql = $sql.sql($crate::store::many::Marks::Sqlite, 1);
                for $row in $rows.iter() {
                    found.extend(c.fetch_all::<$found>(sql, &[$(&$value as &dyn $crate::store::direct::ToSql),+])?);
                }
            }
            $crate::store::database::WriteTransaction::Postgres(c) => {
                for piece in $crate::store::many::pieces($rows) {
                    let sql = $sql.sql($crate::store::many::Marks::Postgres, piece.len());
                    let mut query = sqlx::query_as::<_, $found>(sql);
                    for $row in piece {
                        $(query = query.bind($value);)+
                    }
                    found.extend(query.fetch_all(&mut **c).await?);
                }
            }
        }
        found
    }};
}

pub(super) use {read_many, write_many};

#[cfg(test)]
mod tests {
    use super::*;

    static SQL: ManyRows = ManyRows::new("INSERT INTO t (a, b) VALUES ", 2, " ON CONFLICT DO NOTHING");

    #[test]
    fn every_row_is_in_one_piece_and_every_piece_has_its_text() {
        for count in 0..2000 {
            let rows: Vec<usize> = (0..count).collect();
            let taken: Vec<&[usize]> = pieces(&rows).collect();
            assert_eq!(taken.concat(), rows);
            assert!(taken.iter().all(|piece| piece.len().is_power_of_two() && piece.len() <= PIECE_MAX));
        }
        let sql = |rows| SQL.sql(Marks::Postgres, rows);
        assert_eq!(sql(1), "INSERT INTO t (a, b) VALUES ($1, $2) ON CONFLICT DO NOTHING");
        assert_eq!(sql(2), "INSERT INTO t (a, b) VALUES ($1, $2), ($3, $4) ON CONFLICT DO NOTHING");
        assert!(sql(PIECE_MAX).contains("($511, $512)"));
        assert_eq!(SQL.sql(Marks::Sqlite, 2), "INSERT INTO t (a, b) VALUES (?, ?), (?, ?) ON CONFLICT DO NOTHING");
    }
}
