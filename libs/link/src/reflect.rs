//! A server's descriptors, read by gRPC server reflection.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use futures::StreamExt;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Status, Streaming};
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest as Ask;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse as Answer;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};

use gearmesh_api::MESSAGE_MAX;
use gearmesh_api::tool::v1::CommonFault;
use gearmesh_fault::Refusal;

use crate::{Error, Link};

/// How long a server may take to describe itself.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Files that one server may describe; the largest public interfaces have some hundreds.
const FILES_MAX: usize = 2_000;

/// Reads all files behind a server's services, as an encoded `FileDescriptorSet`.
///
/// The bytes of each file stay as the server sent them, so that its options
/// survive. The `grpc.*` services are left out.
///
/// # Errors
/// [`Error::Reflection`] when the server does not answer within 10 s, or not sensibly.
pub async fn reflect(link: &Link, url: &str) -> Result<Vec<u8>, Error> {
    let failed = |status| Error::Reflection {
        url: url.to_owned(),
        status: Box::new(status),
    };
    match tokio::time::timeout(TIMEOUT, files(link)).await {
        Ok(Ok(files)) => Ok(set(&files)),
        Ok(Err(status)) => Err(failed(status)),
        Err(_) => Err(failed(
            Refusal::new(CommonFault::Timeout, "no answer within 10 s").into(),
        )),
    }
}

/// One conversation on the reflection stream.
struct Conversation {
    ask: mpsc::Sender<ServerReflectionRequest>,
    answers: Streaming<ServerReflectionResponse>,
}

impl Conversation {
    async fn open(link: &Link) -> Result<Self, Status> {
        let (ask, asked) = mpsc::channel(1);
        let mut client =
            ServerReflectionClient::new(link.clone()).max_decoding_message_size(MESSAGE_MAX);
        // The first question goes out before the answer's headers are awaited: some
        // servers send none until they have been asked.
        let first = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(Ask::ListServices(String::new())),
        };
        ask.send(first).await.map_err(|_| ended())?;
        let answers = client
            .server_reflection_info(Request::new(ReceiverStream::new(asked)))
            .await?
            .into_inner();
        Ok(Self { ask, answers })
    }

    async fn next(&mut self) -> Result<Answer, Status> {
        let answer = self.answers.next().await.ok_or_else(ended)??;
        match answer.message_response {
            Some(Answer::ErrorResponse(e)) => Err(Status::new(
                tonic::Code::from(e.error_code),
                e.error_message,
            )),
            Some(answer) => Ok(answer),
            None => Err(ended()),
        }
    }

    async fn files(&mut self, question: Ask) -> Result<Vec<Vec<u8>>, Status> {
        let request = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(question),
        };
        self.ask.send(request).await.map_err(|_| ended())?;
        match self.next().await? {
            Answer::FileDescriptorResponse(files) => Ok(files.file_descriptor_proto),
            _ => Err(ended()),
        }
    }
}

async fn files(link: &Link) -> Result<BTreeMap<String, Vec<u8>>, Status> {
    let mut talk = Conversation::open(link).await?;
    let Answer::ListServicesResponse(list) = talk.next().await? else {
        return Err(ended());
    };
    let mut found = BTreeMap::new();
    let mut wanted: VecDeque<Ask> = list
        .service
        .into_iter()
        .filter(|s| !s.name.starts_with("grpc."))
        .map(|s| Ask::FileContainingSymbol(s.name))
        .collect();
    while let Some(question) = wanted.pop_front() {
        if let Ask::FileByFilename(name) = &question
            && found.contains_key(name)
        {
            continue;
        }
        for bytes in talk.files(question).await? {
            let (name, imports) = outline(&bytes)?;
            if found.insert(name, bytes).is_none() {
                wanted.extend(imports.into_iter().map(Ask::FileByFilename));
            }
        }
        if found.len() > FILES_MAX {
            let text = format!("the server describes more than {FILES_MAX} files");
            return Err(Refusal::new(CommonFault::TooLarge, text).into());
        }
    }
    Ok(found)
}

/// Name and imports of an encoded file.
fn outline(bytes: &[u8]) -> Result<(String, Vec<String>), Status> {
    /// The first fields of `google.protobuf.FileDescriptorProto`.
    #[derive(Clone, PartialEq, prost::Message)]
    struct Outline {
        #[prost(string, tag = "1")]
        name: String,
        #[prost(string, repeated, tag = "3")]
        dependency: Vec<String>,
    }
    let outline = <Outline as prost::Message>::decode(bytes)
        .map_err(|e| Refusal::new(CommonFault::ParseError, e.to_string()))?;
    Ok((outline.name, outline.dependency))
}

/// Joins encoded files into an encoded `FileDescriptorSet` without decoding them.
fn set(files: &BTreeMap<String, Vec<u8>>) -> Vec<u8> {
    /// `repeated FileDescriptorProto file = 1`, length-delimited.
    const FILE_TAG: u8 = 0x0a;
    let mut out = Vec::new();
    for bytes in files.values() {
        out.push(FILE_TAG);
        prost::encoding::encode_varint(bytes.len() as u64, &mut out);
        out.extend_from_slice(bytes);
    }
    out
}

fn ended() -> Status {
    Refusal::new(CommonFault::ParseError, "the reflection stream ended early").into()
}
