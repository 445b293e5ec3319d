import assert from 'node:assert/strict';
import { before } from 'node:test';
import { accessible, browse, call, url } from './harness.js';

const ids = {};
let firstMoment;

async function write(path, body) {
  const answer = await call('POST', `/v1/casm/${path}`, { requestId: crypto.randomUUID(), ...body });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body;
}

before(async () => {
  const active = { state: 'ACTIVE', stateReason: 'active' };
  const order = await write('batch', {
    comment: 'order 4711',
    operations: [
      {
        operation: 'createCustomer',
        body: { externalId: 'family', customerProfile: 'b2c', customName: 'Family Gruber', testCustomer: true },
      },
      { operation: 'createAccount', body: { externalId: 'top', accountProfile: 'postpaid', customer: { externalId: 'family' } } },
      { operation: 'createAccount', body: { externalId: 'sub', accountProfile: 'department', parent: { externalId: 'top' } } },
      {
        operation: 'createSubscriber',
        body: {
          externalId: 'anna',
          customName: 'Anna',
          subscriberProfile: 'mobile',
          account: { externalId: 'sub' },
          primaryResource: '436641000001',
          customAttributes: { street: '1 Main Street' },
        },
      },
      {
        operation: 'createSubscriptionOnSubscriber',
        body: { externalId: 'anna-mobile', subscriber: { externalId: 'anna' }, offer: 'mobile_m', state: active },
      },
    ],
  });
  [ids.family, ids.top, ids.sub, ids.anna, ids.mobile] = order.results.map((r) => r.transaction.payload.refId);
  firstMoment = order.results[0].transaction.timestamp;
  await write('subscribers/custom-name/update', {
    subscriber: { refId: ids.anna },
    customName: 'Anna Maria',
    comment: 'after the wedding',
  });
  await write('subscribers/resources/swap', {
    subscriber: { refId: ids.anna },
    resourceType: 'msisdn',
    swapResource: '436641000001',
    resource: '436641000009',
  });
  await write('customers/state/update', {
    customer: { refId: ids.family },
    state: { state: 'SUSPENDED', stateReason: 'debt' },
    subordinateUpdated: true,
    comment: 'invoice overdue',
  });
});

const title = (page, name) => page.getByRole('heading', { level: 1, name, exact: true }).waitFor();
const item = (page, name) => page.getByRole('tree').getByRole('treeitem', { name });

browse('a deep link shows the entity with its place in the tree, also reloaded', async (page) => {
  await page.goto(`${url}/care/subscriptions/${ids.mobile}`);
  await title(page, 'Mobile M');
  await page.reload();
  await title(page, 'Mobile M');
  assert.equal(await page.getByLabel('Perspective', { exact: true }).inputValue(), 'care');
  await item(page, /^Subscription Mobile M/).waitFor();
  assert.equal(await item(page, /^Subscription Mobile M/).getAttribute('aria-selected'), 'true');
  const lines = (await page.getByRole('treeitem').allTextContents()).map((s) => s.trim());
  const order = ['Family Gruber', 'top', 'sub', 'Anna Maria', '436641000009', 'Mobile M'].map((s) => lines.findIndex((l) => l.includes(s)));
  assert.deepEqual(
    order,
    order.toSorted((a, b) => a - b),
    lines.join('\n'),
  );
  assert.ok(order[0] === 0 && order.every((n) => n >= 0), lines.join('\n'));
  const levels = await page.getByRole('treeitem').evaluateAll((all) => all.map((e) => Number(e.getAttribute('aria-level'))));
  assert.deepEqual(levels.slice(0, 4), [1, 2, 3, 4]);
  // What the schema has, labelled; references as links; state with reason and time.
  await page.getByText('Offer Version').waitFor();
  await page.getByText('Debt').first().waitFor();
  await page.getByRole('link', { name: 'anna', exact: true }).waitFor();
  await page.getByRole('heading', { level: 2, name: 'Balances' }).waitFor();
  await accessible(page);
  await page.goto(`${url}/care/customers/${ids.family}`);
  await title(page, 'Family Gruber');
  await page.getByRole('main').getByText('Test', { exact: true }).first().waitFor();
  await page.goto(`${url}/care/customers/00000000-0000-7000-8000-000000000000`);
  await page.getByText('This is not there.').waitFor();
});

browse('the tree by keyboard: branches open when asked, Enter shows', async (page) => {
  await page.goto(`${url}/care/customers/${ids.family}`);
  await title(page, 'Family Gruber');
  await item(page, /^Account top/).waitFor();
  await item(page, /^Customer/).focus();
  assert.equal(await page.locator('[role=treeitem][tabindex="0"]').count(), 1);
  await page.keyboard.press('ArrowDown');
  assert.equal(await item(page, /^Account top/).getAttribute('aria-expanded'), 'false');
  await page.keyboard.press('ArrowRight');
  await item(page, /^Account sub/).waitFor();
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  await item(page, /^Subscriber Anna Maria/).waitFor();
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Enter');
  await title(page, 'Anna Maria');
  await page.getByRole('heading', { level: 2, name: 'Resources' }).waitFor();
  const table = page.getByRole('region', { name: 'Resources' });
  await table.getByText('436641000009').waitFor();
  await table.getByText('436641000001').waitFor(); // the one that ended
  await page.getByText('1 Main Street').waitFor();
  await accessible(page);
  await item(page, /^Account top/).focus();
  await page.keyboard.press('ArrowLeft');
  await item(page, /^Account sub/).waitFor({ state: 'detached' });
  await page.keyboard.press('ArrowLeft');
  assert.match(await page.evaluate(() => document.activeElement.textContent), /Family Gruber/);
});

browse('a branch of more than a thousand leads to the list of all', async (page) => {
  const { payload } = await write('customers/create', { externalId: 'large', customerProfile: 'b2c' });
  for (const n of [600, 401])
    await write('batch', {
      operations: Array.from({ length: n }, () => ({
        operation: 'createAccount',
        body: { accountProfile: 'postpaid', customer: { externalId: 'large' } },
      })),
    });
  await page.goto(`${url}/care/customers/${payload.refId}`);
  await title(page, 'large');
  await item(page, 'More than 1,000: all Accounts …').click();
  await page.getByText('500 so far').waitFor();
  assert.equal(new URL(page.url()).searchParams.get('customer'), payload.refId);
  await page.getByRole('link', { name: 'Below' }).click();
  await title(page, 'large');
});

browse('the time line tells who did what, when, why, and before and after', async (page) => {
  await page.goto(`${url}/care/subscribers/${ids.anna}?tab=timeLine`);
  const events = page.getByRole('list', { name: 'Time line' }).getByRole('listitem');
  await events.first().waitFor();
  assert.match(await events.first().textContent(), /invoice overdue/);
  const renamed = events.filter({ hasText: 'after the wedding' });
  assert.match(await renamed.textContent(), /Subscriber: Change the name.*By dev.*Request id/);
  assert.deepEqual(await renamed.getByRole('row').nth(1).getByRole('cell').allTextContents(), ['Anna', 'Anna Maria']);
  await accessible(page);

  await page.getByText('Whole customer').click();
  await page.getByText('Customer: Change the state').waitFor();
  const swap = events.filter({ hasText: 'Subscriber: Swap a resource' });
  assert.match(await swap.textContent(), /436641000001 ended.*436641000009 created/);
  const cascade = events.filter({ hasText: 'Customer: Change the state' });
  await cascade.getByRole('button', { name: '5 entities' }).click();
  const cells = await cascade.getByRole('row', { name: /^State SUSPENDED|^State ACTIVE/ }).allTextContents();
  assert.ok(cells.length >= 1 && cells.every((c) => c.includes('ACTIVE') && c.includes('SUSPENDED')), cells.join('\n'));
  await accessible(page);
  await page.reload();
  await page.getByText('Customer: Change the state').waitFor();
});

browse('a long time line comes page by page', async (page) => {
  const { payload } = await write('customers/create', { externalId: 'busy', customerProfile: 'b2c' });
  await write('batch', {
    atomic: false,
    operations: Array.from({ length: 120 }, (_, i) => ({
      operation: 'updateCustomerCustomName',
      body: { customer: { externalId: 'busy' }, customName: `Name ${i + 1}` },
    })),
  });
  await page.goto(`${url}/care/customers/${payload.refId}?tab=timeLine`);
  const events = page.getByRole('list', { name: 'Time line' }).getByRole('listitem');
  for (const whole of [false, true]) {
    if (whole) await page.getByText('Whole customer').click();
    await page.getByRole('button', { name: 'Load more' }).waitFor();
    assert.equal(await events.count(), 50);
    assert.match(await events.first().textContent(), /Name 120/);
    await page.getByRole('button', { name: 'Load more' }).click();
    await page.getByRole('button', { name: 'Load more' }).click();
    await events.nth(120).waitFor();
    assert.match(await events.nth(120).textContent(), /New customer/);
    assert.equal(await page.getByRole('button', { name: 'Load more' }).count(), 0);
  }
});

browse('the page as of a past time is read only and marked; one click leads back', async (page) => {
  await page.goto(`${url}/care/subscribers/${ids.anna}?tab=timeLine`);
  const created = page.getByRole('list', { name: 'Time line' }).getByRole('listitem').filter({ hasText: 'order 4711' });
  await created.getByRole('link', { name: 'View as of then' }).click();
  await title(page, 'Anna');
  assert.equal(new URL(page.url()).searchParams.get('asOf'), firstMoment);
  await page.getByText('The past can be read only.').waitFor();
  assert.equal(await page.getByRole('button', { name: 'Actions' }).count(), 0);
  await page.getByRole('region', { name: 'Resources' }).getByText('436641000001').waitFor();
  assert.equal(await page.getByText('436641000009').count(), 0);
  await item(page, /^Subscriber Anna/).waitFor();
  await accessible(page);
  // It stays the past from page to page, and reloaded.
  await item(page, /^Customer/).click();
  await title(page, 'Family Gruber');
  await page.reload();
  await page.getByText('The past can be read only.').waitFor();
  await page.getByRole('main').getByText('Active', { exact: true }).first().waitFor();
  await page.getByRole('link', { name: 'Back to now' }).click();
  await page.getByRole('main').getByText('Suspended', { exact: true }).first().waitFor();
  await page.getByRole('button', { name: 'Actions' }).waitFor();

  await page.getByRole('button', { name: 'As of …' }).click();
  await page.getByLabel('Show everything as it was at').fill('2199-01-01T00:00:00');
  await page.getByRole('button', { name: 'Show', exact: true }).click();
  await page.getByText('This is in the future.').waitFor();
  await page.getByLabel('Show everything as it was at').fill('2001-01-01T00:00:00');
  await page.getByRole('button', { name: 'Show', exact: true }).click();
  await page.getByText('It was not there at that time.').waitFor();
  await page.getByRole('link', { name: 'Back to now' }).click();
  await title(page, 'Family Gruber');
});

browse('the histories of state, segment, bill cycle and parent', async (page) => {
  await page.goto(`${url}/care/accounts/${ids.sub}?tab=histories`);
  const states = page.getByRole('region', { name: 'States' });
  await states.getByText('Suspended').waitFor();
  assert.equal(await states.getByRole('row').count(), 3);
  await page.getByRole('region', { name: 'Parents' }).getByRole('link', { name: 'top' }).waitFor();
  await accessible(page);
});

browse(
  'every page of an entity at 360 pixels, in German',
  async (page) => {
    for (const place of [`accounts/${ids.top}`, `subscribers/${ids.anna}`, `subscriptions/${ids.mobile}`]) {
      for (const rest of ['', '?tab=histories', '?tab=timeLine', `?asOf=${firstMoment}`]) {
        await page.goto(`${url}/care/${place}${rest}`);
        await page.getByRole('tab', { name: 'Zeitleiste' }).waitFor();
        await page.waitForLoadState('networkidle');
        assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
        await accessible(page);
      }
    }
  },
  { locale: 'de-AT', viewport: { width: 360, height: 740 } },
);

const script = '<img src=x onerror="document.title=\'broken into\'"><script>document.title="broken into"</script>';
const turned = 'safe\u202egnp.exe';
const long = 'Ü'.repeat(255);

for (const [device, options] of [
  ['a desk', {}],
  ['360 pixels, dark', { viewport: { width: 360, height: 740 }, colorScheme: 'dark' }],
]) {
  browse(
    `hostile names do no harm on ${device}`,
    async (page) => {
      const prefix = `${crypto.randomUUID()}-`;
      for (const [i, customName] of [script, turned, long].entries()) {
        const { payload } = await write('customers/create', {
          externalId: prefix + i,
          customerProfile: 'b2c',
          customName,
          customAttributes: { [customName.slice(0, 100)]: customName },
        });
        await write('accounts/create', { accountProfile: 'postpaid', customer: { refId: payload.refId }, customName });
        for (const tab of ['', '?tab=timeLine', '?tab=timeLine&whole=true']) {
          await page.goto(`${url}/care/customers/${payload.refId}${tab}`);
          await title(page, customName);
          assert.equal(await page.title(), `${customName} – casm`);
          assert.equal(await page.evaluate(() => getComputedStyle(document.querySelector('h1 bdi')).unicodeBidi), 'isolate');
          if (tab) await page.getByRole('list', { name: 'Time line' }).waitFor();
          assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), page.viewportSize().width);
          if (tab !== '?tab=timeLine') await accessible(page);
        }
        await page.goto(`${url}/care/search?q=${prefix}${i}`);
        await page.getByRole('link', { name: customName, exact: true }).waitFor();
        assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), page.viewportSize().width);
      }
      await page.goto(`${url}/care/customers?externalId=${prefix}`);
      await page.getByRole('link', { name: long, exact: true }).waitFor();
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), page.viewportSize().width);
      assert.equal(await page.locator('main img, main script').count(), 0);
    },
    options,
  );
}
