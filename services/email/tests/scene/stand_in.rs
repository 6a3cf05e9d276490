//! A server that says what the test tells it to: real ones are not hostile.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What it says to a line; none: it ends the connection.
pub(crate) type Answer = fn(&str) -> Option<Vec<u8>>;

pub(crate) struct StandIn {
    pub(crate) port: u16,
    heard: Arc<Mutex<Vec<String>>>,
}

impl StandIn {
    /// Greets, then answers line by line, on any number of connections.
    pub(crate) async fn start(greeting: &'static [u8], answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let lines = heard.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, greeting, answer, lines.clone()));
            }
        });
        Self { port, heard }
    }

    pub(crate) fn heard(&self) -> String {
        self.heard.lock().unwrap().join("\n")
    }

    /// The parameters of a connection to it.
    pub(crate) fn server(&self, name: &str) -> Value {
        json!({"connectionId": name, "host": "127.0.0.1", "port": self.port, "secure": false,
            "username": "bob", "password": "hunter2!"})
    }
}

async fn serve(
    stream: TcpStream,
    greeting: &'static [u8],
    answer: Answer,
    heard: Arc<Mutex<Vec<String>>>,
) {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    if write.write_all(greeting).await.is_err() {
        return;
    }
    while let Ok(Some(line)) = lines.next_line().await {
        let said = answer(&line);
        heard.lock().unwrap().push(line);
        match said {
            Some(said) if write.write_all(&said).await.is_ok() => {}
            _ => return,
        }
    }
}
