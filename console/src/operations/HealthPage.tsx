import { Alert, Badge, List, SimpleGrid, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { asProblem } from '../api/problem';
import { Loading } from '../parts/Loading';
import { Page } from '../parts/Page';
import { ProblemAlert } from '../parts/ProblemAlert';
import { When } from '../parts/When';
import { useLanguage, useTexts } from '../texts';
import { operations } from '../texts/operations';
import { type Gauges, gauges, readiness } from './health';
import classes from './operations.module.css';

/** Whether all is well: the server, what feeds the stream, the warehouse. */
export function HealthPage() {
  const t = useTexts(operations);
  const ready = useQuery(readiness);
  const metrics = useQuery(gauges);
  return (
    <Page title={t.pages.health}>
      {ready.isPending && <Loading />}
      <ProblemAlert problem={ready.error ? asProblem(ready.error) : undefined} retry={ready.refetch} />
      {ready.data && !ready.error && (
        <Alert
          color={ready.data.ready ? 'teal' : 'red'}
          title={ready.data.ready ? `✓ ${t.ready}` : `✗ ${t.notReady}`}
          role="status"
          mb="md"
        >
          {ready.data.missing.length > 0 && (
            <List size="sm">
              {ready.data.missing.map((m) => (
                <List.Item key={m}>{m}</List.Item>
              ))}
            </List>
          )}
        </Alert>
      )}
      {metrics.error && !ready.error && (
        <>
          <Text mb="xs">{t.noMetrics}</Text>
          <ProblemAlert problem={asProblem(metrics.error)} retry={metrics.refetch} />
        </>
      )}
      {metrics.data && !metrics.error && <Cards of={metrics.data} />}
      <section className={classes.card} aria-label={t.streams}>
        <h2>{t.streams}</h2>
        <Text size="sm">{t.streamsLater}</Text>
      </section>
    </Page>
  );
}

function Cards({ of }: { of: Gauges }) {
  const t = useTexts(operations);
  const { language } = useLanguage();
  const say = (value: number | undefined, how: (n: string) => string = (n) => n) =>
    value === undefined ? t.notKnown : how(value.toLocaleString(language, { maximumFractionDigits: 1 }));
  return (
    <SimpleGrid cols={{ base: 1, md: 3 }} mb="md">
      <Card title={t.server}>
        <Fact name={t.versionOf}>{of.version ?? t.notKnown}</Fact>
        <Fact name={t.followers}>{say(of.followers)}</Fact>
      </Card>
      <Card title={t.relay}>
        <Fact name={t.stateOf}>
          <State good={of.relayState === 'running'}>{t.relayStates[of.relayState ?? ''] ?? t.notKnown}</State>
        </Fact>
        <Fact name={t.behindBy}>
          {say(of.relayTransactions, t.transactions)}, {say(of.relaySeconds, t.seconds)}
        </Fact>
        <Fact name={t.published}>{say(of.published, t.messages)}</Fact>
      </Card>
      <Card title={t.pages.warehouse}>
        {of.warehouseState === undefined ? (
          <Fact name={t.stateOf}>{t.off}</Fact>
        ) : (
          <>
            <Fact name={t.stateOf}>
              <State good={['following', 'standby', 'catchingUp'].includes(of.warehouseState)}>
                {t.warehouseStates[of.warehouseState] ?? of.warehouseState}
              </State>
            </Fact>
            <Fact name={t.behindBy}>
              {say(of.warehouseMessages, t.messages)}, {say(of.warehouseSeconds, t.seconds)}
            </Fact>
            <Fact name={t.deadLetters}>{say(of.deadLetters, t.messages)}</Fact>
            <Fact name={t.reconciledLast}>
              {of.reconciledEqual === undefined || of.reconciledEqual < 0 ? (
                t.never
              ) : (
                <>
                  <State good={of.reconciledEqual === 1}>{of.reconciledEqual === 1 ? t.same : t.differs}</State>{' '}
                  {of.reconciledAt ? <When at={new Date(of.reconciledAt * 1000).toISOString()} /> : null}
                </>
              )}
            </Fact>
          </>
        )}
      </Card>
    </SimpleGrid>
  );
}

function Card({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className={classes.card} aria-label={title}>
      <h2>{title}</h2>
      <dl className={classes.facts}>{children}</dl>
    </section>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}

/** A state in words; the colour only repeats what they say. */
function State({ good, children }: { good: boolean; children: ReactNode }) {
  return (
    <Badge
      variant="light"
      color={good ? 'teal' : 'red'}
      tt="none"
      c="var(--mantine-color-text)"
      styles={{ root: { height: 'auto', maxWidth: '100%' }, label: { whiteSpace: 'normal' } }}
    >
      {children}
    </Badge>
  );
}
