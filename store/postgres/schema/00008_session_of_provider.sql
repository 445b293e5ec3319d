-- What an OIDC provider said of a person who signed in there: their name and the
-- codes of their roles, with a space between.

-- +goose Up

ALTER TABLE session
  ADD COLUMN name  text NOT NULL DEFAULT '' COLLATE "C",
  ADD COLUMN roles text NOT NULL DEFAULT '' COLLATE "C";
