import { Alert, Button, Group, List, Table, Text } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { api } from '../api/client';
import { asProblem } from '../api/problem';
import { ProblemAlert } from '../parts/ProblemAlert';
import { useLanguage, useTexts } from '../texts';
import { operations } from '../texts/operations';
import classes from './operations.module.css';
import { Scroll } from '../parts/Scroll';

/** Compares the warehouse with the journal, when asked to. */
export function Reconciliation() {
  const t = useTexts(operations);
  const { language } = useLanguage();
  const { mutate, data, error, isPending } = useMutation({
    mutationFn: async () => (await api.GET('/v1/dwh/reconciliation')).data!,
  });
  return (
    <section className={classes.card} aria-label={t.reconciliation}>
      <Group justify="space-between">
        <h2>{t.reconciliation}</h2>
        <Button size="xs" onClick={() => mutate()} loading={isPending}>
          {t.reconcile}
        </Button>
      </Group>
      <Text size="sm" mb="xs">
        {t.reconciliationWhy}
      </Text>
      <ProblemAlert problem={error ? asProblem(error) : undefined} retry={mutate} />
      {data && (
        <>
          <Alert color={data.equal ? 'teal' : 'red'} title={data.equal ? t.equal : t.unequal} role="status" mb="xs">
            <Text size="sm">{t.reconciled(data.position, data.seconds.toLocaleString(language, { maximumFractionDigits: 3 }))}</Text>
            {data.differences.length > 0 && (
              <>
                <List size="sm">
                  {data.differences.map((d) => (
                    <List.Item key={d}>
                      <bdi>{d}</bdi>
                    </List.Item>
                  ))}
                </List>
                <Text size="sm">{t.rebuildHow}</Text>
              </>
            )}
          </Alert>
          <Scroll label={t.reconciliation} minWidth={560}>
            <Table fz="sm" aria-label={t.reconciliation}>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>{t.type}</Table.Th>
                  <Table.Th>{t.journal}</Table.Th>
                  <Table.Th>{t.warehouse}</Table.Th>
                  <Table.Th>{t.result}</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {data.types.map((row) => (
                  <Table.Tr key={row.type}>
                    <Table.Th scope="row" fw={400}>
                      {row.type}
                    </Table.Th>
                    <Side side={row.journal} />
                    <Side side={row.warehouse} />
                    <Table.Td>{row.equal ? `✓ ${t.same}` : `✗ ${t.differs}`}</Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </Scroll>
        </>
      )}
    </section>
  );
}

function Side({ side }: { side: { count: number; checksum: string } }) {
  const { language } = useLanguage();
  return (
    <Table.Td>
      {side.count.toLocaleString(language)} <Text span size="xs" c="dimmed" ff="monospace">{`${side.checksum}`}</Text>
    </Table.Td>
  );
}
