import { Alert, Button, Group, Text } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useBlocker, useNavigate } from '@tanstack/react-router';
import { useEffect, useRef, useState } from 'react';
import { api, etag, queryClient } from '../api/client';
import { collectionPath, hasHistory, itemPage, itemPath } from '../api/collections';
import { asProblem, type Problem } from '../api/problem';
import { type Schema, secretsOf, givenOf } from '../api/schema';
import type { Item } from '../form/pickers';
import { hasField, SchemaForm, type Values } from '../form/SchemaForm';
import { Changes } from '../parts/Changes';
import { differences } from '../parts/changes';
import { Dialog } from '../parts/Dialog';
import { useNotify } from '../parts/notify';
import { ProblemAlert } from '../parts/ProblemAlert';
import { useTexts } from '../texts';
import { configuration } from '../texts/configuration';
import classes from './configuration.module.css';
import { readItem, type Standing } from './ItemPage';
import type { Collection } from './menu';
import { NewKey } from './NewKey';

interface Props {
  collection: Collection;
  schema: Schema;
  /** What is edited; none: a new item. */
  standing?: Standing;
  readOnly?: boolean;
}

/** What was saved. */
interface Saved extends Standing {
  /** An API key, told this once. */
  secret?: string;
}

/** The form of one item. What somebody else saved meanwhile is shown, never overwritten. */
export function ItemForm({ collection, schema, standing, readOnly = false }: Props) {
  const t = useTexts(configuration);
  const navigate = useNavigate();
  const notify = useNotify();
  const form = useRef<HTMLFormElement>(null);
  const one = t.collections[collection].one;
  const original = standing ? withoutVersion(standing.item) : {};
  const [value, setValue] = useState<Values>(original);
  const [base, setBase] = useState(standing?.version);
  const [theirs, setTheirs] = useState<Standing | 'deleted'>();
  const leaving = useRef(false);
  const [made, setMade] = useState<{ code: string; secret: string }>();

  const save = useMutation<Saved, Problem>({
    gcTime: 0,
    mutationFn: async () => {
      try {
        return await send(collection, value, standing && { code: standing.item.code, version: base });
      } catch (error) {
        const problem = asProblem(error);
        if (standing && (problem.status === 412 || problem.status === 404)) setTheirs(await current(collection, standing.item.code));
        throw problem;
      }
    },
    onSuccess: async ({ secret, ...saved }) => {
      leaving.current = true;
      setTheirs(undefined);
      setBase(saved.version);
      setValue(withoutVersion(saved.item));
      queryClient.setQueryData(['config', collection, saved.item.code], saved);
      await queryClient.invalidateQueries({ queryKey: ['config'], exact: false, predicate: (q) => q.queryKey.length === 2 });
      notify(t.saved(one, saved.item.code));
      if (secret) {
        setMade({ code: saved.item.code, secret });
        return;
      }
      if (!standing) await navigate({ to: itemPage(collection, saved.item.code), replace: true });
      leaving.current = false;
    },
  });
  const problem = save.error ?? undefined;

  useEffect(() => {
    if (problem) form.current?.querySelector<HTMLElement>('[aria-invalid=true]')?.focus();
  }, [problem]);

  // What the server alone gives stands in what is there.
  const unsaid = standing || hasHistory(collection) ? [] : givenOf(schema);
  const hidden = ['/version', ...secretsOf(schema)];
  const dirty = differences(original, value).length > 0;
  return (
    <form
      ref={form}
      className={classes.form}
      noValidate
      onSubmit={(e) => {
        e.preventDefault();
        save.mutate();
      }}
    >
      {theirs === undefined && <ProblemAlert problem={problem} hasField={hasField(schema)} />}
      {theirs === 'deleted' && (
        <Alert color="red" role="alert" title={t.goneMeanwhile} mb="md">
          {t.goneHow}
        </Alert>
      )}
      {typeof theirs === 'object' && (
        <Alert color="orange" role="alert" title={t.conflict} mb="md">
          <Text size="sm" mb="xs">
            {t.conflictText}
          </Text>
          <Changes changes={differences(value, theirs.item, hidden)} schema={schema} before={t.yours} after={t.theirs} />
          <Group mt="xs" gap="xs">
            <Button
              size="xs"
              variant="default"
              onClick={() => {
                setBase(theirs.version);
                setTheirs(undefined);
                save.reset();
              }}
            >
              {t.keepMine}
            </Button>
            <Button
              size="xs"
              variant="default"
              onClick={() => {
                setBase(theirs.version);
                setValue(withoutVersion(theirs.item));
                queryClient.setQueryData(['config', collection, theirs.item.code], theirs);
                setTheirs(undefined);
                save.reset();
              }}
            >
              {t.takeTheirs}
            </Button>
          </Group>
        </Alert>
      )}
      <SchemaForm
        schema={schema}
        value={value}
        onChange={setValue}
        problem={problem}
        existing={standing !== undefined}
        readOnly={readOnly}
        hidden={unsaid}
      />
      {!readOnly && (
        <Group className={classes.bar}>
          <Button type="submit" loading={save.isPending}>
            {t.save}
          </Button>
        </Group>
      )}
      <NewKey
        secret={made?.secret}
        onClose={() => {
          setMade(undefined);
          if (made) void navigate({ to: itemPage(collection, made.code), replace: true, ignoreBlocker: true });
        }}
      />
      <Leaving blocked={() => dirty && !leaving.current} />
    </form>
  );
}

/** Asks before what was typed is left behind. */
function Leaving({ blocked }: { blocked(): boolean }) {
  const t = useTexts(configuration);
  const { status, proceed, reset } = useBlocker({ shouldBlockFn: blocked, enableBeforeUnload: blocked, withResolver: true });
  return (
    <Dialog opened={status === 'blocked'} onClose={() => reset?.()} title={t.unsaved}>
      <Group justify="flex-end" gap="xs">
        <Button variant="default" onClick={() => proceed?.()}>
          {t.leave}
        </Button>
        <Button onClick={() => reset?.()} data-autofocus>
          {t.stay}
        </Button>
      </Group>
    </Dialog>
  );
}

function withoutVersion({ version: _, ...rest }: Item): Values {
  return rest;
}

async function send(collection: Collection, value: Values, edited?: { code: string; version?: string }): Promise<Saved> {
  const body = value as unknown as Item;
  const { data, response } = edited
    ? await api.PUT(itemPath(collection), { params: { path: { code: edited.code }, header: { 'If-Match': edited.version } }, body })
    : await api.POST(collectionPath(collection), { body });
  const { key: secret, ...item } = data as Item & { key?: string };
  return { item: item as Item, version: etag(response), secret };
}

/** What stands now, after somebody else changed it. */
async function current(collection: Collection, code: string): Promise<Standing | 'deleted' | undefined> {
  try {
    return await readItem(collection, code);
  } catch (error) {
    return asProblem(error).status === 404 ? 'deleted' : undefined;
  }
}
