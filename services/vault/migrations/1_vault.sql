-- How the root key is found, and what proves it. Connections count up for ever, so
-- that no version of a removed one comes back.
CREATE TABLE root (
  id          INTEGER PRIMARY KEY CHECK (id = 1),
  source      TEXT    NOT NULL,
  salt        BLOB,
  memory_kib  INTEGER,
  passes      INTEGER,
  lanes       INTEGER,
  proof       BLOB    NOT NULL,
  created     INTEGER NOT NULL,
  connections INTEGER NOT NULL DEFAULT 0
) STRICT;
-- A vault with its key, which the root key wraps.
CREATE TABLE vault (
  name        TEXT    PRIMARY KEY,
  kek_version INTEGER NOT NULL,
  proof       BLOB    NOT NULL,
  created     INTEGER NOT NULL,
  kek         BLOB    NOT NULL
) STRICT;
-- A version of a secret with its key, which the vault's key wraps.
CREATE TABLE credential (
  vault   TEXT    NOT NULL,
  name    TEXT    NOT NULL,
  version INTEGER NOT NULL,
  created INTEGER NOT NULL,
  record  BLOB    NOT NULL,
  PRIMARY KEY (vault, name, version)
) STRICT;
CREATE TABLE connection (
  kind    TEXT    NOT NULL,
  name    TEXT    NOT NULL,
  version INTEGER NOT NULL,
  created INTEGER NOT NULL,
  record  BLOB    NOT NULL,
  PRIMARY KEY (kind, name)
) STRICT;
