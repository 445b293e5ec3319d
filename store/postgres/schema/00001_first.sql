-- The first schema. Steps are never edited once released: a change is a new
-- file. A step must leave the releases before it able to serve, as they may go
-- on while it runs: it adds tables, indexes, and columns with a default; what
-- it would take away goes a release later. It takes no lock for long: on large
-- tables indexes are made CONCURRENTLY, in a file without a transaction.
--
-- Texts compare by their bytes (collation C): quick, exact, and without an
-- index that goes wrong when the machine's locale changes. Documents are text,
-- byte for byte as given. A value that most rows lack is NULL, so that partial
-- indexes stay small.

-- +goose Up

-- Releases that know at least this step may serve. A step that older releases
-- cannot live with raises it.
CREATE TABLE schema_compatibility (
  one       boolean PRIMARY KEY DEFAULT true CHECK (one),
  from_step integer NOT NULL
);
INSERT INTO schema_compatibility (from_step) VALUES (1);

-- Ends the transaction when what was expected does not hold.
-- +goose StatementBegin
CREATE FUNCTION casm_assert(holds boolean, code text, message text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  IF holds IS NOT TRUE THEN
    RAISE EXCEPTION USING ERRCODE = code, MESSAGE = message;
  END IF;
END $$;
-- +goose StatementEnd

-- Rows as they are given to be written: one parameter holds them all. Types
-- are never changed; another set of columns is another type.
CREATE TYPE casm_entity_row AS (
  kind smallint, ref_id uuid, version bigint, written_over bigint, customer uuid, superior uuid, superior_kind smallint,
  link uuid, link_kind smallint, external_id text, lookup_key text, state text, reason text, segment text, offer text,
  custom_name text, test boolean, created timestamptz, updated timestamptz, due timestamptz, planned timestamptz, doc text
);
CREATE TYPE casm_journal_row AS (
  transaction_id uuid, batch_ordinal integer, ordinal integer, kind smallint, ref_id uuid, version bigint, customer uuid,
  event text, lines smallint, at timestamptz, threshold smallint, doc text
);
CREATE TYPE casm_transaction_row AS (
  transaction_id uuid, ordinal integer, request_id text, claim smallint, operation text, at timestamptz, actor text,
  comment text, hash bytea, answer bytea, versions integer, rows integer, customer uuid, kinds integer
);

-- Changes and deletions of many rows by their keys, row by row in the order
-- given. In one statement the database could also begin with the table, and
-- does where that was small when it planned.
-- +goose StatementBegin
CREATE FUNCTION casm_free_claims(spaces smallint[], keys text[], holders uuid[], all_held boolean) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  r record;
BEGIN
  FOR r IN SELECT * FROM unnest(spaces, keys, holders) AS u(space, key, holder) LOOP
    DELETE FROM claim c WHERE c.space = r.space AND c.key = r.key AND c.holder = r.holder;
    IF all_held AND NOT FOUND THEN
      RAISE EXCEPTION USING ERRCODE = 'ZC001', MESSAGE = 'a claim to be set free is not held';
    END IF;
  END LOOP;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION casm_move_claims(spaces smallint[], keys text[], holders uuid[], befores uuid[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  r record;
BEGIN
  FOR r IN SELECT * FROM unnest(spaces, keys, holders, befores) AS u(space, key, holder, before) LOOP
    UPDATE claim c SET holder = r.holder WHERE c.space = r.space AND c.key = r.key AND c.holder = r.before;
    IF NOT FOUND THEN
      RAISE EXCEPTION USING ERRCODE = 'ZC001', MESSAGE = 'a claim is held by another';
    END IF;
  END LOOP;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION casm_lose_attributes(kinds smallint[], hashes bigint[], ref_ids uuid[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  r record;
BEGIN
  FOR r IN SELECT * FROM unnest(kinds, hashes, ref_ids) AS u(kind, hash, ref_id) LOOP
    DELETE FROM entity_attribute a WHERE a.kind = r.kind AND a.hash = r.hash AND a.ref_id = r.ref_id;
  END LOOP;
END $$;
-- +goose StatementEnd

-- Every uniqueness.
CREATE TABLE claim (
  space  smallint NOT NULL,
  key    text     NOT NULL COLLATE "C",
  holder uuid     NOT NULL,
  PRIMARY KEY (space, key)
) WITH (autovacuum_analyze_threshold = 5000, autovacuum_vacuum_insert_threshold = 5000);

-- The present version of each entity. written_over is the version that it was
-- written over, which must still be there then; NULL when that was not known.
-- superior_kind and link_kind say in which partition the other one is found; 0
-- means look in all.
CREATE TABLE entity (
  kind          smallint    NOT NULL,
  ref_id        uuid        NOT NULL,
  version       bigint      NOT NULL CHECK (version > 0),
  written_over  bigint,
  customer      uuid, -- NULL: the entity itself
  superior      uuid,
  superior_kind smallint    NOT NULL,
  link          uuid,
  link_kind     smallint    NOT NULL,
  external_id   text        COLLATE "C",
  lookup_key    text        COLLATE "C",
  state         text        NOT NULL COLLATE "C",
  reason        text        NOT NULL COLLATE "C",
  segment       text        NOT NULL COLLATE "C",
  offer         text        NOT NULL COLLATE "C",
  custom_name   text        NOT NULL COLLATE "C",
  test          boolean     NOT NULL,
  created       timestamptz NOT NULL,
  updated       timestamptz NOT NULL,
  due           timestamptz,
  planned       timestamptz,
  doc           text        NOT NULL COLLATE "C",
  PRIMARY KEY (ref_id, kind)
) PARTITION BY LIST (kind);

-- Room in each page lets a change that touches no indexed value stay in it.
-- Statistics are not taken before there is something to count: as long as there
-- are none, the database reckons with tables that are not quite small.
CREATE TABLE entity_customer PARTITION OF entity FOR VALUES IN (1)
  WITH (fillfactor = 85, autovacuum_analyze_threshold = 5000, autovacuum_vacuum_insert_threshold = 5000);
CREATE TABLE entity_account PARTITION OF entity FOR VALUES IN (2)
  WITH (fillfactor = 85, autovacuum_analyze_threshold = 5000, autovacuum_vacuum_insert_threshold = 5000);
CREATE TABLE entity_subscriber PARTITION OF entity FOR VALUES IN (3)
  WITH (fillfactor = 85, autovacuum_analyze_threshold = 5000, autovacuum_vacuum_insert_threshold = 5000);
CREATE TABLE entity_subscriber_resource PARTITION OF entity FOR VALUES IN (4)
  WITH (fillfactor = 85, autovacuum_analyze_threshold = 5000, autovacuum_vacuum_insert_threshold = 5000);
CREATE TABLE entity_offer_subscription PARTITION OF entity FOR VALUES IN (5)
  WITH (fillfactor = 85, autovacuum_analyze_threshold = 5000, autovacuum_vacuum_insert_threshold = 5000);
CREATE TABLE entity_balance PARTITION OF entity FOR VALUES IN (6)
  WITH (fillfactor = 85, autovacuum_analyze_threshold = 5000, autovacuum_vacuum_insert_threshold = 5000);

CREATE INDEX entity_by_superior    ON entity (superior, ref_id)   WHERE superior   IS NOT NULL;
CREATE INDEX entity_by_customer    ON entity (customer, ref_id)   WHERE customer   IS NOT NULL;
CREATE INDEX entity_by_lookup_key  ON entity (lookup_key, ref_id) WHERE lookup_key IS NOT NULL;
CREATE INDEX entity_by_due         ON entity (due, ref_id)        WHERE due        IS NOT NULL;

-- One row for each business transaction, in the order of commits. month is
-- that of the commit by the store's clock, as year * 100 + month; the journal
-- rows of a transaction have the same, so that one leads to the other within
-- one partition.
CREATE TABLE business_transaction (
  month          integer     NOT NULL,
  position       bigint      NOT NULL,
  transaction_id uuid        NOT NULL,
  ordinal        integer     NOT NULL,
  request_id     text        NOT NULL COLLATE "C",
  claim          smallint    NOT NULL, -- 0 none, 1 the request id alone, 2 with the ordinal
  operation      text        NOT NULL COLLATE "C",
  at             timestamptz NOT NULL,
  actor          text        NOT NULL COLLATE "C",
  comment        text        NOT NULL COLLATE "C",
  hash           bytea,
  answer         bytea,
  versions       integer     NOT NULL, -- its journal rows without thresholds
  rows           integer     NOT NULL, -- all of its journal rows
  customer       uuid,                 -- whose journal rows it has; all zero: of several
  kinds          integer     NOT NULL, -- of its journal rows: bit n for kind n
  UNIQUE (position, month),
  UNIQUE (transaction_id, ordinal, month)
) PARTITION BY RANGE (month);

CREATE INDEX business_transaction_by_customer ON business_transaction (customer, position) WHERE customer IS NOT NULL;
CREATE INDEX business_transaction_of_kind_1   ON business_transaction (position) WHERE kinds & 2  <> 0;
CREATE INDEX business_transaction_of_kind_2   ON business_transaction (position) WHERE kinds & 4  <> 0;
CREATE INDEX business_transaction_of_kind_3   ON business_transaction (position) WHERE kinds & 8  <> 0;
CREATE INDEX business_transaction_of_kind_4   ON business_transaction (position) WHERE kinds & 16 <> 0;
CREATE INDEX business_transaction_of_kind_5   ON business_transaction (position) WHERE kinds & 32 <> 0;
CREATE INDEX business_transaction_of_kind_6   ON business_transaction (position) WHERE kinds & 64 <> 0;

-- The journal. Its rows hang on their transaction by its id, not by its
-- position: that is given last, when they are written already.
CREATE TABLE journal (
  month          integer     NOT NULL,
  transaction_id uuid        NOT NULL,
  batch_ordinal  integer     NOT NULL, -- business_transaction.ordinal
  ordinal        integer     NOT NULL,
  kind           smallint    NOT NULL,
  ref_id         uuid        NOT NULL,
  version        bigint      NOT NULL CHECK (version > 0),
  customer       uuid,
  event          text        NOT NULL COLLATE "C",
  lines          smallint    NOT NULL,
  at             timestamptz NOT NULL,
  threshold      smallint    NOT NULL,
  doc            text        NOT NULL COLLATE "C",
  UNIQUE (ref_id, version, threshold, month)
) PARTITION BY RANGE (month);

CREATE INDEX journal_by_transaction ON journal (transaction_id, batch_ordinal, ordinal);
-- What moved a time line. Every creation does, so version 1 is left out and looked at by itself.
CREATE INDEX journal_by_line        ON journal (ref_id, version) WHERE lines <> 0 AND version > 1;

-- What finds no partition of its month, because none could be made in time.
CREATE TABLE business_transaction_other PARTITION OF business_transaction DEFAULT;
CREATE TABLE journal_other              PARTITION OF journal DEFAULT;

CREATE TABLE config (
  collection text        NOT NULL COLLATE "C",
  code       text        NOT NULL COLLATE "C",
  version    bigint      NOT NULL CHECK (version > 0),
  doc        text        NOT NULL COLLATE "C",
  at         timestamptz NOT NULL,
  actor      text        NOT NULL COLLATE "C",
  PRIMARY KEY (collection, code)
);

-- Every version of every item, deletions (doc NULL) included, in the order of commits.
CREATE TABLE config_history (
  id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  collection text        NOT NULL COLLATE "C",
  code       text        NOT NULL COLLATE "C",
  version    bigint      NOT NULL CHECK (version > 0),
  doc        text        COLLATE "C",
  at         timestamptz NOT NULL,
  actor      text        NOT NULL COLLATE "C"
);
CREATE INDEX config_history_of_item ON config_history (collection, code, id);

-- The version of the configuration as a whole. It is apart from log_head, which
-- every commit changes: this one is only read by most.
CREATE TABLE config_head (
  one     boolean PRIMARY KEY DEFAULT true CHECK (one),
  version bigint  NOT NULL
);
INSERT INTO config_head (version) VALUES (0);

-- How many references entities hold to an item of configuration. Few rows that
-- change all the time.
CREATE TABLE use_count (
  collection text   NOT NULL COLLATE "C",
  code       text   NOT NULL COLLATE "C",
  uses       bigint NOT NULL,
  PRIMARY KEY (collection, code)
) WITH (fillfactor = 40, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

-- The end of the log, and how far request ids were forgotten.
CREATE TABLE log_head (
  one      boolean PRIMARY KEY DEFAULT true CHECK (one),
  epoch    bigint NOT NULL,
  position bigint NOT NULL
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
INSERT INTO log_head (epoch, position) VALUES (1, 0);

CREATE TABLE forgotten (
  one      boolean PRIMARY KEY DEFAULT true CHECK (one),
  position bigint NOT NULL -- of the last transaction passed
);
INSERT INTO forgotten (position) VALUES (0);

-- What lists filter and sort by.
CREATE INDEX entity_by_updated     ON entity (updated, ref_id);
CREATE INDEX entity_by_planned     ON entity (planned, ref_id)     WHERE planned IS NOT NULL;
CREATE INDEX entity_by_custom_name ON entity (custom_name, ref_id) WHERE custom_name <> '';

-- Hashes of custom attributes that entities have.
CREATE TABLE entity_attribute (
  kind   smallint NOT NULL,
  hash   bigint   NOT NULL,
  ref_id uuid     NOT NULL,
  PRIMARY KEY (kind, hash, ref_id)
) WITH (autovacuum_analyze_threshold = 5000, autovacuum_vacuum_insert_threshold = 5000);
