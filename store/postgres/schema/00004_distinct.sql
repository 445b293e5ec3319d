-- Where one entity has nearly all others below it, the database takes that for
-- the rule, and an index that finds what is below one for useless. It is told
-- otherwise.

-- +goose Up

ALTER TABLE entity_account             ALTER COLUMN superior SET (n_distinct = -0.2), ALTER COLUMN customer SET (n_distinct = -0.2);
ALTER TABLE entity_subscriber          ALTER COLUMN superior SET (n_distinct = -0.2), ALTER COLUMN customer SET (n_distinct = -0.2);
ALTER TABLE entity_subscriber_resource ALTER COLUMN superior SET (n_distinct = -0.2), ALTER COLUMN customer SET (n_distinct = -0.2);
ALTER TABLE entity_offer_subscription  ALTER COLUMN superior SET (n_distinct = -0.2), ALTER COLUMN customer SET (n_distinct = -0.2);
ALTER TABLE entity_balance             ALTER COLUMN superior SET (n_distinct = -0.2), ALTER COLUMN customer SET (n_distinct = -0.2);
