import assert from 'node:assert/strict';
import { before } from 'node:test';
import { accessible, browse, call, perspective, url } from './harness.js';

const ids = {};

async function write(path, body) {
  const answer = await call('POST', `/v1/casm/${path}`, { requestId: crypto.randomUUID(), ...body });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body;
}

before(async () => {
  const order = await write('batch', {
    operations: [
      {
        operation: 'createCustomer',
        body: {
          externalId: 'family',
          customerProfile: 'b2c',
          customName: 'Family Gruber',
          customAttributes: { email: 'gruber@example.com', mood: 'fine' },
        },
      },
      {
        operation: 'createAccount',
        body: { externalId: 'family-account', accountProfile: 'postpaid', customer: { externalId: 'family' } },
      },
      {
        operation: 'createSubscriber',
        body: {
          externalId: 'anna',
          customName: 'Anna',
          subscriberProfile: 'mobile',
          account: { externalId: 'family-account' },
          primaryResource: '436641000001',
        },
      },
      {
        operation: 'createSubscriptionOnSubscriber',
        body: {
          externalId: 'anna-mobile',
          subscriber: { externalId: 'anna' },
          offer: 'mobile_m',
          state: { state: 'ACTIVE', stateReason: 'active' },
        },
      },
      { operation: 'createCustomer', body: { externalId: 'firm', customerProfile: 'b2b', customName: 'Firm Gruber', testCustomer: true } },
    ],
  });
  [ids.family, ids.account, ids.anna, ids.mobile, ids.firm] = order.results.map((r) => r.transaction.payload.refId);
});

const box = (page) => page.getByRole('searchbox', { name: 'Find a customer and all below' });
const title = (page, name) => page.getByRole('heading', { level: 1, name, exact: true }).waitFor();

browse('one box finds by every way, and says which', async (page) => {
  await page.goto(url);
  await perspective(page, 'Customer Care');
  await title(page, 'Search');
  await accessible(page);
  const ways = [
    [ids.mobile, 'By ref id', 'Mobile M'],
    ['family-acc', 'By external id', 'family-account'],
    ['family G', 'By name', 'Family Gruber'],
    ['436641000001', 'By resource: msisdn 436641000001', 'Anna'],
    ['+43 664 1000001', 'By resource: msisdn 436641000001', 'Anna'],
    ['gruber@example.com', 'By attribute: email', 'Family Gruber'],
    ['mood=fine', 'By attribute: mood', 'Family Gruber'],
  ];
  for (const [text, heading, hit] of ways) {
    await box(page).fill(text);
    const group = page.getByRole('region').filter({ has: page.getByRole('heading', { level: 2, name: heading, exact: true }) });
    await group.getByRole('link', { name: hit, exact: true }).waitFor();
  }
  await box(page).fill('nobody at all');
  await page.getByText('Nothing was found.').waitFor();
});

browse('Enter opens the only hit, and goes to the first of several; what was opened is remembered in the tab', async (page) => {
  await page.goto(`${url}/care/search`);
  await box(page).fill('436641000001');
  await box(page).press('Enter');
  await title(page, 'Anna');
  assert.equal(new URL(page.url()).pathname, `/care/subscribers/${ids.anna}`);

  await page.goBack();
  await title(page, 'Search');
  assert.equal(await box(page).inputValue(), '436641000001');
  await box(page).fill('F');
  await box(page).press('Enter');
  await page.waitForFunction(() => document.activeElement?.matches('li a'));
  await accessible(page);

  await page.goto(`${url}/care/search`);
  const recent = page.getByRole('region', { name: 'Recently opened' });
  await recent.getByRole('link', { name: 'Anna', exact: true }).waitFor();
  const stored = await page.evaluate(() => sessionStorage.getItem('casm.care.recent'));
  assert.deepEqual(JSON.parse(stored), [{ collection: 'subscribers', refId: ids.anna }]);
});

browse('the list of customers narrows by its filters, which are in the address', async (page) => {
  await page.goto(`${url}/care/customers`);
  const table = page.getByRole('region', { name: 'Customers' });
  await table.getByRole('link', { name: 'Family Gruber' }).waitFor();
  await accessible(page);
  await page.getByLabel('Name begins with').fill('Firm');
  await table.getByRole('link', { name: 'Family Gruber' }).waitFor({ state: 'detached' });
  await table.getByRole('link', { name: 'Firm Gruber' }).waitFor();
  await page.reload();
  await table.getByRole('link', { name: 'Firm Gruber' }).waitFor();
  assert.equal(await page.getByLabel('Name begins with').inputValue(), 'Firm');
  await page.getByRole('link', { name: 'Clear the filters' }).click();
  await table.getByRole('link', { name: 'Family Gruber' }).waitFor();
  await page.getByLabel('Test entities').selectOption('only test entities');
  await table.getByRole('link', { name: 'Family Gruber' }).waitFor({ state: 'detached' });
  await page.getByRole('link', { name: 'Clear the filters' }).click();
  await page.getByLabel('Attribute (key=value)').fill('mood');
  await page.getByText('Write it as key=value.').waitFor();
  await page.getByLabel('Attribute (key=value)').fill('mood=fine');
  await table.getByRole('link', { name: 'Firm Gruber' }).waitFor({ state: 'detached' });
  await page.getByRole('combobox', { name: 'Segment' }).click();
  await page.getByRole('option', { name: 'Business' }).click();
  await page.getByText('None.').waitFor();
});

browse('thousands of customers scroll: rows in sight are drawn, pages come by themselves', async (page) => {
  for (let from = 0; from < 5000; from += 1000) {
    await write('batch', {
      atomic: false,
      operations: Array.from({ length: 1000 }, (_, i) => ({
        operation: 'createCustomer',
        body: { externalId: `many-${from + i}`, customerProfile: 'b2c', customName: `Many ${from + i}` },
      })),
    });
  }
  await page.goto(`${url}/care/customers?externalId=many-`);
  const table = page.getByRole('region', { name: 'Customers' });
  await table.getByRole('link', { name: 'Many 0', exact: true }).waitFor();
  for (let i = 0; i < 40; i++) {
    await table.evaluate((e) => {
      e.scrollTop = e.scrollHeight;
    });
    await page.waitForTimeout(50);
    if (await page.getByText('5000 in all').isVisible()) break;
  }
  await page.getByText('5000 in all').waitFor();
  await table.evaluate((e) => {
    e.scrollTop = e.scrollHeight;
  });
  await table.getByRole('link', { name: 'Many 4999', exact: true }).waitFor();
  const drawn = await table.getByRole('row').count();
  assert.ok(drawn < 100, `${drawn} rows are drawn`);
  await accessible(page);
  await table.getByRole('link', { name: 'Many 4999', exact: true }).click();
  await title(page, 'Many 4999');
  // Where the server's pages hold few of what is asked for, the next ones follow.
  await page.goto(`${url}/care/customers?segment=${encodeURIComponent('["b2b"]')}&externalId=many-`);
  await page.getByText('None.').waitFor();
});

browse(
  'search and list at 360 pixels, dark, in German',
  async (page) => {
    await page.goto(`${url}/care/search?q=anna`);
    await page.getByRole('link', { name: 'Anna', exact: true }).first().waitFor();
    await accessible(page);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
    await page.goto(`${url}/care/subscriptions`);
    await page.getByRole('link', { name: 'Mobile M' }).waitFor();
    await page.getByText('Filter', { exact: true }).click();
    await page.getByLabel('Name beginnt mit').waitFor();
    await accessible(page);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
  },
  { locale: 'de-AT', colorScheme: 'dark', viewport: { width: 360, height: 740 } },
);
