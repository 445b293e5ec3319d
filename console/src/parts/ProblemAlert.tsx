import { Alert, Button, Group, List, Text } from '@mantine/core';
import type { Problem } from '../api/problem';
import { useTexts } from '../texts';
import { parts } from '../texts/parts';

interface Props {
  problem?: Problem;
  /** Whether what is wrong at a pointer stands beside a field; then it is not said here again. */
  hasField?(pointer: string): boolean;
  /** Sends the same again. */
  retry?(): void;
}

/** Why a request was not done, and what to do next. */
export function ProblemAlert({ problem, hasField = () => false, retry }: Props) {
  const t = useTexts(parts);
  if (!problem) return null;
  const [title, how] = say(t, problem);
  // With 401 the server tells how a client signs in: that is nothing for people.
  const { errors, detail } = problem.status === 401 ? { errors: [], detail: '' } : problem;
  const elsewhere = errors.filter((e) => hasField(e.pointer));
  const here = errors.filter((e) => !hasField(e.pointer));
  return (
    <Alert color="red" title={title} role="alert" mb="md">
      {how && <Text size="sm">{how}</Text>}
      {here.length === 0 && elsewhere.length === 0 && detail && <Text size="sm">{detail}</Text>}
      {here.length > 0 && (
        <List size="sm">
          {here.map((e, i) => (
            <List.Item key={i}>
              <bdi>{e.detail}</bdi>
            </List.Item>
          ))}
        </List>
      )}
      {elsewhere.length > 0 && <Text size="sm">{t.refusedFields}</Text>}
      {retry && problem.passing && (
        <Group mt="xs">
          <Button size="xs" variant="default" onClick={retry}>
            {t.retry}
          </Button>
        </Group>
      )}
    </Alert>
  );
}

type Texts = (typeof parts)['en'];

/** What happened, and what to do next where the server's own words do not say it. */
function say(t: Texts, problem: Problem): [string, string?] {
  switch (problem.status) {
    case 0:
      return [t.network, t.networkHow];
    case 401:
      return [t.unauthenticated, t.unauthenticatedHow];
    case 403:
      return [t.forbidden, t.forbiddenHow];
    case 404:
      return [t.notFound];
    case 412:
      return [t.changed];
    case 429:
    case 503:
      return [t.overloaded, t.tryAgain];
    case 504:
      return [t.unknownOutcome, t.tryAgain];
  }
  return [problem.status >= 500 ? t.internal : t.refused];
}
