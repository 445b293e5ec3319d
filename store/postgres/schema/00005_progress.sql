-- How far the copies of the log have come that an item of configuration gets,
-- and the customers that it could not send to yet.

-- +goose Up

CREATE TABLE progress (
  collection text    NOT NULL COLLATE "C",
  code       text    NOT NULL COLLATE "C",
  version    bigint  NOT NULL CHECK (version > 0),
  began      bigint  NOT NULL, -- the item's version then
  position   bigint  NOT NULL,
  ordinal    bigint  NOT NULL,
  doc        text    NOT NULL,
  PRIMARY KEY (collection, code)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

CREATE TABLE behind (
  collection text    NOT NULL COLLATE "C",
  code       text    NOT NULL COLLATE "C",
  customer   uuid    NOT NULL,
  position   bigint  NOT NULL,
  ordinal    bigint  NOT NULL,
  parked     boolean NOT NULL,
  doc        text    NOT NULL,
  PRIMARY KEY (collection, code, customer)
);
