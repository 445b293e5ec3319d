-- Sign-ins of people. hash is the SHA-256 of the session's secret.

-- +goose Up

CREATE TABLE session (
  hash    bytea       PRIMARY KEY CHECK (length(hash) = 32),
  person  text        NOT NULL COLLATE "C", -- the user's code
  era     text        NOT NULL COLLATE "C",
  created timestamptz NOT NULL,
  ends    timestamptz NOT NULL
);

CREATE INDEX session_person ON session (person, created);
CREATE INDEX session_ends   ON session (ends);
