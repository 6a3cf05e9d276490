//! Translates between the protocol and the bus; no rules here.

use std::time::Duration;

use gearmesh_api::events::v1 as api;
use gearmesh_api::events::v1::events_service_server::EventsService;
use gearmesh_bus::{Name, NewEvent, Pattern, Topic};
use gearmesh_link::Call;
use gearmesh_runtime::Context;
use tonic::{Request, Response, Status};

use crate::error::Error;
use crate::subscribe::{self, Events};
use crate::{event_id, wire};

/// Events of a look back when nobody says.
const RECENT_DEFAULT: i32 = 50;

/// Age from which is trimmed when nobody says.
const AGE_DEFAULT: Duration = Duration::from_secs(24 * 3600);

/// The content of an event that has none.
const NOTHING: &[u8] = b"null";

/// All topics, where one is named.
const ALL: &str = "**";

#[derive(Debug)]
pub(crate) struct Rpc {
    context: Context,
}

impl Rpc {
    pub(crate) fn new(context: Context) -> Self {
        Self { context }
    }
}

#[tonic::async_trait]
impl EventsService for Rpc {
    type SubscribeStream = Events;

    async fn publish(
        &self,
        request: Request<api::PublishRequest>,
    ) -> Result<Response<api::PublishResponse>, Status> {
        let call = request.extensions().get::<Call>().cloned();
        let call = call.unwrap_or_default();
        let request = request.into_inner();
        let payload = request.payload.map(|p| p.text);
        let payload = payload.unwrap_or_else(|| NOTHING.into());
        serde_json::from_slice::<serde::de::IgnoredAny>(&payload).map_err(Error::Payload)?;
        let event = NewEvent {
            id: match call.own_key() {
                Some(key) => event_id::of_key(&key),
                None => event_id::by_chance(self.context.rng().as_ref()),
            },
            topic: Topic::parse(&request.topic).map_err(Error::from)?,
            payload,
            source: request.source_agent_id,
            publisher: call.principal.unwrap_or_default(),
        };
        let bus = self.context.bus().await?;
        let published = bus.publish(&event).await.map_err(Error::from)?;
        Ok(Response::new(api::PublishResponse {
            event_id: event.id,
            sequence: published.sequence,
            topic: request.topic,
            triggered: Vec::new(),
            published_at: Some(wire::timestamp(published.published_ms)),
        }))
    }

    async fn subscribe(
        &self,
        request: Request<api::SubscribeRequest>,
    ) -> Result<Response<Events>, Status> {
        let request = request.into_inner();
        let limit = u32::try_from(request.limit).unwrap_or_default();
        let follow = subscribe::follow(&self.context, request)?;
        let bus = self.context.bus().await?;
        let subscription = bus.subscribe(follow).await.map_err(Error::from)?;
        let events = subscribe::stream(self.context.clone(), subscription, limit);
        Ok(Response::new(events))
    }

    async fn ack(
        &self,
        request: Request<api::AckRequest>,
    ) -> Result<Response<api::AckResponse>, Status> {
        let request = request.into_inner();
        let group = Name::parse(&request.group).map_err(Error::from)?;
        let bus = self.context.bus().await?;
        let acknowledged = bus.ack(&group, &request.sequences).await;
        let acknowledged = acknowledged.map_err(Error::from)?;
        Ok(Response::new(api::AckResponse {
            acknowledged: i32::try_from(acknowledged).unwrap_or(i32::MAX),
        }))
    }

    async fn recent(
        &self,
        request: Request<api::RecentRequest>,
    ) -> Result<Response<api::RecentResponse>, Status> {
        let request = request.into_inner();
        let pattern = Pattern::parse(&request.topic).map_err(Error::from)?;
        let count = request.count.unwrap_or(RECENT_DEFAULT);
        let count = usize::try_from(count).unwrap_or_default();
        let bus = self.context.bus().await?;
        let recent = bus.recent(&pattern, count).await.map_err(Error::from)?;
        Ok(Response::new(api::RecentResponse {
            events: recent.events.into_iter().map(wire::event).collect(),
            truncated: recent.truncated,
        }))
    }

    async fn list_topics(
        &self,
        request: Request<api::ListTopicsRequest>,
    ) -> Result<Response<api::ListTopicsResponse>, Status> {
        let request = request.into_inner();
        let topics = self.context.bus().await?.topics().await;
        let topics = topics.map_err(Error::from)?;
        let (topics, next_page_token) =
            wire::page(topics, |t| &t.topic, request.page_size, &request.page_token)?;
        Ok(Response::new(api::ListTopicsResponse {
            topics: topics.into_iter().map(wire::topic).collect(),
            next_page_token,
        }))
    }

    async fn list_groups(
        &self,
        request: Request<api::ListGroupsRequest>,
    ) -> Result<Response<api::ListGroupsResponse>, Status> {
        let request = request.into_inner();
        let groups = self.context.bus().await?.groups().await;
        let mut groups = groups.map_err(Error::from)?;
        groups.retain(|g| request.topic == ALL || g.pattern.matches(&request.topic));
        let (groups, next_page_token) =
            wire::page(groups, |g| &g.group, request.page_size, &request.page_token)?;
        Ok(Response::new(api::ListGroupsResponse {
            groups: groups.into_iter().map(wire::group).collect(),
            next_page_token,
        }))
    }

    async fn delete_group(
        &self,
        request: Request<api::DeleteGroupRequest>,
    ) -> Result<Response<api::DeleteGroupResponse>, Status> {
        let group = Name::parse(&request.into_inner().group).map_err(Error::from)?;
        let bus = self.context.bus().await?;
        let deleted = bus.delete_group(&group).await.map_err(Error::from)?;
        Ok(Response::new(api::DeleteGroupResponse { deleted }))
    }

    async fn trim(
        &self,
        request: Request<api::TrimRequest>,
    ) -> Result<Response<api::TrimResponse>, Status> {
        let request = request.into_inner();
        let pattern = Pattern::parse(&request.topic).map_err(Error::from)?;
        let age = match request.max_age {
            None => AGE_DEFAULT,
            Some(age) => Duration::try_from(age).map_err(|_| Error::Age)?,
        };
        let bus = self.context.bus().await?;
        let removed = bus.trim(&pattern, age).await.map_err(Error::from)?;
        Ok(Response::new(api::TrimResponse { removed }))
    }
}
