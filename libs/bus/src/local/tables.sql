-- The log: AUTOINCREMENT, so that a trimmed number never comes again.
CREATE TABLE event (
  seq       INTEGER PRIMARY KEY AUTOINCREMENT,
  id        TEXT    NOT NULL UNIQUE,
  topic     TEXT    NOT NULL,
  source    TEXT    NOT NULL,
  publisher TEXT    NOT NULL,
  published INTEGER NOT NULL,
  payload   BLOB    NOT NULL
) STRICT;
CREATE INDEX event_topic ON event (topic, seq);
-- The newest sequence that was removed of a topic: older cursors have a gap.
CREATE TABLE trimmed (
  topic TEXT    PRIMARY KEY,
  seq   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- How far a group is.
CREATE TABLE grp (
  name    TEXT    PRIMARY KEY,
  pattern TEXT    NOT NULL,
  seq     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- What was handed to a member and not acknowledged; `since` in milliseconds since 1970.
CREATE TABLE pending (
  grp        TEXT    NOT NULL,
  seq        INTEGER NOT NULL,
  member     TEXT    NOT NULL,
  since      INTEGER NOT NULL,
  deliveries INTEGER NOT NULL,
  PRIMARY KEY (grp, seq)
) STRICT, WITHOUT ROWID;
PRAGMA user_version = 1;
