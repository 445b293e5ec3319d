import { Anchor, SimpleGrid, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useMay } from '../api/session';
import { careOf, nameOf } from '../operations/about';
import type { Item } from '../operations/feed';
import { readiness } from '../operations/health';
import { warehouseMetrics } from '../operations/warehouse';
import { When } from '../parts/When';
import { useLanguage, useTexts } from '../texts';
import { first } from '../texts/first';
import classes from './first.module.css';

/** How it stands, in short. */
export function Overview({ latest }: { latest: Item[] }) {
  const t = useTexts(first);
  return (
    <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="md">
      <div>
        <Customers />
        <Ready />
      </div>
      <section className={classes.card} aria-label={t.last}>
        <h2>{t.last}</h2>
        <ul className={classes.list}>
          {latest.map((item) => (
            <li key={item.position}>
              <When at={item.timestamp} /> {item.messageCode} {item.event}{' '}
              <Anchor underline="always" inherit component={Link} to={careOf(item) ?? '/care'}>
                <bdi>{nameOf(item)}</bdi>
              </Anchor>
            </li>
          ))}
        </ul>
        <Anchor underline="always" component={Link} to="/operations/transactions" size="sm">
          {t.allOf}
        </Anchor>
      </section>
    </SimpleGrid>
  );
}

function Customers() {
  const t = useTexts(first);
  const { language } = useLanguage();
  const may = useMay();
  const { data } = useQuery({ ...warehouseMetrics(), enabled: may('dwh:read') });
  if (data === undefined) return null;
  const counts = Object.entries(data?.customersByState ?? {}).filter(([, n]) => n > 0);
  const total = counts.reduce((sum, [, n]) => sum + n, 0);
  return (
    <section className={classes.card} aria-label={t.customers}>
      <h2>{t.customers}</h2>
      {data === null && <Text size="sm">{t.notCounted}</Text>}
      {data && total === 0 && <Text size="sm">{t.noneYet}</Text>}
      {total > 0 && (
        <>
          <div className={classes.big}>{total.toLocaleString(language)}</div>
          <Text size="sm" mb="xs">
            {counts.map(([state, n]) => `${state} ${n.toLocaleString(language)}`).join(', ')}
          </Text>
        </>
      )}
      <Anchor underline="always" component={Link} to="/care" size="sm">
        {t.open}
      </Anchor>
    </section>
  );
}

function Ready() {
  const t = useTexts(first);
  const { data } = useQuery(readiness);
  if (!data) return null;
  return (
    <section className={classes.card} aria-label={t.more}>
      <Text size="sm">{data.ready ? `✓ ${t.healthy}` : `✗ ${t.unhealthy} ${data.missing.join(', ')}`}</Text>
      <Anchor underline="always" component={Link} to="/operations/health" size="sm">
        {t.more}
      </Anchor>
    </section>
  );
}
