-- The first schema. Steps are never edited once released: a change is a new file.
--
-- Ids are 16-byte blobs, times microseconds since the year 1, documents text
-- byte for byte as given. A value that most rows lack is NULL, so that partial
-- indexes stay small.

-- Every uniqueness. Rows are small and looked up by their key alone, so the
-- table is its own index.
CREATE TABLE claim (
  space  INTEGER NOT NULL,
  key    TEXT    NOT NULL,
  holder BLOB    NOT NULL CHECK (length(holder) = 16),
  PRIMARY KEY (space, key)
) STRICT, WITHOUT ROWID;

-- The present version of each entity. Rows are large (a document), so the
-- table keeps its rowid and the indexes stay narrow.
CREATE TABLE entity (
  id          INTEGER PRIMARY KEY,
  ref_id      BLOB    NOT NULL UNIQUE,
  kind        INTEGER NOT NULL,
  version     INTEGER NOT NULL,
  customer    BLOB, -- NULL: the entity itself
  superior    BLOB,
  link        BLOB,
  external_id TEXT,
  lookup_key  TEXT,
  state       TEXT    NOT NULL,
  reason      TEXT    NOT NULL,
  segment     TEXT    NOT NULL,
  offer       TEXT    NOT NULL,
  custom_name TEXT    NOT NULL,
  test        INTEGER NOT NULL,
  created     INTEGER NOT NULL,
  updated     INTEGER NOT NULL,
  due         INTEGER,
  planned     INTEGER,
  doc         TEXT    NOT NULL,
  CHECK (length(ref_id) = 16 AND version > 0)
) STRICT;

CREATE INDEX entity_superior   ON entity (superior, kind, ref_id) WHERE superior   IS NOT NULL;
CREATE INDEX entity_customer   ON entity (customer, kind, ref_id) WHERE customer   IS NOT NULL;
CREATE INDEX entity_lookup_key ON entity (lookup_key, ref_id)     WHERE lookup_key IS NOT NULL;
CREATE INDEX entity_due        ON entity (due, ref_id)            WHERE due        IS NOT NULL;
-- What lists sort and filter by.
CREATE INDEX entity_kind        ON entity (kind, ref_id);
CREATE INDEX entity_updated     ON entity (kind, updated, ref_id);
CREATE INDEX entity_planned     ON entity (kind, planned)         WHERE planned     IS NOT NULL;
CREATE INDEX entity_custom_name ON entity (kind, custom_name)     WHERE custom_name <> '';

-- Hashes of custom attributes that entities have, for lists.
CREATE TABLE entity_attribute (
  kind   INTEGER NOT NULL,
  hash   INTEGER NOT NULL,
  ref_id BLOB    NOT NULL,
  PRIMARY KEY (kind, hash, ref_id)
) STRICT, WITHOUT ROWID;

-- One row for each business transaction, in the order of commits.
CREATE TABLE business_transaction (
  position       INTEGER PRIMARY KEY,
  transaction_id BLOB    NOT NULL CHECK (length(transaction_id) = 16),
  ordinal        INTEGER NOT NULL,
  request_id     TEXT    NOT NULL,
  claim          INTEGER NOT NULL, -- 0 none, 1 the request id alone, 2 with the ordinal
  operation      TEXT    NOT NULL,
  at             INTEGER NOT NULL,
  actor          TEXT    NOT NULL,
  comment        TEXT    NOT NULL,
  hash           BLOB,
  answer         BLOB,
  versions       INTEGER NOT NULL -- its journal rows without thresholds
) STRICT;

CREATE INDEX business_transaction_id ON business_transaction (transaction_id, ordinal);

-- The journal. seq is position << 20 | ordinal: one integer that is the order
-- of the log, so that rows are appended and every index on them ends in it.
CREATE TABLE journal (
  seq       INTEGER PRIMARY KEY,
  kind      INTEGER NOT NULL,
  ref_id    BLOB    NOT NULL,
  version   INTEGER NOT NULL,
  customer  BLOB,
  event     TEXT    NOT NULL,
  lines     INTEGER NOT NULL,
  at        INTEGER NOT NULL,
  threshold INTEGER NOT NULL,
  doc       TEXT    NOT NULL,
  CHECK (length(ref_id) = 16 AND version > 0)
) STRICT;

CREATE UNIQUE INDEX journal_version ON journal (ref_id, version, at) WHERE threshold = 0;
-- What moved a time line. Every creation does, so version 1 is left out and looked at by itself.
CREATE INDEX journal_line           ON journal (ref_id, version, lines) WHERE lines <> 0 AND version > 1;
CREATE INDEX journal_customer       ON journal (customer);
CREATE INDEX journal_kind           ON journal (kind);

CREATE TABLE config (
  collection TEXT    NOT NULL,
  code       TEXT    NOT NULL,
  version    INTEGER NOT NULL CHECK (version > 0),
  doc        TEXT    NOT NULL,
  at         INTEGER NOT NULL,
  actor      TEXT    NOT NULL,
  PRIMARY KEY (collection, code)
) STRICT, WITHOUT ROWID;

-- Every version of every item, deletions (doc NULL) included, in the order of commits.
CREATE TABLE config_history (
  id         INTEGER PRIMARY KEY,
  collection TEXT    NOT NULL,
  code       TEXT    NOT NULL,
  version    INTEGER NOT NULL CHECK (version > 0),
  doc        TEXT,
  at         INTEGER NOT NULL,
  actor      TEXT    NOT NULL
) STRICT;

CREATE INDEX config_history_item ON config_history (collection, code);

-- How many references entities hold to an item of configuration.
CREATE TABLE use_count (
  collection TEXT    NOT NULL,
  code       TEXT    NOT NULL,
  uses       INTEGER NOT NULL CHECK (uses >= 0),
  PRIMARY KEY (collection, code)
) STRICT, WITHOUT ROWID;

-- The end of the log: one row.
CREATE TABLE log_head (
  id        INTEGER PRIMARY KEY CHECK (id = 1),
  epoch     INTEGER NOT NULL,
  position  INTEGER NOT NULL,
  config    INTEGER NOT NULL,
  forgotten INTEGER NOT NULL DEFAULT 0 -- the last transaction whose request id was looked at to forget it
) STRICT;

INSERT INTO log_head (id, epoch, position, config) VALUES (1, 1, 0, 0);
