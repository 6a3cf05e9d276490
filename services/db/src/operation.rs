//! What is done with a table: from what was asked to statements.

use serde_json::{Map, Value};

use crate::condition::Condition;
use crate::dialect::Dialect;
use crate::error::Error;
use crate::limits::{PARAMS_MAX, ROWS_MAX};
use crate::sql::{Name, Sql, Table};

/// Columns with values.
pub(crate) type Record = Vec<(Name, Value)>;

/// One operation of a transaction.
#[derive(Debug, Clone)]
pub(crate) enum Operation {
    Query(Select),
    Insert {
        table: Table,
        records: Vec<Record>,
    },
    Update {
        table: Table,
        condition: Condition,
        data: Record,
        upsert: Option<Record>,
    },
    Delete {
        table: Table,
        condition: Condition,
    },
}

/// Which rows to read, and how.
#[derive(Debug, Clone)]
pub(crate) struct Select {
    pub(crate) table: Table,
    pub(crate) condition: Condition,
    /// Empty: all.
    pub(crate) columns: Vec<Name>,
    /// Left out of what is read.
    pub(crate) without: Vec<String>,
    /// Columns, and whether the greatest comes first.
    pub(crate) order: Vec<(Name, bool)>,
    pub(crate) limit: Option<i64>,
    pub(crate) offset: i64,
}

impl Operation {
    pub(crate) fn reads(&self) -> bool {
        matches!(self, Self::Query(_))
    }
}

impl Select {
    /// Asks for one row more than may be given, so that too many are seen without
    /// reading them all.
    pub(crate) fn sql(&self, dialect: Dialect) -> Sql {
        let mut sql = Sql::new(dialect, "SELECT ");
        if self.columns.is_empty() {
            sql.push("*");
        } else {
            sql.names(&self.columns);
        }
        sql.push(" FROM ").table(&self.table);
        self.condition.write_where(&mut sql);
        for (i, (column, descending)) in self.order.iter().enumerate() {
            sql.push(if i == 0 { " ORDER BY " } else { ", " });
            sql.name(column);
            sql.push(if *descending { " DESC" } else { " ASC" });
        }
        let most = ROWS_MAX as i64;
        let limit = self.limit.map_or(most + 1, |n| n.min(most));
        sql.push(" LIMIT ").bind(limit.into(), None);
        if self.offset > 0 {
            sql.push(" OFFSET ").bind(self.offset.into(), None);
        }
        sql
    }
}

/// Statements that insert the records: one for each run of records with the same
/// columns, so that what is left out of a record gets its default.
pub(crate) fn inserts(
    dialect: Dialect,
    table: &Table,
    records: &[Record],
    returning: bool,
    one_each: bool,
) -> Vec<Sql> {
    let mut statements = Vec::new();
    let mut rest = records;
    while let Some(first) = rest.first() {
        let most = if first.is_empty() || one_each {
            1
        } else {
            (PARAMS_MAX / first.len()).max(1)
        };
        let same = |record: &&Record| {
            record.len() == first.len() && record.iter().zip(first).all(|(a, b)| a.0 == b.0)
        };
        let count = rest.iter().take(most).take_while(same).count().max(1);
        let (batch, after) = rest.split_at(count);
        statements.push(insert(dialect, table, batch, returning));
        rest = after;
    }
    statements
}

fn insert(dialect: Dialect, table: &Table, records: &[Record], returning: bool) -> Sql {
    let mut sql = Sql::new(dialect, "INSERT INTO ");
    sql.table(table);
    let columns = records.first().map(Vec::as_slice).unwrap_or_default();
    if columns.is_empty() {
        sql.push(match dialect {
            Dialect::MySql => " () VALUES ()",
            _ => " DEFAULT VALUES",
        });
    } else {
        sql.push(" (").names(columns.iter().map(|(n, _)| n));
        sql.push(") VALUES ");
        for (i, record) in records.iter().enumerate() {
            sql.push(if i == 0 { "(" } else { ", (" });
            for (j, (name, value)) in record.iter().enumerate() {
                if j > 0 {
                    sql.push(", ");
                }
                sql.bind(value.clone(), Some(name));
            }
            sql.push(")");
        }
    }
    if returning {
        sql.push(" RETURNING *");
    }
    sql
}

/// The statement that changes rows.
pub(crate) fn update(dialect: Dialect, table: &Table, condition: &Condition, data: &Record) -> Sql {
    let mut sql = Sql::new(dialect, "UPDATE ");
    sql.table(table);
    for (i, (name, value)) in data.iter().enumerate() {
        sql.push(if i == 0 { " SET " } else { ", " });
        sql.name(name).push(" = ").bind(value.clone(), Some(name));
    }
    condition.write_where(&mut sql);
    sql
}

/// The statement that deletes rows.
pub(crate) fn delete(dialect: Dialect, table: &Table, condition: &Condition) -> Sql {
    let mut sql = Sql::new(dialect, "DELETE FROM ");
    sql.table(table);
    condition.write_where(&mut sql);
    sql
}

/// A record of `data`.
pub(crate) fn record(map: &Map<String, Value>, field: &str) -> Result<Record, Error> {
    map.iter()
        .map(|(key, value)| {
            let name = Name::parse(key, &format!("{field}.{key}"))?;
            Ok((name, value.clone()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn records(list: &[Value]) -> Vec<Record> {
        list.iter()
            .map(|v| record(v.as_object().unwrap(), "data").unwrap())
            .collect()
    }

    #[test]
    fn records_of_the_same_columns_share_a_statement() {
        let table = Table::parse("s.t").unwrap();
        let list = records(&[
            json!({"a": 1, "b": 2}),
            json!({"a": 3, "b": 4}),
            json!({"a": 5}),
            json!({}),
        ]);
        let texts: Vec<_> = inserts(Dialect::Postgres, &table, &list, true, false)
            .into_iter()
            .map(|s| s.text)
            .collect();
        assert_eq!(
            texts,
            [
                r#"INSERT INTO "s"."t" ("a", "b") VALUES ($1, $2), ($3, $4) RETURNING *"#,
                r#"INSERT INTO "s"."t" ("a") VALUES ($1) RETURNING *"#,
                r#"INSERT INTO "s"."t" DEFAULT VALUES RETURNING *"#,
            ]
        );
    }

    #[test]
    fn statement_has_no_more_parameters_than_it_may() {
        let table = Table::parse("t").unwrap();
        let list = vec![records(&[json!({"a": 1, "b": 2, "c": 3, "d": 4})]).remove(0); 9_000];
        let statements = inserts(Dialect::Sqlite, &table, &list, false, false);
        assert_eq!(statements.len(), 2);
        assert!(statements.iter().all(|s| s.params.len() <= PARAMS_MAX));
        let total: usize = statements.iter().map(|s| s.params.len()).sum();
        assert_eq!(total, 36_000);
    }
}
