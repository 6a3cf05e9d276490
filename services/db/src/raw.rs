//! A statement that a caller wrote: read by a parser before a database sees it.

use sqlparser::ast::{ObjectName, Query, SetExpr, Statement, TableFactor};
use sqlparser::parser::Parser;

use crate::dialect::Dialect;
use crate::error::Error;

/// What `SQLite` may be asked about itself; no other PRAGMA is run.
const PRAGMAS: &[&str] = &[
    "table_info",
    "table_xinfo",
    "table_list",
    "index_list",
    "index_info",
    "index_xinfo",
    "foreign_key_list",
    "foreign_key_check",
    "integrity_check",
    "quick_check",
    "compile_options",
    "encoding",
    "page_count",
    "page_size",
];

/// A statement that may run.
#[derive(Debug, Clone)]
pub(crate) struct Raw {
    pub(crate) text: String,
    /// It only reads, as far as its words say.
    pub(crate) reads: bool,
    /// What it does is taken back when its transaction is: not so what `MySQL` commits
    /// by itself, whatever follows.
    pub(crate) undone: bool,
    /// It may do some of its work and then fail: a procedure of `MySQL` commits for itself.
    pub(crate) parts: bool,
}

impl Raw {
    /// Reads exactly one statement.
    pub(crate) fn parse(dialect: Dialect, text: &str) -> Result<Self, Error> {
        let refused = |what: String| Error::parameter("query", what);
        // MySQL runs what stands in such a comment; the parser does not see it.
        if dialect == Dialect::MySql && (text.contains("/*!") || text.contains("/*M!")) {
            return Err(refused("comments that are run are refused".to_owned()));
        }
        let grammar = dialect.grammar();
        let mut statements = Parser::parse_sql(&*grammar, text)
            .map_err(|e| refused(format!("cannot be read as {} SQL: {e}", dialect.name())))?;
        let (Some(statement), true) = (statements.pop(), statements.is_empty()) else {
            return Err(refused("holds exactly one statement".to_owned()));
        };
        let reads = class(&statement).map_err(|what| refused(what.to_owned()))?;
        // SQLite's driver would run a second statement that the parser took for a
        // part of the first: it gets what the parser understood.
        let text = match dialect {
            Dialect::Sqlite => statement.to_string(),
            _ => text.to_owned(),
        };
        let rows = matches!(
            statement,
            Statement::Insert(_) | Statement::Update(_) | Statement::Delete(_)
        );
        let undone = dialect != Dialect::MySql || reads || rows;
        Ok(Self {
            text,
            reads,
            undone,
            parts: dialect == Dialect::MySql && matches!(statement, Statement::Call(_)),
        })
    }
}

/// Whether a statement only reads; an error when it is none of those that may run.
fn class(statement: &Statement) -> Result<bool, &'static str> {
    use Statement as S;
    Ok(match statement {
        S::Query(query) if into_temporary(&query.body) => return Err(TEMPORARY),
        S::Query(query) => query_reads(query),
        S::Explain {
            analyze, statement, ..
        } => {
            let inner = class(statement)?;
            !analyze || inner
        }
        S::ExplainTable { .. }
        | S::ShowVariable { .. }
        | S::ShowVariables { .. }
        | S::ShowStatus { .. }
        | S::ShowCreate { .. }
        | S::ShowColumns { .. }
        | S::ShowDatabases { .. }
        | S::ShowSchemas { .. }
        | S::ShowTables { .. }
        | S::ShowViews { .. }
        | S::ShowCollation { .. } => true,
        S::Pragma { name, value, is_eq } => {
            let known = PRAGMAS.contains(&last(name).as_str());
            if !known || (*is_eq && value.is_some()) {
                return Err("this PRAGMA is not run; only those that tell about tables are");
            }
            true
        }
        S::CreateTable(table) if table.temporary => return Err(TEMPORARY),
        S::CreateTable(table) if of_temp(&table.name) => return Err(TEMPORARY),
        S::CreateView(view) if of_temp(&view.name) => return Err(TEMPORARY),
        S::CreateView(view) if view.temporary => return Err(TEMPORARY),
        S::Insert(_)
        | S::Update(_)
        | S::Delete(_)
        | S::Merge(_)
        | S::Truncate(_)
        | S::Call(_)
        | S::CreateTable(_)
        | S::CreateView(_)
        | S::CreateIndex(_)
        | S::CreateSchema { .. }
        | S::CreateSequence { .. }
        | S::CreateType { .. }
        | S::CreateDomain(_)
        | S::CreateFunction(_)
        | S::CreateProcedure { .. }
        | S::CreateTrigger(_)
        | S::CreatePolicy(_)
        | S::AlterTable(_)
        | S::AlterIndex { .. }
        | S::AlterView { .. }
        | S::AlterSchema(_)
        | S::AlterType(_)
        | S::AlterPolicy(_)
        | S::Drop { .. }
        | S::DropFunction(_)
        | S::DropProcedure { .. }
        | S::DropTrigger(_)
        | S::DropDomain(_)
        | S::DropPolicy(_)
        | S::RenameTable(_)
        | S::Comment { .. }
        | S::Grant(_)
        | S::Revoke(_)
        | S::Analyze(_) => false,
        S::StartTransaction { .. }
        | S::Commit { .. }
        | S::Rollback { .. }
        | S::Savepoint { .. }
        | S::ReleaseSavepoint { .. } => {
            return Err(
                "each call is one transaction; use db.transaction for several operations in one",
            );
        }
        S::Set(_) | S::Use(_) | S::Reset(_) => {
            return Err("changes the session, which others use too; write it into the statement");
        }
        _ => return Err("statements of this kind are not run"),
    })
}

/// Why a temporary table is refused: it would hide a table of its name from other calls.
const TEMPORARY: &str =
    "makes a temporary table, which would stay with a login that others use; write `WITH`";

/// Whether a name stands in the schema of temporary tables.
fn of_temp(name: &ObjectName) -> bool {
    let text = name.to_string().to_ascii_lowercase();
    let schema = text.split_once('.').map_or("", |(schema, _)| schema);
    matches!(schema.trim_matches('"'), "temp" | "pg_temp")
}

fn into_temporary(body: &SetExpr) -> bool {
    match body {
        SetExpr::Select(select) => select.into.as_ref().is_some_and(|into| into.temporary),
        SetExpr::Query(query) => into_temporary(&query.body),
        SetExpr::SetOperation { left, .. } => into_temporary(left),
        _ => false,
    }
}

/// The last part of a name, in lower case.
fn last(name: &ObjectName) -> String {
    let text = name.to_string().to_ascii_lowercase();
    text.rsplit('.').next().unwrap_or_default().to_owned()
}

/// Whether a query only reads: no change hides in it or in what it begins WITH.
fn query_reads(query: &Query) -> bool {
    let with = query.with.iter().flat_map(|w| &w.cte_tables);
    with.into_iter().all(|cte| query_reads(&cte.query)) && body_reads(&query.body)
}

fn body_reads(body: &SetExpr) -> bool {
    match body {
        SetExpr::Select(select) => {
            let derived = |factor: &TableFactor| match factor {
                TableFactor::Derived { subquery, .. } => query_reads(subquery),
                _ => true,
            };
            select.into.is_none()
                && select.from.iter().all(|from| {
                    derived(&from.relation) && from.joins.iter().all(|j| derived(&j.relation))
                })
        }
        SetExpr::Query(query) => query_reads(query),
        SetExpr::SetOperation { left, right, .. } => body_reads(left) && body_reads(right),
        SetExpr::Values(_) | SetExpr::Table(_) => true,
        SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(dialect: Dialect, text: &str) -> Result<bool, String> {
        match Raw::parse(dialect, text) {
            Ok(raw) => Ok(raw.reads),
            Err(e) => Err(e.to_string()),
        }
    }

    #[test]
    fn class_is_read_from_the_statement() {
        for (dialect, text, reads) in [
            (Dialect::Postgres, "SELECT 1;", true),
            (Dialect::Postgres, "select * from t where a = $1", true),
            (Dialect::Postgres, "WITH a AS (SELECT 1) TABLE a", true),
            (Dialect::Postgres, "VALUES (1), (2)", true),
            (Dialect::Postgres, "SELECT * INTO b FROM a", false),
            (
                Dialect::Postgres,
                "WITH a AS (DELETE FROM t RETURNING *) SELECT * FROM a",
                false,
            ),
            (
                Dialect::Postgres,
                "INSERT INTO t VALUES ($1) RETURNING id",
                false,
            ),
            (Dialect::Postgres, "EXPLAIN SELECT 1", true),
            (Dialect::Postgres, "EXPLAIN ANALYZE DELETE FROM t", false),
            (Dialect::Postgres, "EXPLAIN DELETE FROM t", true),
            (Dialect::Postgres, "SHOW server_version", true),
            (Dialect::Postgres, "CREATE TABLE t (a int)", false),
            (Dialect::MySql, "SHOW TABLES", true),
            (Dialect::MySql, "REPLACE INTO t VALUES (?)", false),
            (Dialect::Sqlite, "PRAGMA table_info('t')", true),
            (
                Dialect::Sqlite,
                "INSERT OR REPLACE INTO t VALUES (?)",
                false,
            ),
        ] {
            assert_eq!(read(dialect, text), Ok(reads), "{text}");
        }
    }

    #[test]
    fn what_commits_itself_is_known() {
        for (dialect, text, undone) in [
            (Dialect::MySql, "CREATE TABLE t (a INT)", false),
            (Dialect::MySql, "CALL p()", false),
            (Dialect::MySql, "DELETE FROM t", true),
            (Dialect::MySql, "SELECT 1", true),
            (Dialect::Postgres, "CREATE TABLE t (a INT)", true),
        ] {
            assert_eq!(Raw::parse(dialect, text).unwrap().undone, undone, "{text}");
        }
    }

    #[test]
    fn what_is_not_one_plain_statement_is_refused() {
        for (dialect, text) in [
            (Dialect::Postgres, ""),
            (Dialect::Postgres, "  ; "),
            (Dialect::Postgres, "SELECT 1; SELECT 2"),
            (Dialect::Postgres, "SELECT 1; DROP TABLE t"),
            (Dialect::Postgres, "BEGIN"),
            (Dialect::Postgres, "COMMIT"),
            (Dialect::Postgres, "SET ROLE postgres"),
            (Dialect::Postgres, "RESET ALL"),
            (Dialect::Postgres, "COPY t TO PROGRAM 'sh'"),
            (Dialect::Postgres, "LISTEN x"),
            (Dialect::Postgres, "PREPARE x AS SELECT 1"),
            (Dialect::Postgres, "EXPLAIN ANALYZE COMMIT"),
            (Dialect::Postgres, "gibberish"),
            (Dialect::Postgres, "CREATE TEMP TABLE orders (a int)"),
            (
                Dialect::Postgres,
                "CREATE TEMPORARY VIEW orders AS SELECT 1",
            ),
            (Dialect::Postgres, "SELECT 1 AS a INTO TEMP orders"),
            (Dialect::MySql, "CREATE TEMPORARY TABLE orders (a INT)"),
            (Dialect::Sqlite, "CREATE TEMP TABLE orders (a)"),
            (Dialect::Sqlite, "CREATE TEMP VIEW orders AS SELECT 1"),
            (Dialect::Sqlite, "CREATE TABLE temp.orders (a)"),
            (Dialect::MySql, "SELECT 1 INTO OUTFILE '/tmp/x'"),
            (Dialect::MySql, "SELECT 1 /*! ; DROP TABLE t */"),
            (Dialect::MySql, "LOAD DATA INFILE 'x' INTO TABLE t"),
            (Dialect::MySql, "USE mysql"),
            (Dialect::MySql, "KILL 1"),
            (Dialect::Sqlite, "ATTACH DATABASE '/etc/x' AS y"),
            (Dialect::Sqlite, "PRAGMA writable_schema = 1"),
            (Dialect::Sqlite, "PRAGMA table_info = 1"),
            (Dialect::Sqlite, "PRAGMA journal_mode(OFF)"),
            (Dialect::Sqlite, "VACUUM INTO '/tmp/x'"),
            (Dialect::Sqlite, "SELECT 1; ATTACH DATABASE 'x' AS y"),
        ] {
            assert!(read(dialect, text).is_err(), "{text}");
        }
    }
}
