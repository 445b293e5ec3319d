import { Table, Text } from '@mantine/core';
import { queryOptions, useQuery } from '@tanstack/react-query';
import { api } from '../api/client';
import { asProblem } from '../api/problem';
import { Loading } from '../parts/Loading';
import { ProblemAlert } from '../parts/ProblemAlert';
import { When } from '../parts/When';
import { Scroll } from '../parts/Scroll';
import { useTexts } from '../texts';
import { care } from '../texts/care';
import classes from './care.module.css';
import { Coded } from './parts';

function resourcesQuery(refId: string, asOf?: string) {
  return queryOptions({
    queryKey: ['subscribers', 'resources', refId, asOf ?? 'now'],
    queryFn: async ({ signal }) =>
      (await api.GET('/v1/casm/subscribers/resources/read', { params: { query: { refId, asOf, historyIncluded: true } }, signal })).data
        ?.items ?? [],
  });
}

/** The resources of a subscriber: those that hold, then those that ended. */
export function Resources({ refId, asOf }: { refId: string; asOf?: string }) {
  const t = useTexts(care);
  const { data, error, refetch } = useQuery(resourcesQuery(refId, asOf));
  if (error) return <ProblemAlert problem={asProblem(error)} retry={() => void refetch()} />;
  if (!data) return <Loading />;
  if (data.length === 0)
    return (
      <Text size="sm" c="dimmed">
        {t.noResources}
      </Text>
    );
  const sorted = data.toSorted(
    (a, b) => Number(a.validTo !== undefined) - Number(b.validTo !== undefined) || b.validFrom.localeCompare(a.validFrom),
  );
  return (
    <Scroll label={t.resources}>
      <Table verticalSpacing={4}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col">{t.type}</Table.Th>
            <Table.Th scope="col">{t.value}</Table.Th>
            <Table.Th scope="col">{t.from}</Table.Th>
            <Table.Th scope="col">{t.to}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {sorted.map((r) => (
            <Table.Tr key={r.refId} className={r.validTo ? classes.over : undefined}>
              <Table.Td>
                <Coded collection="resource-types" code={r.resourceType} />{' '}
                {r.primary && <span className={classes.dimmed}>({t.primary})</span>}
              </Table.Td>
              <Table.Td>
                <bdi>{r.resource}</bdi>
              </Table.Td>
              <Table.Td>
                <When at={r.validFrom} />
              </Table.Td>
              <Table.Td>{r.validTo ? <When at={r.validTo} /> : t.still}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Scroll>
  );
}
