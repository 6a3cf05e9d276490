//! A mesh with the engine alone and one database, connected by the configuration.

use gearmesh_fault::Failure;
use gearmesh_testkit::TestMesh;
use gearmesh_testkit::servers::{MariaDb, Postgres};
use serde_json::{Value, json};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Postgres,
    MariaDb,
    Sqlite,
}

pub(crate) struct Lab {
    pub(crate) mesh: TestMesh,
    pub(crate) kind: Kind,
    pub(crate) postgres: Option<Postgres>,
    pub(crate) mariadb: Option<MariaDb>,
}

impl Lab {
    pub(crate) async fn postgres() -> Self {
        let server = Postgres::start().await;
        let mesh = mesh("postgresql", &server.url("postgres")).await;
        Self {
            mesh,
            kind: Kind::Postgres,
            postgres: Some(server),
            mariadb: None,
        }
    }

    pub(crate) async fn mariadb() -> Self {
        let server = MariaDb::start().await;
        server.database("lab");
        let mesh = mesh("mysql", &server.url("lab")).await;
        Self {
            mesh,
            kind: Kind::MariaDb,
            postgres: None,
            mariadb: Some(server),
        }
    }

    pub(crate) async fn sqlite() -> Self {
        Self {
            mesh: mesh("sqlite", "file:lab.db").await,
            kind: Kind::Sqlite,
            postgres: None,
            mariadb: None,
        }
    }

    /// Calls a tool that must succeed; on the connection `main` when none is named.
    pub(crate) async fn call(&self, tool: &str, params: Value) -> Value {
        let params = on_main(params);
        match self.mesh.call(tool, params.clone()).await {
            Ok(answer) => answer,
            Err(e) => panic!("{:?}: {tool} {params}: {e}", self.kind),
        }
    }

    /// Calls a tool that must fail.
    pub(crate) async fn refused(&self, tool: &str, params: Value) -> Failure {
        let params = on_main(params);
        match self.mesh.call(tool, params.clone()).await {
            Ok(answer) => panic!("{:?}: {tool} {params} gave {answer}", self.kind),
            Err(e) => Failure::of(&e),
        }
    }

    /// Runs SQL of the test's own.
    pub(crate) async fn sql(&self, text: &str) -> Value {
        self.call("db.raw_query", json!({"query": text})).await
    }

    /// The rows of a table in the order of a column.
    pub(crate) async fn all(&self, table: &str, order: &str) -> Value {
        let params = json!({"table": table, "orderBy": {order: "asc"}});
        self.call("db.query", params).await["results"].take()
    }

    /// The placeholder of a parameter.
    pub(crate) fn place(&self, number: usize) -> String {
        match self.kind {
            Kind::Postgres => format!("${number}"),
            _ => "?".to_owned(),
        }
    }

    /// One of three texts.
    pub(crate) fn either<'a>(
        &self,
        postgres: &'a str,
        mariadb: &'a str,
        sqlite: &'a str,
    ) -> &'a str {
        match self.kind {
            Kind::Postgres => postgres,
            Kind::MariaDb => mariadb,
            Kind::Sqlite => sqlite,
        }
    }

    /// A column that counts by itself.
    pub(crate) fn serial(&self) -> &'static str {
        match self.kind {
            Kind::Postgres => "id SERIAL PRIMARY KEY",
            Kind::MariaDb => "id INT AUTO_INCREMENT PRIMARY KEY",
            Kind::Sqlite => "id INTEGER PRIMARY KEY AUTOINCREMENT",
        }
    }
}

pub(crate) fn on_main(mut params: Value) -> Value {
    if params.get("connectionId").is_none() {
        params["connectionId"] = "main".into();
    }
    params
}

async fn mesh(kind: &str, url: &str) -> TestMesh {
    let connection = |more: Value| {
        let mut all = json!({"kind": "db", "type": kind, "connectionString": url, "poolSize": 4});
        for (key, value) in more.as_object().unwrap() {
            all[key] = value.clone();
        }
        all
    };
    let (main, reader, hasty) = (
        connection(json!({})),
        connection(json!({"readOnly": true})),
        connection(json!({"statementTimeout": 400, "poolSize": 1})),
    );
    TestMesh::start_with(&[gearmesh_db::SERVICE], move |config| {
        config.set("connections.main", main);
        config.set("connections.reader", reader);
        config.set("connections.hasty", hasty);
    })
    .await
}
