package sqldb

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// pgDropLimit is how long a schema's statements are waited for when it is to
// be removed.
const pgDropLimit = "2s"

// Next implements Place.
func (p *Postgres) Next(ctx context.Context) (DB, error) {
	for _, schema := range []string{pgNext, pgFormer} {
		if err := p.drop(ctx, schema); err != nil {
			return nil, err
		}
	}
	return p.open(ctx, pgNext, true)
}

// Switch implements Place. Processes that have the database open go on in the
// schema that has the name; statements that read the former one end first, and
// whoever might read it may read the next.
func (p *Postgres) Switch(ctx context.Context) error {
	err := p.exec(ctx, fmt.Sprintf(`SELECT pg_advisory_xact_lock(%d); %s; ALTER SCHEMA %s RENAME TO %s; ALTER SCHEMA %s RENAME TO %s`,
		pgWriteLock, pgGrants, pgPresent, pgFormer, pgNext, pgPresent))
	if err != nil {
		return err
	}
	if err := p.drop(ctx, pgFormer); err != nil { // the next rebuild does it
		p.log.Warn("the former warehouse is still being read, and was left", "schema", pgFormer, "error", err)
	}
	return nil
}

// drop removes a schema with all it holds.
func (p *Postgres) drop(ctx context.Context, schema string) error {
	return p.exec(ctx, "SET lock_timeout = '"+pgDropLimit+"'; DROP SCHEMA IF EXISTS "+schema+" CASCADE")
}

// pgGrants gives to others on the next schema, and on what it holds, what they
// were given on the present one.
const pgGrants = `DO $$ DECLARE statement text; BEGIN
	FOR statement IN
		SELECT 'GRANT ' || a.privilege_type || ' ON ' || o.name || ' TO ' ||
			CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END ||
			CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
		FROM (
			SELECT 'SCHEMA ` + pgNext + `', nspacl, nspowner FROM pg_namespace WHERE nspname = '` + pgPresent + `'
			UNION ALL
			SELECT '` + pgNext + `.' || quote_ident(relname), relacl, relowner FROM pg_class
			WHERE relnamespace = '` + pgPresent + `'::regnamespace AND relkind IN ('r', 'v')
				AND to_regclass('` + pgNext + `.' || quote_ident(relname)) IS NOT NULL
		) AS o(name, acl, owner), aclexplode(o.acl) AS a
		WHERE a.grantee <> o.owner
	LOOP
		EXECUTE statement;
	END LOOP;
END $$`

// exec runs statements on a connection of their own, as one transaction.
func (p *Postgres) exec(ctx context.Context, sql string) (err error) {
	c, err := pgx.ConnectConfig(ctx, p.config.ConnConfig.Copy())
	if err != nil {
		return classifyPostgres(err)
	}
	defer func() { err = errors.Join(err, c.Close(context.WithoutCancel(ctx))) }()
	_, err = c.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol)
	return classifyPostgres(err)
}
