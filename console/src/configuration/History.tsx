import { Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { api } from '../api/client';
import { itemPath } from '../api/collections';
import { asProblem } from '../api/problem';
import type { Schema } from '../api/schema';
import { Changes } from '../parts/Changes';
import { differences } from '../parts/changes';
import { Loading } from '../parts/Loading';
import { ProblemAlert } from '../parts/ProblemAlert';
import { When } from '../parts/When';
import { useTexts } from '../texts';
import { configuration } from '../texts/configuration';
import type { Collection } from './menu';

interface Props {
  collection: Collection;
  code: string;
  schema: Schema;
  version?: string;
}

/** The versions of an item, newest first: who changed what, before and after. */
export function History({ collection, code, schema, version }: Props) {
  const t = useTexts(configuration);
  const { data, error, refetch } = useQuery({
    queryKey: ['config', collection, code, 'history', version],
    queryFn: async ({ signal }) =>
      (
        await api.GET(`${itemPath(collection)}/history` as '/v1/config/account-types/{code}/history', {
          params: { path: { code } },
          signal,
        })
      ).data?.items ?? [],
  });
  if (error) return <ProblemAlert problem={asProblem(error)} retry={() => void refetch()} />;
  if (!data) return <Loading />;
  return (
    <Stack gap="lg" maw={960}>
      {data.map((entry, i) => {
        const before = data[i + 1]?.item as object | undefined;
        const changes = differences(before, entry.item as object | undefined);
        return (
          <section key={entry.version} aria-label={`${t.version} ${entry.version}`}>
            <Text size="sm">
              <b>
                {t.version} {entry.version}
              </b>
              {' · '}
              <When at={entry.timestamp} />
              {entry.actor && (
                <>
                  {' · '}
                  <bdi>{entry.actor}</bdi>
                </>
              )}
              {(entry.deleted || !before) && ` · ${entry.deleted ? t.deleted : t.created}`}
            </Text>
            {changes.length > 0 && <Changes changes={changes} schema={schema} />}
          </section>
        );
      })}
    </Stack>
  );
}
