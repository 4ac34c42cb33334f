//! Rows by the thousand as one text, for the walk along the chain: a database hands over one long text in a small part of the time
//! that it takes for as many rows with their columns.
//!
//! A page is a line a row. What stands in a row could look like the end of a line, or of a field; then there are more lines than
//! rows, or more fields than columns, and the page is not used: the walk reads those rows one by one instead. So a page tells what is
//! stored or nothing, and where a digest does not fit the walk looks at the rows themselves, too.

use sha2::{Digest, Sha256};

use super::super::StoreError;
use super::super::database::Transaction;
use super::super::decisions::DecisionRow;
use super::sha256;

/// Rows of one statement: how many they are, how many hold what is no text, and their lines.
type Read = (i64, i64, String);

/// A page of rows.
pub(super) struct Page(String);

/// A row of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ChainRow<'a> {
    pub(super) seq: i64,
    pub(super) at: i64,
    pub(super) kind: &'a str,
    pub(super) subject: &'a str,
    pub(super) digest: &'a str,
    pub(super) previous: &'a str,
    pub(super) hash: &'a str,
}

/// Reads pages of a statement: one text but for what the databases call by other names.
macro_rules! page {
    ($snapshot:expr, $sqlite:expr, $postgres:expr $(, $value:expr)*) => {{
        let read: Result<Read, sqlx::Error> = match $snapshot {
            Transaction::Sqlite(c) => sqlx::query_as($sqlite)$(.bind($value))*.fetch_one(&mut **c).await,
            Transaction::Postgres(c) => sqlx::query_as($postgres)$(.bind($value))*.fetch_one(&mut **c).await,
        };
        read
    }};
}

/// The lines of a statement that names each row's line, and whether SQLite holds something in it that is no text; PostgreSQL cannot.
macro_rules! lines {
    ($line:expr, $odd:expr, $from:expr) => {
        concat!(
            "SELECT COUNT(*), CAST(COALESCE(SUM(odd), 0) AS BIGINT), COALESCE(string_agg(COALESCE(line, ''), '\n'), '') FROM (SELECT ",
            $line,
            " AS line, CAST(",
            $odd,
            " AS BIGINT) AS odd FROM ",
            $from,
            ") AS page"
        )
    };
}

macro_rules! chain_line {
    () => {
        "a.seq || '\t' || a.at || '\t' || a.kind || '\t' || a.subject || '\t' || a.digest || '\t' || a.previous || '\t' || a.hash"
    };
}

macro_rules! chain_from {
    () => {
        "audit a WHERE a.seq > $1 AND a.seq <= $2 ORDER BY a.seq LIMIT $3"
    };
}

/// What the chain's rows from $1 to $2 of one kind speak of.
macro_rules! spoken_of {
    ($kind:literal, $table:literal) => {
        concat!(
            "audit a JOIN ",
            $table,
            " t ON t.id = a.subject WHERE a.kind = '",
            $kind,
            "' AND a.seq >= $1 AND a.seq <= $2"
        )
    };
}

macro_rules! decision_line {
    () => {
        "a.seq || '\t' || t.id || '\t' || t.bank || '\t' || t.uscc || '\t' || t.decided_at || '\t' || COALESCE('+' || t.grounds, '-') \
         || '\t' || t.record"
    };
}

/// A column as JSON on PostgreSQL, whose function for whole arrays puts blanks between.
macro_rules! json {
    ($($column:literal),+) => { concat!($("COALESCE(to_json(t.", $column, ")::TEXT, 'null') || ',' || ",)+ "''") };
}

impl Page {
    /// Rows of the chain with numbers above `after` up to `until`, at most so many; `None` where they are to be read one by one.
    pub(super) async fn of_chain(
        snapshot: &mut Transaction,
        after: i64,
        until: i64,
        most: i64,
    ) -> Result<Option<Page>, StoreError> {
        const SQLITE: &str = lines!(
            chain_line!(),
            "'blob' IN (typeof(a.kind), typeof(a.subject), typeof(a.digest), typeof(a.previous), typeof(a.hash))",
            chain_from!()
        );
        const POSTGRES: &str = lines!(chain_line!(), "0", chain_from!());
        Page::of(page!(snapshot, SQLITE, POSTGRES, after, until, most), snapshot)
    }

    /// The records that the chain's rows from `first` to `last` speak of.
    async fn of_decisions(snapshot: &mut Transaction, first: i64, last: i64) -> Result<Option<Page>, StoreError> {
        const SQLITE: &str = lines!(
            decision_line!(),
            "'blob' IN (typeof(t.id), typeof(t.bank), typeof(t.uscc), typeof(t.decided_at), typeof(t.grounds), typeof(t.record))",
            spoken_of!("decision", "decisions")
        );
        const POSTGRES: &str = lines!(decision_line!(), "0", spoken_of!("decision", "decisions"));
        Page::of(page!(snapshot, SQLITE, POSTGRES, first, last), snapshot)
    }

    async fn of_looks(snapshot: &mut Transaction, first: i64, last: i64) -> Result<Option<Page>, StoreError> {
        const SQLITE: &str = lines!(
            "a.seq || '\t' || json_array(json_array(t.id, t.uscc, t.bank, t.office, t.consent_id), t.purpose, t.at, t.ended, \
             t.decision_id, t.asked, t.answers)",
            "0",
            spoken_of!("look", "looks")
        );
        const POSTGRES: &str = lines!(
            concat!(
                "a.seq || '\t[[' || rtrim(",
                json!("id", "uscc", "bank", "office", "consent_id"),
                ", ',') || '],' || rtrim(",
                json!("purpose", "at", "ended", "decision_id", "asked", "answers"),
                ", ',') || ']'"
            ),
            "0",
            spoken_of!("look", "looks")
        );
        Page::of(page!(snapshot, SQLITE, POSTGRES, first, last), snapshot)
    }

    async fn of_cases(snapshot: &mut Transaction, first: i64, last: i64) -> Result<Option<Page>, StoreError> {
        const SQLITE: &str = lines!(
            "a.seq || '\t' || json_array(json_array(t.id, t.decision_id, t.bank, t.bank_name, t.uscc, t.firm_name, t.refer_codes), \
             json_array(t.outcome, t.score, t.grade, t.amount_fen, t.opened_at, t.due_at, t.search))",
            "0",
            spoken_of!("case", "cases")
        );
        const POSTGRES: &str = lines!(
            concat!(
                "a.seq || '\t[[' || rtrim(",
                json!("id", "decision_id", "bank", "bank_name", "uscc", "firm_name", "refer_codes"),
                ", ',') || '],[' || rtrim(",
                json!("outcome", "score", "grade", "amount_fen", "opened_at", "due_at", "search"),
                ", ',') || ']]'"
            ),
            "0",
            spoken_of!("case", "cases")
        );
        Page::of(page!(snapshot, SQLITE, POSTGRES, first, last), snapshot)
    }

    fn of(read: Result<Read, sqlx::Error>, snapshot: &Transaction) -> Result<Option<Page>, StoreError> {
        match (read, snapshot) {
            (Ok((rows, odd, text)), _) => {
                let lines = if rows == 0 { 0 } else { memchr::memchr_iter(b'\n', text.as_bytes()).count() + 1 };
                Ok((odd == 0 && usize::try_from(rows) == Ok(lines)).then_some(Page(text)))
            }
            // What SQLite cannot write as JSON; it goes on all the same.
            (Err(sqlx::Error::Database(_)), Transaction::Sqlite(_)) => Ok(None),
            (Err(error), _) => Err(error.into()),
        }
    }

    fn lines(&self) -> impl Iterator<Item = &str> {
        self.0.split('\n').filter(|_| !self.0.is_empty())
    }

    /// The rows of the chain in their order; `None` where they cannot be told apart.
    pub(super) fn chain(&self) -> Option<Vec<ChainRow<'_>>> {
        let rows: Option<Vec<ChainRow<'_>>> = self.lines().map(chain_row).collect();
        rows.filter(|rows| rows.is_sorted_by(|one, next| one.seq < next.seq))
    }
}

fn chain_row(line: &str) -> Option<ChainRow<'_>> {
    let mut fields = line.split('\t');
    let mut next = || fields.next();
    let (seq, at) = (next()?.parse().ok()?, next()?.parse().ok()?);
    let row = ChainRow { seq, at, kind: next()?, subject: next()?, digest: next()?, previous: next()?, hash: next()? };
    next().is_none().then_some(row)
}

impl ChainRow<'_> {
    /// Whether the hash is that of the row.
    pub(super) fn hash_fits(&self) -> bool {
        let ChainRow { seq, at, kind, subject, digest, previous, hash } = self;
        let mut hasher = Sha256::new();
        for part in [previous, "\n", &seq.to_string(), "\n", &at.to_string(), "\n", kind, "\n", subject, "\n", digest] {
            hasher.update(part);
        }
        let mut found = [0; 64];
        // Twice as long as the hash.
        hex::encode_to_slice(hasher.finalize(), &mut found).is_ok() && found == hash.as_bytes()
    }
}

/// The digests of what the chain's rows from `first` to `last` of this kind speak of, by number; `None` where the kind is not read by
/// the page, or the rows must be read one by one.
pub(super) async fn digests(
    snapshot: &mut Transaction,
    kind: &str,
    first: i64,
    last: i64,
) -> Result<Option<Vec<(i64, String)>>, StoreError> {
    let page = match kind {
        "decision" => Page::of_decisions(snapshot, first, last).await?,
        "look" => Page::of_looks(snapshot, first, last).await?,
        "case" => Page::of_cases(snapshot, first, last).await?,
        _ => None,
    };
    let Some(page) = page else { return Ok(None) };
    let digest = if kind == "decision" { record_digest } else { text_digest };
    Ok(page.lines().map(digest).collect())
}

/// Of a row that stands there as the JSON of its columns.
fn text_digest(line: &str) -> Option<(i64, String)> {
    let (seq, text) = line.split_once('\t')?;
    Some((seq.parse().ok()?, sha256(text.as_bytes())))
}

/// Of a record, with the columns beside it.
fn record_digest(line: &str) -> Option<(i64, String)> {
    let mut fields = line.split('\t');
    let mut next = || fields.next();
    let (seq, id, bank, uscc) = (next()?.parse().ok()?, next()?, next()?, next()?);
    let (decided_at, grounds, record) = (next()?.parse().ok()?, next()?, next()?);
    let grounds = match grounds.strip_prefix('+') {
        Some(digest) => Some(digest),
        None if grounds == "-" => None,
        None => return None,
    };
    if next().is_some() {
        return None;
    }
    let agrees = DecisionRow::agrees_as_written([id, bank, uscc], decided_at, grounds, record);
    Some((seq, if agrees { sha256(record.as_bytes()) } else { String::new() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_looks_like_two_or_like_more_fields_is_not_told_from_a_page() {
        let line = "7\t1\tlook\tid\tdigest\tprevious\thash";
        let row = chain_row(line).unwrap();
        assert_eq!((row.seq, row.at, row.kind, row.hash), (7, 1, "look", "hash"));
        assert_eq!(chain_row(&format!("{line}\tmore")), None);
        assert_eq!(chain_row("7\t1\tlook"), None);
        let page = Page(format!("{line}\n{line}"));
        assert_eq!(page.chain(), None, "one number twice");
        assert_eq!(Page(String::new()).chain(), Some(Vec::new()));
        assert_eq!(record_digest("7\ti\tb\tu\t1\t-\t{}"), Some((7, String::new())));
        assert_eq!(record_digest("7\ti\tb\tu\t1\t-\t{}\t"), None);
        assert_eq!(record_digest("7\ti\tb\tu\t1\t\t{}"), None, "neither grounds nor none");
    }

    /// What is hard to write: marks of JSON, control characters, Chinese, emoji, nothing.
    const HARD: [&str; 6] =
        ["\"q\" \\ /", "\u{1}\u{8}\t\n\u{b}\u{c}\r\u{1f}\u{7f}", "绍兴上虞😀", "", "null", "a\u{2028}b"];

    #[tokio::test]
    async fn a_page_gives_the_digests_that_the_rows_give_one_by_one() {
        let folder = tempfile::TempDir::new().unwrap();
        let url = format!("sqlite://{}", folder.path().join("yuxin.db").display());
        let store = crate::store::Store::open(&url, crate::observe::Metrics::new().unwrap()).await.unwrap();
        let options = url.parse::<sqlx::sqlite::SqliteConnectOptions>().unwrap().foreign_keys(false);
        let mut connection = sqlx::ConnectOptions::connect(&options).await.unwrap();
        const LOOK: &str = "INSERT INTO looks (id, uscc, bank, office, consent_id, purpose, at, ended, decision_id, asked, answers) \
             VALUES ('l' || $1, $2, NULL, $2, NULL, $2, $1, 'decided', $2, $2, $2)";
        const CASE: &str = "INSERT INTO cases (id, decision_id, bank, bank_name, uscc, firm_name, refer_codes, outcome, score, grade, \
             amount_fen, opened_at, due_at, search, state) VALUES ('c' || $1, 'd' || $1, $2, $2, $2, NULL, $2, $2, -$1, $2, $1, $1, $1, $2, 'open')";
        const CHAIN: &str =
            "INSERT INTO audit (seq, at, kind, subject, digest, previous, hash) VALUES ($1, 1, $2, $3, '', '', $1)";
        for (n, text) in (1_i64..).zip(HARD) {
            sqlx::query(LOOK).bind(n).bind(text).execute(&mut connection).await.unwrap();
            sqlx::query(CASE).bind(n).bind(text).execute(&mut connection).await.unwrap();
            for (seq, kind, subject) in [(n, "look", format!("l{n}")), (n + 100, "case", format!("c{n}"))] {
                sqlx::query(CHAIN).bind(seq).bind(kind).bind(subject).execute(&mut connection).await.unwrap();
            }
        }
        let mut snapshot = store.snapshot().await.unwrap();
        let looks: Vec<super::super::super::looks::LookRow> =
            sqlx::query_as("SELECT a.seq, t.* FROM audit a JOIN looks t ON t.id = a.subject")
                .fetch_all(&mut connection)
                .await
                .unwrap();
        let cases: Vec<super::super::super::cases::CaseRow> =
            sqlx::query_as("SELECT a.seq, t.* FROM audit a JOIN cases t ON t.id = a.subject")
                .fetch_all(&mut connection)
                .await
                .unwrap();
        let singly =
            looks.iter().map(|row| (row.seq, row.digest())).chain(cases.iter().map(|row| (row.seq, row.digest())));
        let mut singly: Vec<(i64, String)> = singly.collect();
        let mut paged = digests(&mut snapshot, "look", 1, 1000).await.unwrap().unwrap();
        paged.extend(digests(&mut snapshot, "case", 1, 1000).await.unwrap().unwrap());
        singly.sort();
        paged.sort();
        assert_eq!(paged, singly);
        assert_eq!(Page::of_chain(&mut snapshot, 0, 1000, 1000).await.unwrap().unwrap().chain().unwrap().len(), 12);
        drop(snapshot);
        // What is no text, or holds the end of a line, is left to be read by itself.
        for change in ["UPDATE audit SET kind = CAST(kind AS BLOB)", "UPDATE audit SET kind = 'a' || char(10)"] {
            sqlx::query(change).execute(&mut connection).await.unwrap();
            let mut snapshot = store.snapshot().await.unwrap();
            assert!(Page::of_chain(&mut snapshot, 0, 1000, 1000).await.unwrap().is_none(), "{change}");
        }
    }
}
