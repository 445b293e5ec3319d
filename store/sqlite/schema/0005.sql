-- Sign-ins of people. hash is the SHA-256 of the session's secret.
CREATE TABLE session (
  hash    BLOB    NOT NULL CHECK (length(hash) = 32),
  user    TEXT    NOT NULL,
  era     TEXT    NOT NULL,
  created INTEGER NOT NULL,
  ends    INTEGER NOT NULL,
  PRIMARY KEY (hash)
) STRICT, WITHOUT ROWID;

CREATE INDEX session_user ON session (user, created);
CREATE INDEX session_ends ON session (ends);
