//! The statements by which instances share the shards of a schema.

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Connection, Row};

use gearmesh_site as site;

use crate::error::Result;
use crate::lease::{Instance, Seen, SeenShard, TTL_MS, View};
use crate::run_id::Shard;

/// How long the row of a dead instance is still shown to people.
const SHOWN_AFTER: &str = "1 hour";

/// Whether an instance can still write. Its connection says more than its lease: that ends
/// in the moment in which its process does. Whoever may not see it goes by the lease alone,
/// and so does who finds a server that was started again: there all connections are gone.
const ALIVE: &str =
    "i.lease_until > clock_timestamp() AND (i.backend_start < pg_postmaster_start_time()
OR EXISTS (SELECT 1 FROM pg_stat_activity AS a
WHERE a.pid = i.pid AND COALESCE(a.backend_start, i.backend_start) = i.backend_start))";

/// An instance with what is shown of it.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    pub(crate) seen: Seen,
    pub(crate) instance: Instance,
}

/// Prepares the connection by which an instance is alive. A renewal that is lost with the
/// server's crash shortens a lease and harms nobody; an acquisition must not be lost.
pub(crate) async fn prepare(c: &mut PgConnection) -> Result<()> {
    sqlx::raw_sql("SET synchronous_commit = off")
        .execute(c)
        .await?;
    Ok(())
}

pub(crate) async fn renew(c: &mut PgConnection, me: &Instance, draining: bool) -> Result<()> {
    sqlx::query(
        "INSERT INTO instance(name, endpoint, host, process, draining, started_at, lease_until, pid, backend_start)
SELECT $1, $2, $3, $4, $5, clock_timestamp(), clock_timestamp() + $6 * interval '1 millisecond', a.pid, a.backend_start
FROM pg_stat_activity AS a WHERE a.pid = pg_backend_pid()
ON CONFLICT (name) DO UPDATE SET draining = excluded.draining, lease_until = excluded.lease_until,
pid = excluded.pid, backend_start = excluded.backend_start",
    )
    .bind(&me.name)
    .bind(&me.endpoint)
    .bind(&me.host)
    .bind(i32::try_from(me.process).unwrap_or(i32::MAX))
    .bind(draining)
    .bind(TTL_MS)
    .execute(c)
    .await?;
    Ok(())
}

pub(crate) async fn instances(c: &mut PgConnection) -> Result<Vec<Shown>> {
    static TEXT: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| {
        format!(
            "SELECT i.name, i.endpoint, i.host, i.process, i.draining, {ALIVE},
(EXTRACT(EPOCH FROM i.started_at) * 1000)::bigint FROM instance AS i ORDER BY i.name"
        )
    });
    let rows = sqlx::query(TEXT.as_str()).fetch_all(c).await?;
    let shown = rows.iter().map(shown).collect::<Result<_, sqlx::Error>>();
    Ok(shown?)
}

fn shown(row: &PgRow) -> Result<Shown, sqlx::Error> {
    let instance = Instance {
        name: row.try_get(0)?,
        endpoint: row.try_get(1)?,
        host: row.try_get(2)?,
        process: row.try_get::<i32, _>(3)?.unsigned_abs(),
        started_at_ms: row.try_get(6)?,
    };
    Ok(Shown {
        seen: Seen {
            name: instance.name.clone(),
            draining: row.try_get(4)?,
            alive: row.try_get(5)?,
        },
        instance,
    })
}

pub(crate) async fn shards(c: &mut PgConnection) -> Result<Vec<SeenShard>> {
    let rows: Vec<(i16, String, i64)> =
        sqlx::query_as("SELECT shard, owner, epoch FROM shard ORDER BY shard")
            .fetch_all(c)
            .await?;
    let seen = |(shard, owner, epoch)| {
        Some(SeenShard {
            shard: Shard::try_from(shard).ok()?,
            owner,
            epoch,
        })
    };
    Ok(rows.into_iter().filter_map(seen).collect())
}

/// What all instances and shards look like now.
pub(crate) fn view(instances: &[Shown], shards: Vec<SeenShard>) -> View {
    View {
        instances: instances.iter().map(|shown| shown.seen.clone()).collect(),
        shards,
    }
}

/// Takes those of these shards that nobody alive owns, durably.
pub(crate) async fn acquire(
    c: &mut PgConnection,
    me: &str,
    wanted: &[Shard],
) -> Result<Vec<(Shard, i64)>> {
    static TEXT: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| {
        let epoch = if site::planted("lease.same-epoch") {
            "s.epoch"
        } else {
            "s.epoch + 1"
        };
        // In their order, as everybody locks them.
        format!(
            "WITH l AS (SELECT f.shard FROM shard AS f WHERE f.shard = ANY($1) AND (f.owner = ''
OR NOT EXISTS (SELECT 1 FROM instance AS i WHERE i.name = f.owner AND {ALIVE})) ORDER BY f.shard FOR UPDATE)
UPDATE shard AS s SET owner = $2, epoch = {epoch} FROM l WHERE s.shard = l.shard RETURNING s.shard, s.epoch"
        )
    });
    let wanted: Vec<i16> = wanted.iter().map(|s| i16::from(*s)).collect();
    let mut transaction = c.begin().await?;
    sqlx::raw_sql("SET LOCAL synchronous_commit = on")
        .execute(&mut *transaction)
        .await?;
    let taken: Vec<(i16, i64)> = sqlx::query_as(TEXT.as_str())
        .bind(wanted)
        .bind(me)
        .fetch_all(&mut *transaction)
        .await?;
    transaction.commit().await?;
    site::crash("lease.acquired");
    let shard = |(shard, epoch)| Some((Shard::try_from(shard).ok()?, epoch));
    Ok(taken.into_iter().filter_map(shard).collect())
}

/// Lets a shard go, if it is still of this epoch.
pub(crate) async fn release(c: &mut PgConnection, shard: Shard, epoch: i64) -> Result<()> {
    sqlx::query("UPDATE shard SET owner = '' WHERE shard = $1 AND epoch = $2")
        .bind(i16::from(shard))
        .bind(epoch)
        .execute(c)
        .await?;
    Ok(())
}

/// Says that this instance has ended well, and forgets those that ended long ago.
pub(crate) async fn leave(c: &mut PgConnection, me: &str) -> Result<()> {
    sqlx::query(
        "DELETE FROM instance WHERE name = $1 OR lease_until < clock_timestamp() - $2::interval",
    )
    .bind(me)
    .bind(SHOWN_AFTER)
    .execute(c)
    .await?;
    Ok(())
}
