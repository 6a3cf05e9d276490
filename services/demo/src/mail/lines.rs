//! Lines of a caller, bounded.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// A caller.
#[derive(Debug)]
pub(super) struct Lines {
    read: BufReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
}

impl Lines {
    pub(super) fn new(stream: TcpStream) -> Self {
        let (read, write) = stream.into_split();
        Self {
            read: BufReader::new(read),
            write,
        }
    }

    pub(super) async fn say(&mut self, text: impl AsRef<[u8]>) -> io::Result<()> {
        self.write.write_all(text.as_ref()).await
    }

    /// A line of at most `max` bytes with its end; none when the caller has gone.
    pub(super) async fn line(&mut self, max: usize) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let limit = u64::try_from(max).unwrap_or(u64::MAX);
        (&mut self.read)
            .take(limit)
            .read_until(b'\n', &mut line)
            .await?;
        if line.is_empty() {
            return Ok(None);
        }
        if line.last() != Some(&b'\n') {
            let text = format!("a line has more than {max} bytes, or was cut");
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        Ok(Some(line))
    }

    /// As many bytes.
    pub(super) async fn bytes(&mut self, count: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        self.read.read_exact(&mut bytes).await?;
        Ok(bytes)
    }
}
