-- Counts and checksums of the whole journal, by kind: six times entities, their
-- sum, versions, their sum, of eight bytes each. NULL: not counted yet.
ALTER TABLE log_head ADD COLUMN sums BLOB;
