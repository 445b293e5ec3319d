import { Checkbox, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import type { Schemas } from '../../api/client';
import type { Problem } from '../../api/problem';
import { type Schema, useSchemas } from '../../api/schema';
import { NamedField } from '../../form/pickers';
import { Group, SchemaForm, useLabel } from '../../form/SchemaForm';
import { useTexts } from '../../texts';
import { operate } from '../../texts/operate';
import { amountOf } from './amounts';
import type { Values } from './operations';
import { balancesQuery } from './queries';
import { at, below, type SpecialProps } from './special';

type Balance = Schemas['Balance'];

/** The present balance of each service: of several the one that begins last. */
function byService(balances: Balance[] | undefined): Balance[] {
  const sorted = [...(balances ?? [])].sort((a, b) => a.validFrom.localeCompare(b.validFrom));
  return [...new Map(sorted.map((b) => [b.service, b])).values()];
}

interface ChangeProps {
  schema: Schema;
  balance?: Balance;
  hidden?: string[];
  value: Values;
  onChange(value: Values): void;
  problem?: Problem;
}

/** What becomes of one balance; its amount in the currency's unit where it is money. */
function Change({ schema, balance, hidden = [], value, onChange, problem }: ChangeProps) {
  const t = useTexts(operate);
  const properties = { ...schema.properties };
  if (balance?.currency && properties.amount)
    properties.amount = { ...properties.amount, 'x-casm-as': 'money', description: t.inCurrency(balance.currency) };
  else if (balance?.unitOfMeasure && properties.amount)
    properties.amount = { ...properties.amount, description: t.units[balance.unitOfMeasure] };
  const endless = value.validTo === null;
  const mine = Object.fromEntries(['action', 'amount', 'validTo'].flatMap((m) => (properties[m] ? [[m, properties[m]]] : [])));
  return (
    <>
      {balance && (
        <Text size="sm" mb="xs">
          {t.standsAt(amountOf(balance, balance.actualBalance), amountOf(balance, balance.grantedBalance))}
        </Text>
      )}
      <SchemaForm
        schema={{ ...schema, properties: mine }}
        value={value}
        onChange={onChange}
        problem={problem}
        hidden={endless ? [...hidden, 'validTo'] : hidden}
      />
      <Checkbox
        mt="xs"
        label={t.endless}
        checked={endless}
        onChange={(e) => {
          const { validTo: _, ...rest } = value;
          onChange(e.currentTarget.checked ? { ...rest, validTo: null } : rest);
        }}
      />
    </>
  );
}

/** One balance of the subscription, and what becomes of it. */
export function BalanceFields({ operation, entity, preset, values, onChange, problem }: SpecialProps) {
  const say = useLabel();
  const { data } = useQuery(balancesQuery(entity?.refId ?? ''));
  const balances = byService(data);
  const balance = balances.find((b) => b.service === values.service);
  const service = operation.schema.properties?.service;
  return (
    <div>
      {!preset.service && (
        <NamedField
          schema={service ?? {}}
          value={values.service}
          onChange={(v) => onChange({ ...values, service: v })}
          options={balances.map((b) => ({ value: b.service, label: b.service }))}
          wrap={{ label: say(service?.title), error: at(problem, '/service'), 'aria-required': true, 'data-pointer': '/service' }}
        />
      )}
      <Change schema={operation.schema} balance={balance} value={values} onChange={onChange} problem={problem} />
    </div>
  );
}

/** All balances of the subscription; those with an action are changed, all or none. */
export function BalancesFields({ operation, entity, values, onChange, problem }: SpecialProps) {
  const { resolve } = useSchemas();
  const { data } = useQuery(balancesQuery(entity?.refId ?? ''));
  const schema = resolve(operation.schema.properties?.balances?.items ?? {});
  const rows = (values.balances ?? []) as Values[];
  return (
    <>
      {byService(data).map((balance) => {
        const n = rows.findIndex((r) => r.service === balance.service);
        const pointer = n < 0 ? '/-' : `/balances/${n}`;
        const { service: _, ...row } = rows[n] ?? {};
        return (
          <Group key={balance.service} wrap={{ label: balance.service, error: at(problem, pointer), 'data-pointer': pointer }}>
            <Change
              schema={schema}
              balance={balance}
              value={row}
              problem={below(problem, pointer)}
              onChange={(v) => {
                const next = { service: balance.service, ...v };
                const others = n < 0 ? [...rows, next] : rows.with(n, next);
                onChange({ ...values, balances: others.filter((r) => Object.values(r).filter((x) => x !== undefined).length > 1) });
              }}
            />
          </Group>
        );
      })}
    </>
  );
}
