import type { Schemas } from '../../api/client';

/** Kinds of entities that operations name, as their bodies do. */
export type Kind = 'customer' | 'account' | 'subscriber' | 'subscription';

/** An entity as it was read. */
export type Entity = Schemas['Customer'] | Schemas['Account'] | Schemas['Subscriber'] | Schemas['OfferSubscription'];

/** Every operation that applies to an entity, in a menu. */
export function OperationsMenu(_: { kind: Kind; entity: Entity }) {
  return null;
}

/** What is planned for an entity, and what can be done about it. */
export function PlannedChange(_: { kind: Kind; entity: Entity }) {
  return null;
}

/** The balances of a subscription. */
export function Balances(_: { subscription: Schemas['OfferSubscription'] }) {
  return null;
}

/** The button that creates a customer. */
export function NewCustomer() {
  return null;
}
