-- How far the copies of the log have come that an item of configuration gets,
-- and the customers that it could not send to yet.
CREATE TABLE progress (
  collection TEXT    NOT NULL,
  code       TEXT    NOT NULL,
  version    INTEGER NOT NULL CHECK (version > 0),
  began      INTEGER NOT NULL, -- the item's version then
  seq        INTEGER NOT NULL, -- of the journal's row that was last
  doc        TEXT    NOT NULL,
  PRIMARY KEY (collection, code)
) STRICT, WITHOUT ROWID;

CREATE TABLE behind (
  collection TEXT    NOT NULL,
  code       TEXT    NOT NULL,
  customer   BLOB    NOT NULL CHECK (length(customer) = 16),
  seq        INTEGER NOT NULL,
  parked     INTEGER NOT NULL,
  doc        TEXT    NOT NULL,
  PRIMARY KEY (collection, code, customer)
) STRICT, WITHOUT ROWID;
