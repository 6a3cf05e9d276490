//! Translates between the protocol and the domain; no rules here.

use std::sync::Arc;

use gearmesh_api::file::v1 as api;
use gearmesh_api::file::v1::file_service_server::FileService;
use gearmesh_fault::Fault;
use gearmesh_runtime::CallOf;
use rustix::fs::FileType;
use tonic::Request;

use crate::answer::{Answer, answer, bounded, entry, is_binary, listed, offset, signed, stats};
use crate::archive::{self, Format};
use crate::batch::{Item, Operation, batch, concurrency};
use crate::content::{self, Mode, Range};
use crate::copy::{copy, kind};
use crate::digest::{self, Algorithm};
use crate::engine::{Engine, Job};
use crate::error::Error;
use crate::gzip::{self, gunzip, gzip};
use crate::listing::{self, Wanted};
use crate::payload;
use crate::relocation::relocate;
use crate::removal::delete;

#[derive(Debug)]
pub(crate) struct Rpc {
    engine: Arc<Engine>,
}

impl Rpc {
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        Self { engine }
    }

    fn take<T>(&self, request: Request<T>) -> (Job, T) {
        let job = self.engine.job(&request.call());
        (job, request.into_inner())
    }
}

#[tonic::async_trait]
impl FileService for Rpc {
    async fn read(&self, request: Request<api::ReadRequest>) -> Answer<api::ReadResponse> {
        let (job, request) = self.take(request);
        let range = Range {
            start: offset("start", request.start)?.unwrap_or_default(),
            end: offset("end", request.end)?,
        };
        let place = job.place(&request.path)?;
        let binary = is_binary(&request.encoding)?;
        let read = job.run(move |_| {
            if binary {
                content::read(&place, range).map(|(data, size)| (String::new(), data, size))
            } else {
                content::read_text(&place, range).map(|(text, size)| (text, Vec::new(), size))
            }
        });
        let (content, data, size) = read.await?;
        answer(api::ReadResponse {
            content,
            data: data.into(),
            path: request.path,
            size: signed(size),
        })
    }

    async fn write(&self, request: Request<api::WriteRequest>) -> Answer<api::WriteResponse> {
        let (job, request) = self.take(request);
        let binary = is_binary(&request.encoding)?;
        let bytes = match (request.content, request.data) {
            (Some(content), None) => payload::of_json(&content.text, binary)?,
            (None, Some(data)) => data,
            _ => {
                return Err(Error::parameter("content", "or `data` is given, and not both").into());
            }
        };
        let mode = match request.mode.as_str() {
            "" | "overwrite" => Mode::Overwrite,
            "append" => Mode::Append,
            _ => return Err(Error::parameter("mode", "is overwrite or append").into()),
        };
        let place = job.place(&request.path)?;
        let written = bytes.len();
        let size = job
            .run(move |job| content::write(job, &place, &bytes, mode))
            .await?;
        answer(api::WriteResponse {
            message: format!("wrote {written} bytes to `{}`", request.path),
            path: request.path,
            size: signed(size),
        })
    }

    async fn copy(&self, request: Request<api::CopyRequest>) -> Answer<api::CopyResponse> {
        let (job, request) = self.take(request);
        let (from, to) = (
            job.place(&request.source)?,
            job.place(&request.destination)?,
        );
        let (recursive, overwrite) = (request.recursive, request.overwrite);
        job.run(move |job| copy(job, &from, &to, recursive, overwrite))
            .await?;
        answer(api::CopyResponse {
            message: format!("copied `{}` to `{}`", request.source, request.destination),
            source: request.source,
            destination: request.destination,
        })
    }

    async fn r#move(&self, request: Request<api::MoveRequest>) -> Answer<api::MoveResponse> {
        let (job, request) = self.take(request);
        let (from, to) = (
            job.place(&request.source)?,
            job.place(&request.destination)?,
        );
        let overwrite = request.overwrite;
        job.run(move |job| relocate(job, &from, &to, overwrite))
            .await?;
        answer(api::MoveResponse {
            message: format!("moved `{}` to `{}`", request.source, request.destination),
            source: request.source,
            destination: request.destination,
        })
    }

    async fn delete(&self, request: Request<api::DeleteRequest>) -> Answer<api::DeleteResponse> {
        let (job, request) = self.take(request);
        let place = job.place(&request.path)?;
        let recursive = request.recursive;
        job.run(move |job| delete(job, &place, recursive)).await?;
        answer(api::DeleteResponse {
            message: format!("deleted `{}`", request.path),
            path: request.path,
        })
    }

    async fn list(&self, request: Request<api::ListRequest>) -> Answer<api::ListResponse> {
        let (job, request) = self.take(request);
        let wanted = Wanted {
            recursive: request.recursive,
            pattern: listing::pattern(&request.pattern)?,
            page: listing::page(request.page_size)?,
            after: listing::token(&request.page_token)?,
        };
        let place = job.place(&request.path)?;
        let listed = job.run(move |job| {
            let (entries, next) = listing::list(job, &place, wanted)?;
            let files = entries
                .into_iter()
                .map(|e| listed(&place, &e))
                .collect::<Vec<_>>();
            Ok((files, next))
        });
        let (files, next_page_token) = listed.await?;
        let count = i32::try_from(files.len()).unwrap_or(i32::MAX);
        bounded(
            api::ListResponse {
                files,
                count,
                path: request.path.clone(),
                next_page_token,
            },
            &request.path,
        )
    }

    // Two opens and a look at what the kernel mostly has in memory: less than the
    // way to another thread would take.
    async fn stat(&self, request: Request<api::StatRequest>) -> Answer<api::StatResponse> {
        let (job, request) = self.take(request);
        let facts = job.place(&request.path)?.facts()?;
        answer(api::StatResponse {
            stats: Some(stats(&facts)),
            path: request.path,
        })
    }

    // As `stat`.
    async fn exists(&self, request: Request<api::ExistsRequest>) -> Answer<api::ExistsResponse> {
        let (job, request) = self.take(request);
        let facts = job.place(&request.path)?.facts_if_any()?;
        answer(api::ExistsResponse {
            exists: facts.is_some(),
            is_directory: facts.is_some_and(|f| kind(&f) == FileType::Directory),
            path: request.path,
        })
    }

    async fn make_folder(
        &self,
        request: Request<api::MakeFolderRequest>,
    ) -> Answer<api::MakeFolderResponse> {
        let (job, request) = self.take(request);
        let place = job.place(&request.path)?;
        let made = job
            .run(move |job| place.make_folder(Some(job.fsyncs())))
            .await;
        let (_, created) = made?;
        let what = if created { "made" } else { "found" };
        answer(api::MakeFolderResponse {
            message: format!("{what} folder `{}`", request.path),
            path: request.path,
            created,
        })
    }

    async fn archive_create(
        &self,
        request: Request<api::ArchiveCreateRequest>,
    ) -> Answer<api::ArchiveCreateResponse> {
        let (job, request) = self.take(request);
        let format = Format::parse(&request.format)?
            .ok_or_else(|| Error::parameter("format", "is missing"))?;
        let sources = request
            .sources
            .iter()
            .map(|s| job.place(s))
            .collect::<Result<Vec<_>, _>>()?;
        let destination = job.place(&request.destination)?;
        let count = job
            .run(move |job| archive::create(job, format, &sources, &destination))
            .await?;
        answer(api::ArchiveCreateResponse {
            message: format!("packed {count} entries into `{}`", request.destination),
            destination: request.destination,
            count: count as i64,
        })
    }

    async fn archive_extract(
        &self,
        request: Request<api::ArchiveExtractRequest>,
    ) -> Answer<api::ArchiveExtractResponse> {
        let (job, request) = self.take(request);
        let format = Format::parse(&request.format)?;
        let (archive, destination) = (
            job.place(&request.archive)?,
            job.place(&request.destination)?,
        );
        let count = job
            .run(move |job| archive::extract(job, &archive, &destination, format))
            .await?;
        answer(api::ArchiveExtractResponse {
            message: format!("unpacked {count} entries into `{}`", request.destination),
            count: count as i64,
        })
    }

    async fn archive_list(
        &self,
        request: Request<api::ArchiveListRequest>,
    ) -> Answer<api::ArchiveListResponse> {
        let (job, request) = self.take(request);
        let format = Format::parse(&request.format)?;
        let archive = job.place(&request.archive)?;
        let heads = job
            .run(move |job| archive::list(job, &archive, format))
            .await?;
        let count = heads.len() as i64;
        let entries = heads.into_iter().map(entry).collect();
        bounded(
            api::ArchiveListResponse { entries, count },
            &request.archive,
        )
    }

    async fn gzip(&self, request: Request<api::GzipRequest>) -> Answer<api::GzipResponse> {
        let (job, request) = self.take(request);
        let source = job.place(&request.source)?;
        let destination = match request.destination.as_str() {
            "" => source.with_ending(gzip::ENDING)?,
            given => job.place(given)?,
        };
        let (spelled, overwrite) = (destination.spelled.clone(), request.overwrite);
        let size = job
            .run(move |job| gzip(job, &source, &destination, overwrite))
            .await?;
        answer(api::GzipResponse {
            message: format!("compressed `{}` to `{spelled}`", request.source),
            source: request.source,
            destination: spelled,
            size: signed(size),
        })
    }

    async fn gunzip(&self, request: Request<api::GunzipRequest>) -> Answer<api::GunzipResponse> {
        let (job, request) = self.take(request);
        let source = job.place(&request.source)?;
        let destination = match request.destination.as_str() {
            "" => source.without_ending(gzip::ENDING).ok_or_else(|| {
                Error::parameter(
                    "destination",
                    "is missing, and the source does not end with `.gz`",
                )
            })?,
            given => job.place(given)?,
        };
        let (spelled, overwrite) = (destination.spelled.clone(), request.overwrite);
        let size = job
            .run(move |job| gunzip(job, &source, &destination, overwrite))
            .await?;
        answer(api::GunzipResponse {
            message: format!("decompressed `{}` to `{spelled}`", request.source),
            source: request.source,
            destination: spelled,
            size: signed(size),
        })
    }

    async fn hash(&self, request: Request<api::HashRequest>) -> Answer<api::HashResponse> {
        let (job, request) = self.take(request);
        let algorithm = Algorithm::parse(&request.algorithm)?;
        let place = job.place(&request.path)?;
        let hash = job
            .run(move |job| digest::hash(job, &place, algorithm))
            .await?;
        answer(api::HashResponse {
            matches: request
                .expected
                .map(|expected| expected.eq_ignore_ascii_case(&hash)),
            hash,
            algorithm: algorithm.name().to_owned(),
            path: request.path,
        })
    }

    async fn find_duplicates(
        &self,
        request: Request<api::FindDuplicatesRequest>,
    ) -> Answer<api::FindDuplicatesResponse> {
        let (job, request) = self.take(request);
        let algorithm = Algorithm::parse(&request.algorithm)?;
        let pattern = listing::pattern(&request.pattern)?;
        let recursive = request.recursive.unwrap_or(true);
        let place = job.place(&request.path)?;
        let found = job.run(move |job| {
            let groups = digest::duplicates(job, &place, recursive, pattern, algorithm)?;
            let group = |g: digest::Group| api::DuplicateGroup {
                hash: g.hash,
                size: signed(g.size),
                paths: g.paths.iter().map(|p| place.spell(p)).collect(),
            };
            Ok(groups.into_iter().map(group).collect::<Vec<_>>())
        });
        let groups = found.await?;
        let count = groups.len() as i64;
        bounded(api::FindDuplicatesResponse { groups, count }, &request.path)
    }

    async fn batch_operation(
        &self,
        request: Request<api::BatchOperationRequest>,
    ) -> Answer<api::BatchOperationResponse> {
        let (job, mut request) = self.take(request);
        let operation = Operation::parse(&request.operation)?;
        let at_once = concurrency(request.concurrency)?;
        let item = |item: &api::BatchItem| Item {
            source: item.source.clone(),
            destination: item.destination.clone(),
        };
        let items: Vec<_> = request.items.iter().map(item).collect();
        let total = items.len();
        let go_on = request.continue_on_error.unwrap_or(true);
        let failed = batch(&job, operation, items, at_once, go_on).await;
        let errors = failed.into_iter().map(|(index, error)| api::BatchError {
            item: request.items.get_mut(index).map(std::mem::take),
            code: gearmesh_fault::meaning(&error.reason()).reason,
            error: error.to_string(),
        });
        let errors: Vec<_> = errors.collect();
        let count = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
        answer(api::BatchOperationResponse {
            total: count(total),
            successful: count(total - errors.len()),
            failed: count(errors.len()),
            errors,
        })
    }
}
