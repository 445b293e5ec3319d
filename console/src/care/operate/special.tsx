import type { FunctionComponent } from 'react';
import type { Problem, Violation } from '../../api/problem';
import { Problem as ProblemClass } from '../../api/problem';
import type { Operation } from '../../api/schema';
import { BalanceFields, BalancesFields } from './BalanceFields';
import { OfferFields } from './OfferFields';
import type { Entity, Kind, Values } from './operations';
import { ResourceFields } from './ResourceFields';

export interface SpecialProps {
  operation: Operation;
  entity?: Entity;
  preset: Values;
  values: Values;
  onChange(values: Values): void;
  problem?: Problem;
}

/** Fields that a schema alone cannot make: what can be entered depends on what else there is. */
export interface Special {
  /** The members that its fields stand for. */
  members: string[];
  Fields: FunctionComponent<SpecialProps>;
}

/** The fields that stand before those of the schema. */
export function specialFor({ path, schema }: Operation, kind?: Kind): Special | undefined {
  const has = (member: string) => schema.properties?.[member] !== undefined;
  if (has('offer')) return { members: ['offer', 'services', 'attributes'], Fields: OfferFields };
  if (path.endsWith('/balance/update')) return { members: ['service', 'action', 'amount', 'validTo'], Fields: BalanceFields };
  if (path.endsWith('/balances/update')) return { members: ['balances'], Fields: BalancesFields };
  if (kind === 'subscriber' && path.endsWith('/resources/end')) return { members: ['resourceType', 'resource'], Fields: ResourceFields };
  if (kind === 'subscriber' && path.endsWith('/resources/swap'))
    return { members: ['resourceType', 'swapResource'], Fields: ResourceFields };
  return undefined;
}

/** What was refused below a pointer, for a form whose root that is. */
export function below(problem: Problem | undefined, pointer: string): Problem | undefined {
  if (!problem) return undefined;
  const errors: Violation[] = problem.errors
    .filter((e) => e.pointer.startsWith(`${pointer}/`))
    .map((e) => ({ ...e, pointer: e.pointer.slice(pointer.length) }));
  return new ProblemClass(problem.status, problem.title, problem.detail, errors);
}

/** What was refused at a pointer itself. */
export function at(problem: Problem | undefined, pointer: string): string | undefined {
  return (
    problem?.errors
      .filter((e) => e.pointer === pointer)
      .map((e) => e.detail)
      .join(' ') || undefined
  );
}
