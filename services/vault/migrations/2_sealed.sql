-- Which runs may use what is sealed in which scope: the values themselves are in
-- `credential`, each scope is a `vault` with a key of its own.
CREATE TABLE sealed_run (
  run     TEXT    NOT NULL,
  scope   TEXT    NOT NULL,
  touched INTEGER NOT NULL,
  PRIMARY KEY (run, scope)
) STRICT, WITHOUT ROWID;
CREATE INDEX sealed_run_scope ON sealed_run (scope);
