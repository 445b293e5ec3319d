-- What an OIDC provider said of a person who signed in there: their name and the
-- codes of their roles, with a space between.
ALTER TABLE session ADD COLUMN name  TEXT NOT NULL DEFAULT '';
ALTER TABLE session ADD COLUMN roles TEXT NOT NULL DEFAULT '';
