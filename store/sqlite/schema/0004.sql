-- The audit: what was administered or denied. The id is a UUID of version 7
-- that says when, to the microsecond, and so is the order. Each filter has an
-- index that goes on in it.
CREATE TABLE audit (
  id      BLOB    PRIMARY KEY CHECK (length(id) = 16),
  actor   TEXT    NOT NULL,
  act     TEXT    NOT NULL,
  outcome TEXT    NOT NULL,
  remote  TEXT    NOT NULL,
  count   INTEGER NOT NULL CHECK (count > 0),
  details TEXT    NOT NULL CHECK (length(details) <= 2048)
) STRICT, WITHOUT ROWID;

CREATE INDEX audit_actor   ON audit (actor, id);
CREATE INDEX audit_act     ON audit (act, id);
CREATE INDEX audit_outcome ON audit (outcome, id);
