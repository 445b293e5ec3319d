// The pictures of Customer Care: make screenshots.
import { join } from 'node:path';
import { before, test } from 'node:test';
import { call, open, url } from './harness.js';

const folder = process.env.CASM_SCREENSHOTS;
const ids = {};

before(async () => {
  const active = { state: 'ACTIVE', stateReason: 'active' };
  const answer = await call('POST', '/v1/casm/batch', {
    requestId: crypto.randomUUID(),
    operations: [
      { operation: 'createCustomer', body: { externalId: 'C-1001', customerProfile: 'b2c', customName: 'Family Gruber' } },
      { operation: 'createAccount', body: { externalId: 'A-1001', accountProfile: 'postpaid', customer: { externalId: 'C-1001' } } },
      ...['Anna', 'Ben'].map((customName, n) => ({
        operation: 'createSubscriber',
        body: {
          externalId: `S-100${n}`,
          customName,
          subscriberProfile: 'mobile',
          account: { externalId: 'A-1001' },
          primaryResource: `43664100000${n}`,
        },
      })),
      {
        operation: 'createSubscriptionOnSubscriber',
        body: { externalId: 'O-1', subscriber: { externalId: 'S-1000' }, offer: 'mobile_m', state: active },
      },
      {
        operation: 'createMonetaryBalanceSubscription',
        body: {
          externalId: 'O-2',
          subscriber: { externalId: 'S-1000' },
          offer: 'individual_monetary_balance',
          state: active,
          attributes: { grantedBalance: 20000000 },
        },
      },
    ],
  });
  const results = answer.body.results ?? [];
  ids.customer = results[0]?.transaction.payload.refId;
  ids.subscriber = results[2]?.transaction.payload.refId;
  if (!ids.customer) throw new Error(JSON.stringify(answer.body));
});

const small = { width: 360, height: 740 };
const pictures = [
  { name: 'customer', path: () => `/care/customers/${ids.customer}` },
  { name: 'subscriber-dark', path: () => `/care/subscribers/${ids.subscriber}`, colorScheme: 'dark' },
  { name: 'customer-small', path: () => `/care/customers/${ids.customer}`, viewport: small },
];

for (const { name, path, ...options } of pictures) {
  test(name, async () => {
    const page = await open({ viewport: { width: 1200, height: 800 }, ...options });
    await page.goto(url + path(), { waitUntil: 'networkidle' });
    await page.screenshot({ path: join(folder, `${name}.png`) });
    await page.context().close();
  });
}
