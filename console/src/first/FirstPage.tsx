import { Anchor, SimpleGrid, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { api } from '../api/client';
import { useMay, useSession } from '../api/session';
import { readFeed } from '../operations/feed';
import { Page } from '../parts/Page';
import { usePerspectives } from '../perspectives';
import { useTexts } from '../texts';
import { shell } from '../texts/shell';
import { Demonstration } from './Demonstration';
import { Overview } from './Overview';
import { Steps } from './Steps';

/** Whether anything is configured: without these nothing else can be. */
const configured = {
  queryKey: ['config', 'any'],
  queryFn: async () => {
    const lists = await Promise.all([
      api.GET('/v1/config/account-types'),
      api.GET('/v1/config/customer-profiles'),
      api.GET('/v1/config/resource-types'),
    ]);
    return lists.some(({ data }) => data!.items.length > 0);
  },
};

/** The last messages, the newest first. */
const latest = {
  queryKey: ['journal', 'latest'],
  refetchInterval: 5_000,
  queryFn: async () => {
    const { head } = await readFeed('0', 1);
    const { items } = await readFeed(head > 5 ? `${head - 5}-2147483647` : '0', 100);
    return items.reverse().slice(0, 5);
  },
};

/** Where to begin, and, where there is something, how it stands. */
export function FirstPage() {
  const t = useTexts(shell);
  const may = useMay();
  const { who } = useSession();
  // Who may not read one or the other still sees the rest.
  const any = useQuery({ ...configured, enabled: may('config:read') });
  const last = useQuery({ ...latest, enabled: may('stream:read') });
  const used = (last.data?.length ?? 0) > 0;
  return (
    <Page title={t.welcome}>
      <Text mb="md">{t.welcomeText}</Text>
      {who && !who.dev && who.permissions.length === 0 && (
        <Text role="status" mb="md" fw={600}>
          {t.nothingPermitted}
        </Text>
      )}
      <SimpleGrid cols={{ base: 2, sm: 4 }} mb="lg" maw={900}>
        {usePerspectives().map(({ name, first }) => (
          <Anchor key={name} component={Link} to={first}>
            {t.perspectives[name]}
          </Anchor>
        ))}
      </SimpleGrid>
      {any.data === false && may('config:write') && <Demonstration />}
      {used && <Overview latest={last.data!} />}
      {any.isSuccess && <Steps used={used} />}
    </Page>
  );
}
