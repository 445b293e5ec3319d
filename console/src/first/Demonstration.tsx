import { Alert, Anchor, Button, Group, Text } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { api } from '../api/client';
import { asProblem } from '../api/problem';
import { importDocument } from '../operations/transfer';
import { ProblemAlert } from '../parts/ProblemAlert';
import { useNotify } from '../parts/notify';
import { useTexts } from '../texts';
import { first } from '../texts/first';
import classes from './first.module.css';

/** Offers the demonstration where nothing is configured. */
export function Demonstration() {
  const t = useTexts(first);
  const notify = useNotify();
  const client = useQueryClient();
  const { mutate, isPending, data, error } = useMutation({
    mutationFn: async () => {
      const document = (await api.GET('/v1/config/demonstration', { parseAs: 'text' })).data as unknown as string;
      // An import makes collections equal to the document: only what adds is done unasked.
      const { changes } = await importDocument(document, true);
      if (changes.some((c) => c.change !== 'created')) return 'other' as const;
      return (await importDocument(document, false)).changes.length;
    },
    onSuccess: (n) => {
      if (n === 'other') return;
      notify(t.loaded(n));
      return client.invalidateQueries({ queryKey: ['config'] });
    },
  });
  return (
    <section className={classes.card} aria-label={t.begin}>
      <h2>{t.begin}</h2>
      <Text size="sm" mb="xs">
        {t.empty} {t.demoWhy}
      </Text>
      <ProblemAlert problem={error ? asProblem(error) : undefined} retry={mutate} />
      {data === 'other' && (
        <Alert color="yellow" mb="xs">
          {t.demoOther}{' '}
          <Anchor underline="always" component={Link} to="/operations/transfer">
            {t.transfer}
          </Anchor>
        </Alert>
      )}
      <Group gap="md">
        <Button onClick={() => mutate()} loading={isPending}>
          {t.demo}
        </Button>
        <Text size="sm">
          {t.own}{' '}
          <Anchor underline="always" component={Link} to="/configuration/account-types">
            {t.accountTypes}
          </Anchor>
        </Text>
      </Group>
    </section>
  );
}
