//! One call, by every way that leads to the engine.

use std::error::Error;
use std::time::Duration;

use gearmesh_api::state::v1::state_service_client::StateServiceClient;
use gearmesh_api::state::v1::{GetRequest, PutRequest};
use gearmesh_api::tool::v1::Json;
use gearmesh_link::Link;
use reqwest::{Certificate, Client, Identity};
use serde_json::json;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::aim::Aims;
use crate::figure::{Samples, Table, now};
use crate::mesh::Mesh;

/// Calls of each way before the first that counts.
const WARM: u32 = 500;

/// Calls of each way that count.
const CALLS: u32 = 5_000;

/// What a call through the gateway may cost at most, in calls without it.
const GATEWAY_MAX: f64 = 1.3;

/// The engine that is called.
const STATE: &str = "state";
const KEY: &str = "k";

/// A way to the engine, and what it has taken.
#[derive(Debug)]
struct Way {
    name: &'static str,
    client: By,
    samples: Samples,
}

/// How the call is made.
#[derive(Debug)]
enum By {
    Grpc(StateServiceClient<Link>),
    Rest(Client, String),
    /// Answered where it arrives: a hop and nothing else.
    Health(HealthClient<Link>),
}

impl Way {
    fn grpc(name: &'static str, link: Link) -> Self {
        Self::new(name, By::Grpc(StateServiceClient::new(link)))
    }

    fn new(name: &'static str, client: By) -> Self {
        Self {
            name,
            client,
            samples: Samples::default(),
        }
    }

    async fn call(&mut self) -> Result<(), Box<dyn Error>> {
        match &mut self.client {
            By::Grpc(client) => {
                let request = GetRequest { key: KEY.into() };
                let answer = client.get(request).await?.into_inner();
                assert!(answer.value.is_some());
            }
            By::Rest(client, url) => {
                let request = client.post(url.as_str()).json(&json!({"key": KEY}));
                let answer = request.send().await?.error_for_status()?;
                assert!(!answer.bytes().await?.is_empty());
            }
            By::Health(client) => {
                client.check(HealthCheckRequest::default()).await?;
            }
        }
        Ok(())
    }
}

pub(crate) async fn measure(
    share: u32,
    [many, one, plain]: [&Mesh; 3],
    table: &mut Table,
    aims: &mut Aims,
) -> Result<(), Box<dyn Error>> {
    for mesh in [many, one, plain] {
        put(mesh.gateway()?).await?;
    }
    let url = format!("{}/v1/state/get", many.gateway_url());
    let health = HealthClient::new(many.gateway()?);
    let mut ways = [
        Way::grpc("mTLS, direct", many.engine(STATE).await?),
        Way::grpc("mTLS, through the gateway", many.gateway()?),
        Way::new(
            "mTLS, through the gateway, REST",
            By::Rest(rest(many)?, url),
        ),
        Way::new("mTLS, health of the gateway", By::Health(health)),
        Way::grpc("plain text, direct", plain.engine(STATE).await?),
        Way::grpc("plain text, through the gateway", plain.gateway()?),
        Way::grpc("plain text, one process", one.gateway()?),
    ];
    for n in 0..(WARM + CALLS) / share {
        for way in &mut ways {
            let begun = now();
            way.call().await?;
            if n >= WARM / share {
                way.samples.add(begun);
            }
        }
    }
    table.part("one call, state.get")?;
    for way in &ways {
        table.micros(way.name, &way.samples, "")?;
    }
    let [
        direct,
        through,
        rest,
        health,
        plain_direct,
        plain_through,
        one,
    ] = ways.each_ref().map(|way| way.samples.median());
    table.part("the same, medians compared")?;
    let share = ratio(through, direct);
    let what = "gateway / direct, mTLS";
    let aim = aims.most(what, share, GATEWAY_MAX, "");
    table.line(what, &format!("{share:.2}"), &aim)?;
    for (what, over, under) in [
        ("gateway / direct, mTLS, REST", rest, direct),
        ("gateway / direct, plain text", plain_through, plain_direct),
        ("mTLS / plain text, direct", direct, plain_direct),
        (
            "mTLS / plain text, through the gateway",
            through,
            plain_through,
        ),
        ("two processes / one, plain text", plain_through, one),
    ] {
        table.line(what, &format!("{:.2}", ratio(over, under)), "")?;
    }
    // The way to the gateway is a hop, and the rest of the way is the direct call.
    let own = micros(through) - micros(direct) - micros(health);
    table.line(
        "gateway's own work, beside hops",
        &format!("{own:.0} us"),
        "",
    )?;
    Ok(())
}

fn ratio(over: Duration, under: Duration) -> f64 {
    over.as_secs_f64() / under.as_secs_f64()
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

async fn put(link: Link) -> Result<(), Box<dyn Error>> {
    let request = PutRequest {
        key: KEY.into(),
        value: Some(Json {
            text: b"{\"n\":1}".to_vec().into(),
        }),
        ..PutRequest::default()
    };
    StateServiceClient::new(link).put(request).await?;
    Ok(())
}

/// A client for REST with the certificate of the one for gRPC.
fn rest(mesh: &Mesh) -> Result<Client, Box<dyn Error>> {
    let roots = Certificate::from_pem_bundle(&mesh.admin("ca.pem")?)?;
    let own = [mesh.admin("key.pem")?, mesh.admin("cert.pem")?].concat();
    let client = Client::builder()
        .tls_certs_only(roots)
        .identity(Identity::from_pem(&own)?)
        .no_proxy();
    Ok(client.build()?)
}
