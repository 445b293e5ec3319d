import { Alert, Button, Group, Text } from '@mantine/core';
import { useState } from 'react';
import { api } from '../../api/client';
import { asProblem, type Problem } from '../../api/problem';
import { ProblemAlert } from '../../parts/ProblemAlert';
import { useTexts } from '../../texts';
import { operate } from '../../texts/operate';
import { parts } from '../../texts/parts';
import { Differences } from './Differences';
import type { Entity, Kind } from './operations';

/** Somebody else changed the entity: what they changed is read and shown, and who works here decides. */
export function Conflict({ kind, entity, onRead }: { kind: Kind; entity: Entity; onRead(fresh: Entity): void }) {
  const t = useTexts(operate);
  const p = useTexts(parts);
  const [read, setRead] = useState<{ was: Entity; is: Entity }>();
  const [problem, setProblem] = useState<Problem>();
  const [busy, setBusy] = useState(false);

  async function again() {
    setBusy(true);
    try {
      const { data } = await api.GET(`/v1/casm/${kind}s/read` as '/v1/casm/customers/read', { params: { query: { refId: entity.refId } } });
      setProblem(undefined);
      setRead({ was: entity, is: data as Entity });
      onRead(data as Entity);
    } catch (error) {
      setProblem(asProblem(error));
    } finally {
      setBusy(false);
    }
  }

  return (
    <Alert color="blue" title={p.changed} role="alert">
      <ProblemAlert problem={problem} />
      <Text size="sm">{read ? t.conflictRead : t.conflict}</Text>
      {read && <Differences now={{ ...read.was }} then={{ ...read.is }} caption={t.theyChanged} past />}
      {(!read || read.is.version !== entity.version) && (
        <Group mt="xs">
          <Button size="xs" variant="default" onClick={again} loading={busy}>
            {t.readAgain}
          </Button>
        </Group>
      )}
    </Alert>
  );
}
