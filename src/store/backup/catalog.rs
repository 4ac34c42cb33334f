//! What a database holds: its schema's version, its tables in the order in which they can be filled, their columns.

use std::collections::BTreeMap;

use super::super::StoreError;
use super::super::database::Transaction;
use super::BackupError;

/// Tables that are not backed up: what sqlx notes of migrations is made by them, and people log in again.
const LEFT_OUT: [&str; 2] = ["_sqlx_migrations", "sessions"];

/// A table with its columns in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) name: String,
    /// Name and type.
    pub(super) columns: Vec<(String, String)>,
}

impl Table {
    pub(super) fn names(&self) -> Vec<String> {
        self.columns.iter().map(|(name, _)| name.clone()).collect()
    }

    pub(super) fn quoted(&self) -> Vec<String> {
        self.columns.iter().map(|(name, _)| quoted(name)).collect()
    }

    pub(super) fn quoted_name(&self) -> String {
        quoted(&self.name)
    }
}

/// A name as an SQL identifier.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Runs a catalogue's query on SQLite or on PostgreSQL.
macro_rules! list {
    ($of:expr, $row:ty, $sqlite:literal, $postgres:literal $(, $value:expr)*) => {
        match $of {
            Transaction::Sqlite(c) => {
                sqlx::query_as::<_, $row>($sqlite)$(.bind($value))*.fetch_all(&mut **c).await
            }
            Transaction::Postgres(c) => {
                sqlx::query_as::<_, $row>($postgres)$(.bind($value))*.fetch_all(&mut **c).await
            }
        }
    };
}

/// The newest migration that was applied.
pub(super) async fn schema_of(of: &mut Transaction) -> Result<i64, BackupError> {
    let names = names_of(of).await?;
    if !names.iter().any(|name| name == "_sqlx_migrations") || !names.iter().any(|name| name == "audit_head") {
        return Err(StoreError::Open("the database holds no store".to_owned()).into());
    }
    const SELECT: &str = "SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations";
    let (version,) = match of {
        Transaction::Sqlite(c) => sqlx::query_as::<_, (i64,)>(SELECT).fetch_one(&mut **c).await?,
        Transaction::Postgres(c) => sqlx::query_as::<_, (i64,)>(SELECT).fetch_one(&mut **c).await?,
    };
    Ok(version)
}

/// The names of all tables.
pub(super) async fn names_of(of: &mut Transaction) -> Result<Vec<String>, BackupError> {
    let names = list!(
        of,
        (String,),
        "SELECT name FROM sqlite_master WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_' ORDER BY name",
        "SELECT table_name::TEXT FROM information_schema.tables WHERE table_schema = current_schema() \
         AND table_type = 'BASE TABLE' ORDER BY 1"
    )?;
    Ok(names.into_iter().map(|(name,)| name).collect())
}

/// The tables to be backed up, each after those that it refers to.
pub(super) async fn tables_of(of: &mut Transaction) -> Result<Vec<Table>, BackupError> {
    let mut waiting = BTreeMap::new();
    for name in names_of(of).await? {
        if LEFT_OUT.contains(&name.as_str()) {
            continue;
        }
        let columns = list!(
            of,
            (String, String),
            "SELECT name, type FROM pragma_table_info($1) ORDER BY cid",
            "SELECT column_name::TEXT, data_type::TEXT FROM information_schema.columns \
             WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position",
            &name
        )?;
        let parents = list!(
            of,
            (String,),
            "SELECT DISTINCT \"table\" FROM pragma_foreign_key_list($1)",
            "SELECT DISTINCT parent.relname::TEXT FROM pg_constraint \
             JOIN pg_class child ON child.oid = conrelid JOIN pg_class parent ON parent.oid = confrelid \
             WHERE contype = 'f' AND child.relname = $1 AND child.relnamespace = current_schema()::REGNAMESPACE",
            &name
        )?;
        let parents: Vec<String> = parents.into_iter().map(|(parent,)| parent).collect();
        waiting.insert(name.clone(), (Table { name, columns }, parents));
    }
    Ok(parents_first(waiting))
}

fn parents_first(mut waiting: BTreeMap<String, (Table, Vec<String>)>) -> Vec<Table> {
    let mut ordered = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let free = waiting
            .iter()
            .find(|(name, (_, parents))| parents.iter().all(|parent| parent == *name || !waiting.contains_key(parent)));
        // Tables that refer to one another in a circle come in the order of their names; there are none.
        let next = free.map(|(name, _)| name.clone()).or_else(|| waiting.keys().next().cloned());
        if let Some((table, _)) = next.and_then(|name| waiting.remove(&name)) {
            ordered.push(table);
        }
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_come_after_those_that_they_refer_to() {
        let table = |name: &str| Table { name: name.to_owned(), columns: vec![] };
        let of = |name: &str, parents: &[&str]| {
            (name.to_owned(), (table(name), parents.iter().map(|p| (*p).to_owned()).collect()))
        };
        let waiting = BTreeMap::from([of("a", &["c", "a"]), of("b", &["a", "sessions"]), of("c", &[])]);
        let names: Vec<String> = parents_first(waiting).into_iter().map(|table| table.name).collect();
        assert_eq!(names, ["c", "a", "b"]);
    }
}
