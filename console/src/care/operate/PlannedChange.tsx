import { Alert, Badge, Group, Text } from '@mantine/core';
import { When } from '../../parts/When';
import { useTexts } from '../../texts';
import { care } from '../../texts/care';
import { operate } from '../../texts/operate';
import { OperationButton } from './OperationDialog';
import type { Entity, Kind } from './operations';

/** What is planned for an entity, and what can be done about it. */
export function PlannedChange({ kind, entity }: { kind: Kind; entity: Entity }) {
  const t = useTexts(operate);
  const { states } = useTexts(care);
  const { plannedState: state, plannedBillCycle: cycle } = entity;
  return (
    <>
      {state && (
        <Alert title={t.plannedState} mb="sm" p="sm">
          <Group gap="xs" mb="xs">
            <Text size="sm" span>
              {t.from} <When at={state.stateValidFrom} />: <strong>{states[state.state] ?? state.state}</strong> (
              <bdi>{state.stateReason}</bdi>)
            </Text>
            <Badge variant="default">{state.pending ? t.pending : t.firm}</Badge>
          </Group>
          <Group gap="xs">
            {state.pending && (
              <OperationButton path="/state/confirm" kind={kind} entity={entity}>
                {t.confirm}
              </OperationButton>
            )}
            <OperationButton path="/state/confirm" kind={kind} entity={entity} preset={{ stateValidFrom: state.stateValidFrom }}>
              {t.anotherDate}
            </OperationButton>
            <OperationButton path="/state/cancel" kind={kind} entity={entity}>
              {t.cancelPlan}
            </OperationButton>
          </Group>
        </Alert>
      )}
      {cycle && (
        <Alert title={t.plannedBillCycle} mb="sm" p="sm">
          <Text size="sm" mb="xs">
            {t.from} <When at={cycle.validFrom} />: <bdi>{cycle.billCycle}</bdi>
            {[cycle.billingDay, cycle.billingMonth, cycle.billingYear].filter((n) => n !== undefined).length > 0 &&
              ` (${[cycle.billingDay, cycle.billingMonth, cycle.billingYear].filter((n) => n !== undefined).join(' / ')})`}
          </Text>
          <Group gap="xs">
            <OperationButton path="/bill-cycle/perform" kind={kind} entity={entity}>
              {t.perform}
            </OperationButton>
            <OperationButton path="/bill-cycle/cancel" kind={kind} entity={entity}>
              {t.cancelBillCycle}
            </OperationButton>
          </Group>
        </Alert>
      )}
    </>
  );
}
