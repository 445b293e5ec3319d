-- The history keeps no hashes of users' passwords any more.
UPDATE config_history SET doc = json_remove(doc, '$.hash') WHERE collection = 'users' AND doc IS NOT NULL;
