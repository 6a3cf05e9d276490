-- Times in seconds since 1970; null: never.

-- Node credentials that asked for a leaf, or were revoked before they did.
CREATE TABLE credential (
  id         TEXT    PRIMARY KEY,
  spiffe     TEXT    NOT NULL,
  first_used INTEGER,
  last_used  INTEGER,
  revoked    INTEGER,
  serial     TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

-- Leaves that are valid still.
CREATE TABLE leaf (
  serial     TEXT    PRIMARY KEY,
  credential TEXT    NOT NULL,
  spiffe     TEXT    NOT NULL,
  expires    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX leaf_expires ON leaf (expires);

-- API tokens. The secret itself is nowhere.
CREATE TABLE token (
  id        TEXT    PRIMARY KEY,
  name      TEXT    NOT NULL,
  scopes    TEXT    NOT NULL,
  hmac      BLOB    NOT NULL,
  created   INTEGER NOT NULL,
  expires   INTEGER NOT NULL,
  last_used INTEGER,
  revoked   INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX token_created ON token (created DESC, id);
