-- Values under keys. `expires` in milliseconds since 1970; null: never.
CREATE TABLE entry (
  key     TEXT    PRIMARY KEY,
  value   BLOB    NOT NULL,
  version INTEGER NOT NULL,
  updated INTEGER NOT NULL,
  expires INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX entry_expires ON entry (expires) WHERE expires IS NOT NULL;
