// Pictures of the first page and of Operations for the documentation (make screenshots).
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { browse, call, url } from './harness.js';

const folder = process.env.CASM_SCREENSHOTS;
const shoot = (page, name) => page.screenshot({ path: join(folder, `${name}.png`), animations: 'disabled' });

const active = { state: 'ACTIVE', stateReason: 'dfltActive' };
const first = ['Ada', 'Ben', 'Cleo', 'Dana', 'Emil', 'Fay', 'Gus', 'Hana', 'Ivo', 'June'];
const last = ['Winter', 'Berger', 'Novak', 'Rossi'];

/** A small operator's day: customers of whom some order, top up, use, or do not pay. */
async function fill() {
  const operations = [];
  const add = (operation, body) => operations.push({ operation, body });
  for (let i = 0; i < 40; i++) {
    const id = `C-${1001 + i}`;
    const business = i % 4 === 3;
    add('createCustomer', {
      externalId: id,
      customName: business ? `${last[i % 4]} & ${first[i % 10]} Ltd` : `${first[i % 10]} ${last[i % 4]}`,
      customerProfile: business ? 'b2b' : 'b2c',
    });
    add('createAccount', {
      externalId: `A-${1001 + i}`,
      customer: { externalId: id },
      accountProfile: business ? 'postpaidBusiness' : 'postpaid',
    });
    const subscriber = `S-${1001 + i}`;
    add('createSubscriber', {
      externalId: subscriber,
      account: { externalId: `A-${1001 + i}` },
      subscriberProfile: 'mobile',
      primaryResource: `4366412345${String(10 + i)}`,
    });
    if (i % 3 > 0)
      add('createSubscriptionOnSubscriber', {
        externalId: `M-${i}`,
        subscriber: { externalId: subscriber },
        offer: 'mobile_m',
        state: active,
      });
    if (i % 5 === 0) add('createSubscriptionOnCustomer', { customer: { externalId: id }, offer: 'offer_code', state: active });
    if (i % 3 > 0) {
      add('updateSubscriptionBalance', {
        subscription: { externalId: `M-${i}` },
        service: 'data',
        action: 'DEDUCT',
        amount: 400_000_000 * (i % 17) + 1,
      });
      add('updateSubscriptionBalance', {
        subscription: { externalId: `M-${i}` },
        service: 'voice',
        action: 'DEDUCT',
        amount: 1_500 * (i % 13) + 1,
      });
    }
    if (i % 9 === 8) {
      add('updateCustomerState', {
        customer: { externalId: id },
        state: { state: 'SUSPENDED', stateReason: 'debt' },
        subordinateUpdated: true,
        comment: 'invoice overdue',
      });
    }
  }
  const answer = await call('POST', '/v1/casm/batch', { requestId: 'screenshots', atomic: false, operations });
  const refused = answer.body.results.filter((r) => r.status !== 200);
  assert.deepEqual(refused, []);
}

browse('the first page', async (page) => {
  await fill();
  let lag;
  do lag = (await call('GET', '/v1/dwh/metrics')).body.lag.messages;
  while (lag > 0);
  await page.goto(url);
  await page.getByText('ACTIVE 36').waitFor();
  await shoot(page, 'first-page');
});

browse('business transactions', async (page) => {
  await page.goto(`${url}/operations/transactions`);
  await page.getByRole('button', { name: 'Show the message about C-1040' }).first().waitFor();
  await shoot(page, 'business-transactions');
  await page.getByRole('button', { name: 'Show the message about C-1040' }).first().click();
  await page.getByRole('dialog').getByText('ce-type').waitFor();
  await page.setViewportSize({ width: 1280, height: 720 });
  await shoot(page, 'message');
});

browse(
  'warehouse',
  async (page) => {
    await page.goto(`${url}/operations/warehouse`);
    await page.getByRole('table', { name: 'Subscriptions by offer' }).waitFor();
    await page.getByLabel('What', { exact: true }).selectOption('created');
    await shoot(page, 'warehouse');
  },
  { colorScheme: 'dark', viewport: { width: 1280, height: 1000 } },
);

browse(
  'import with its difference',
  async (page) => {
    const codes = (await call('GET', '/v1/config/export', undefined, { Accept: 'application/json' })).body['gl-codes'];
    codes.push({ code: '4020', name: 'Roaming' });
    codes.find((c) => c.code === '4090').name = 'Discounts and Refunds';
    await page.goto(`${url}/operations/transfer`);
    const lines = codes.map((c) => `  - {code: "${c.code}", name: ${c.name}}`);
    await page.getByLabel('Document').fill(`gl-codes:\n${lines.join('\n')}\n`);
    await page.getByRole('button', { name: 'Show the difference' }).click();
    await page.getByRole('button', { name: 'Import 2 changes' }).waitFor();
    await shoot(page, 'import');
  },
  { viewport: { width: 1280, height: 1000 } },
);
