//! One call: typed and from JSON, in this process and over loopback.

use std::error::Error;
use std::path::Path;

use gearmesh_api::file::v1::StatRequest;
use gearmesh_api::file::v1::file_service_client::FileServiceClient;
use gearmesh_api::state::v1::GetRequest;
use gearmesh_api::state::v1::state_service_client::StateServiceClient;
use gearmesh_link::{Call, Link, invoke, remote};
use gearmesh_runtime::Running;
use serde_json::{Value, json};

use crate::NOTE;
use crate::figure::{Samples, Table, now};

/// Calls before the first that counts.
const WARM: usize = 1_000;

/// Calls that count.
const CALLS: usize = 10_000;

pub(crate) async fn measure(folder: &Path, table: &mut Table) -> Result<(), Box<dyn Error>> {
    let services = [gearmesh_file::SERVICE, gearmesh_state::SERVICE];
    let here = crate::mesh(&services, &folder.join("here")).await?;
    let there = crate::mesh(&services, &folder.join("there")).await?;
    let there_link = remote(&format!("http://{}", there.address()))?;
    table.part("one call")?;
    for (place, running, file, state, aims) in [
        (
            "local",
            &here,
            here.mesh().link("file")?,
            here.mesh().link("state")?,
            ["<= 20 us p50", "<= 30 us p50"],
        ),
        ("loopback", &there, there_link.clone(), there_link, [""; 2]),
    ] {
        put(running, &state).await?;
        let typed = typed_stat(&file).await?;
        table.micros(&format!("file.stat, {place}, typed"), &typed, aims[0])?;
        let params = json!({"path": NOTE});
        let dynamic = json_call(running, &file, "file.stat", &params).await?;
        table.micros(&format!("file.stat, {place}, from JSON"), &dynamic, aims[1])?;
        let typed = typed_get(&state).await?;
        table.micros(&format!("state.get, {place}, typed"), &typed, "")?;
        let params = json!({"key": "k"});
        let dynamic = json_call(running, &state, "state.get", &params).await?;
        table.micros(&format!("state.get, {place}, from JSON"), &dynamic, "")?;
    }
    here.stop().await;
    there.stop().await;
    Ok(())
}

async fn put(running: &Running, link: &Link) -> Result<(), Box<dyn Error>> {
    let params = json!({"key": "k", "value": {"n": 1}});
    one(running, link, "state.put", params).await?;
    Ok(())
}

async fn one(
    running: &Running,
    link: &Link,
    tool: &str,
    params: Value,
) -> Result<Value, Box<dyn Error>> {
    let catalog = running.mesh().catalog();
    let found = catalog.get(tool).ok_or("the tool is not there")?;
    Ok(invoke(link, found.tool, params, &Call::default()).await?)
}

async fn typed_stat(link: &Link) -> Result<Samples, Box<dyn Error>> {
    let mut client = FileServiceClient::new(link.clone());
    let mut samples = Samples::default();
    for n in 0..WARM + CALLS {
        let begun = now();
        let request = StatRequest { path: NOTE.into() };
        let answer = client.stat(request).await?.into_inner();
        if n >= WARM {
            samples.add(begun);
        }
        assert_eq!(answer.stats.map(|s| s.size), Some(6));
    }
    Ok(samples)
}

async fn typed_get(link: &Link) -> Result<Samples, Box<dyn Error>> {
    let mut client = StateServiceClient::new(link.clone());
    let mut samples = Samples::default();
    for n in 0..WARM + CALLS {
        let begun = now();
        let request = GetRequest { key: "k".into() };
        let answer = client.get(request).await?.into_inner();
        if n >= WARM {
            samples.add(begun);
        }
        assert!(answer.value.is_some());
    }
    Ok(samples)
}

async fn json_call(
    running: &Running,
    link: &Link,
    tool: &str,
    params: &Value,
) -> Result<Samples, Box<dyn Error>> {
    let mut samples = Samples::default();
    for n in 0..WARM + CALLS {
        let begun = now();
        let answer = one(running, link, tool, params.clone()).await?;
        if n >= WARM {
            samples.add(begun);
        }
        assert!(answer.is_object());
    }
    Ok(samples)
}
