-- Counts and checksums of the journal's versions up to a position, by kind: to
-- count on from instead of from the first. They are made beside commits, so
-- what an older release commits meanwhile is in them too. The numbers are
-- unsigned, as the same 64 bits.

-- +goose Up

CREATE TABLE journal_sum (
  position    bigint   NOT NULL,
  kind        smallint NOT NULL,
  entities    bigint   NOT NULL,
  entity_sum  bigint   NOT NULL,
  versions    bigint   NOT NULL,
  version_sum bigint   NOT NULL,
  PRIMARY KEY (position, kind)
);
