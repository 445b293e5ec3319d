-- The audit: what was administered or denied. The id is a UUID of version 7
-- that says when, to the microsecond, and so is the order. Each filter has an
-- index that goes on in it.

-- +goose Up

CREATE TABLE audit (
  id      uuid   PRIMARY KEY,
  actor   text   NOT NULL COLLATE "C",
  act     text   NOT NULL COLLATE "C",
  outcome text   NOT NULL COLLATE "C",
  remote  text   NOT NULL COLLATE "C",
  count   bigint NOT NULL CHECK (count > 0),
  details text   NOT NULL COLLATE "C" CHECK (length(details) <= 2048)
);
CREATE INDEX audit_by_actor   ON audit (actor, id);
CREATE INDEX audit_by_act     ON audit (act, id);
CREATE INDEX audit_by_outcome ON audit (outcome, id);
