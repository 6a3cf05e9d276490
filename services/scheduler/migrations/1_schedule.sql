CREATE TABLE schedule (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    action TEXT NOT NULL,
    -- What was told, as JSON.
    definition TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    -- Why it does not fire.
    reason TEXT NOT NULL,
    -- Rises with each edit; firing leaves it.
    etag INTEGER NOT NULL,
    -- Instants in milliseconds since 1970.
    next_fire INTEGER,
    last_fire INTEGER,
    -- Starts that were refused in a row.
    failures INTEGER NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    owner TEXT NOT NULL,
    -- What the owner may do, with blanks between; none: everything.
    scopes TEXT
) STRICT;
CREATE INDEX schedule_due ON schedule (next_fire) WHERE enabled = 1 AND next_fire IS NOT NULL;
CREATE TABLE fire (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    schedule TEXT NOT NULL,
    fire_at INTEGER NOT NULL,
    -- Empty for a fire by the clock, else what tells apart those by hand.
    origin TEXT NOT NULL,
    -- When it is sent: `fire_at` with jitter or pace.
    due_at INTEGER NOT NULL,
    -- due, started, ended, skipped, missed, failed
    status TEXT NOT NULL,
    reason TEXT NOT NULL,
    error TEXT NOT NULL,
    run TEXT NOT NULL,
    started INTEGER,
    ended INTEGER,
    duration INTEGER,
    -- success, failure, timeout
    outcome TEXT NOT NULL,
    result BLOB,
    retries INTEGER NOT NULL,
    -- Fires that the row stands for, up to `last_at`.
    fires INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    UNIQUE (schedule, fire_at, origin)
) STRICT;
CREATE INDEX fire_due ON fire (due_at) WHERE status = 'due';
CREATE INDEX fire_old ON fire (last_at);
CREATE INDEX fire_open ON fire (schedule) WHERE status = 'started';
