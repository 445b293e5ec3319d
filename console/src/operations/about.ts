import { session } from '../api/session';
import { before, type Item } from './feed';

const text = (value: unknown) => (typeof value === 'string' ? value : undefined);

/** The entity of a message, as people know it. */
export function nameOf({ payload }: Item): string {
  return (
    text(payload.externalId) ?? text(payload.customName) ?? text(payload.resource) ?? text(payload.service) ?? text(payload.refId) ?? ''
  );
}

const collections: Record<string, string> = {
  customer: 'customers',
  account: 'accounts',
  subscriber: 'subscribers',
  offerSubscription: 'subscriptions',
};

/** Where Customer Care shows it: resources are shown with their subscriber, balances with their subscription. */
export function careOf({ messageCode, payload }: Item): string | undefined {
  const owner = messageCode === 'subscriberResource' ? 'subscriber' : messageCode === 'balance' ? 'offerSubscription' : undefined;
  const shown = owner ? (payload[owner] as Record<string, unknown> | undefined) : payload;
  const refId = text(shown?.refId);
  return refId && `/care/${collections[owner ?? messageCode]}/${refId}`;
}

/** curl with the address of this server; where the server asks who calls, the place of a key. */
export function curl(path: string, ...more: string[]): string {
  const key = session.open() ? [] : ['-H "Authorization: Bearer $CASM_API_KEY"'];
  return ['curl -sS --fail-with-body', ...key, ...more, `'${location.origin}${path}'`].join(' \\\n  ');
}

/** curl that reads the message. */
export function curlOf(item: Item): string {
  return curl(`/v1/business-transactions?after=${before(item.position)}&limit=1&headers=true`);
}

/** JSON to be read by people. What would turn the direction of the text is written as an escape. */
export function readable(value: unknown): string {
  return JSON.stringify(value, null, 2).replace(
    /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
