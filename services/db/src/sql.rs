//! Text of a statement with its parameters: the one place where SQL is put together.

use serde_json::Value;
use sqlx::SqlSafeStr;

use crate::dialect::Dialect;
use crate::error::Error;
use crate::limits::NAME_MAX;

/// A name of a table or column that can be quoted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Name(String);

impl Name {
    /// A column's name.
    pub(crate) fn parse(text: &str, field: &str) -> Result<Self, Error> {
        let length = text.chars().count();
        if length == 0 || length > NAME_MAX || text.contains('\0') {
            let what = format!("a name has 1 to {NAME_MAX} characters and no NUL");
            return Err(Error::parameter(field, what));
        }
        Ok(Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A table, perhaps in a schema.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Table {
    pub(crate) schema: Option<Name>,
    pub(crate) name: Name,
}

impl Table {
    /// `table` or `schema.table`; a dot always separates.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let parts: Vec<&str> = text.split('.').collect();
        let name = |part| Name::parse(part, "table");
        match parts.as_slice() {
            [table] => Ok(Self {
                schema: None,
                name: name(table)?,
            }),
            [schema, table] => Ok(Self {
                schema: Some(name(schema)?),
                name: name(table)?,
            }),
            _ => Err(Error::parameter(
                "table",
                "is `table` or `schema.table`, with one dot at most",
            )),
        }
    }
}

/// The one gate through which made text reaches a driver: what passes was put
/// together by [`Sql`], judged by `raw`, or has no word of a caller in it.
pub(crate) fn safe(text: String) -> sqlx::SqlStr {
    sqlx::AssertSqlSafe(text).into_sql_str()
}

/// A value to bind, with the column whose type it should have, when that is known.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Param {
    pub(crate) value: Value,
    pub(crate) column: Option<Name>,
}

/// A statement under construction.
#[derive(Debug, Clone)]
pub(crate) struct Sql {
    pub(crate) dialect: Dialect,
    pub(crate) text: String,
    pub(crate) params: Vec<Param>,
}

impl Sql {
    /// Begins with words of our own.
    pub(crate) fn new(dialect: Dialect, text: &'static str) -> Self {
        Self {
            dialect,
            text: text.to_owned(),
            params: Vec::new(),
        }
    }

    /// Adds words of our own: never a caller's, which the type sees to.
    pub(crate) fn push(&mut self, text: &'static str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Adds an identifier, quoted.
    pub(crate) fn name(&mut self, name: &Name) -> &mut Self {
        let quote = self.dialect.quote();
        self.text.push(quote);
        for c in name.0.chars() {
            if c == quote {
                self.text.push(quote);
            }
            self.text.push(c);
        }
        self.text.push(quote);
        self
    }

    /// Adds a table, quoted.
    pub(crate) fn table(&mut self, table: &Table) -> &mut Self {
        if let Some(schema) = &table.schema {
            self.name(schema).push(".");
        }
        self.name(&table.name)
    }

    /// Adds names, separated by commas.
    pub(crate) fn names<'a>(&mut self, names: impl IntoIterator<Item = &'a Name>) -> &mut Self {
        for (i, name) in names.into_iter().enumerate() {
            if i > 0 {
                self.push(", ");
            }
            self.name(name);
        }
        self
    }

    /// Adds a placeholder and binds the value to it.
    pub(crate) fn bind(&mut self, value: Value, column: Option<&Name>) -> &mut Self {
        self.params.push(Param {
            value,
            column: column.cloned(),
        });
        let placeholder = self.dialect.placeholder(self.params.len());
        self.text.push_str(&placeholder);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifier_cannot_leave_its_quotes() {
        for (dialect, text, quoted) in [
            (Dialect::Postgres, "a\" --", "\"a\"\" --\""),
            (
                Dialect::Sqlite,
                "\"; DROP TABLE x",
                "\"\"\"; DROP TABLE x\"",
            ),
            (Dialect::MySql, "a` OR `1", "`a`` OR ``1`"),
            (Dialect::MySql, "a\" b\\", "`a\" b\\`"),
        ] {
            let mut sql = Sql::new(dialect, "");
            sql.name(&Name::parse(text, "x").unwrap());
            assert_eq!(sql.text, quoted);
        }
    }

    #[test]
    fn names_are_bounded() {
        for bad in ["", "a\0b", &"x".repeat(NAME_MAX + 1)] {
            assert!(Name::parse(bad, "x").is_err());
        }
        assert!(Name::parse(&"x".repeat(NAME_MAX), "x").is_ok());
        for bad in ["", ".", "a.", "a.b.c"] {
            assert!(Table::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(Table::parse("s.t").unwrap().name.as_str(), "t");
    }
}
