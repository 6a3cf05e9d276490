//! The databases that are spoken to, and how their SQL differs.

/// Whose SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Postgres,
    MySql,
    Sqlite,
}

impl Dialect {
    /// The dialect of a connection's `type`.
    pub(crate) fn of(kind: &str) -> Option<Self> {
        match kind {
            "postgresql" => Some(Self::Postgres),
            "mysql" => Some(Self::MySql),
            "sqlite" => Some(Self::Sqlite),
            _ => None,
        }
    }

    /// The `type` of its connections.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgresql",
            Self::MySql => "mysql",
            Self::Sqlite => "sqlite",
        }
    }

    /// What stands around an identifier; inside it is doubled.
    pub(crate) fn quote(self) -> char {
        match self {
            Self::MySql => '`',
            Self::Postgres | Self::Sqlite => '"',
        }
    }

    /// The placeholder of the parameter at `number`, from 1.
    pub(crate) fn placeholder(self, number: usize) -> String {
        match self {
            Self::Postgres => format!("${number}"),
            Self::MySql | Self::Sqlite => "?".to_owned(),
        }
    }

    /// Its grammar.
    pub(crate) fn grammar(self) -> Box<dyn sqlparser::dialect::Dialect> {
        match self {
            Self::Postgres => Box::new(sqlparser::dialect::PostgreSqlDialect {}),
            Self::MySql => Box::new(sqlparser::dialect::MySqlDialect {}),
            Self::Sqlite => Box::new(sqlparser::dialect::SQLiteDialect {}),
        }
    }
}
