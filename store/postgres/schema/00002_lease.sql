-- What one process at a time does: until is by the store's clock.

-- +goose Up

CREATE TABLE lease (
  name   text        PRIMARY KEY COLLATE "C",
  holder text        NOT NULL COLLATE "C",
  until  timestamptz NOT NULL
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
