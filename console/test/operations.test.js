import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { accessible, browse, call, control, menu, perspective, url } from './harness.js';

let n = 0;
/** Makes a customer beside the browser. */
async function customer(externalId, more = {}) {
  const body = { requestId: `ops-${Date.now()}-${n++}`, externalId, customerProfile: 'b2b', ...more };
  const answer = await call('POST', '/v1/casm/customers/create', body);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body.payload;
}

const row = (page, name) => page.getByRole('button', { name: `Show the message about ${name}`, exact: true });
const live = (page) => page.getByText('Live', { exact: true });

async function transactions(page) {
  await page.goto(`${url}/operations/transactions`);
  await live(page).waitFor();
}

browse('a change made by another client appears at once, the newest on top', async (page) => {
  await page.goto(url);
  await perspective(page, 'Operations');
  await page.getByRole('heading', { level: 1, name: 'Business Transactions' }).waitFor();
  await live(page).waitFor();
  await customer('live-1');
  const begun = performance.now();
  const made = await customer('live-2', { customName: '\u202Eevil<img src=x onerror=alert(1)>', comment: 'why' });
  await row(page, 'live-2').waitFor();
  const took = performance.now() - begun;
  console.log(`shown after ${Math.round(took)} ms`);
  assert.ok(took < 3_000, `shown after ${took} ms`);
  const names = await page.getByRole('button', { name: /^Show the message about/ }).allTextContents();
  assert.deepEqual(names.slice(0, 2), ['live-2', 'live-1']);

  await row(page, 'live-2').click();
  const message = page.getByRole('dialog');
  await message.getByText('createCustomer', { exact: true }).waitFor();
  const { items } = (await call('GET', `/v1/business-transactions?after=0&limit=1000&headers=true&customer=${made.refId}`)).body;
  const headers = await message.getByRole('table', { name: 'Headers' }).getByRole('row').allInnerTexts();
  assert.deepEqual(Object.fromEntries(headers.map((h) => h.split('\t'))), items[0].headers);
  assert.match(await message.locator('pre').first().textContent(), /"customName": "\\u202eevil<img src=x onerror=alert\(1\)>"/);
  assert.equal(await message.getByRole('link', { name: 'Open in Customer Care' }).getAttribute('href'), `/care/customers/${made.refId}`);

  // The command gives the same message, from a shell too.
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await message.getByRole('button', { name: 'Copy as curl' }).click();
  await message.getByText('Copied').waitFor();
  const command = await page.evaluate(() => navigator.clipboard.readText());
  const address = /'(http[^']*)'$/.exec(command)[1];
  assert.ok(address.startsWith(url), command);
  assert.deepEqual((await (await fetch(address)).json()).items, items);
  await accessible(page);
});

browse('filter by message, operation and customer; pause and go on', async (page) => {
  await transactions(page);
  const a = await customer('filter-a');
  await customer('filter-b');
  await row(page, 'filter-b').waitFor();

  await page.getByLabel('Customer', { exact: true }).fill('filter-a');
  await page.keyboard.press('Enter');
  await row(page, 'filter-b').waitFor({ state: 'detached' });
  await row(page, 'filter-a').waitFor();
  await page.getByLabel('Customer', { exact: true }).fill('nobody');
  await page.keyboard.press('Enter');
  await page.getByText('There is no such customer.').waitFor();
  await page.getByLabel('Customer', { exact: true }).fill('');
  await page.keyboard.press('Enter');
  await row(page, 'filter-b').waitFor();

  const changed = await call('POST', '/v1/casm/customers/custom-name/update', {
    requestId: `ops-${Date.now()}-${n++}`,
    customer: { refId: a.refId },
    customName: 'A',
  });
  assert.equal(changed.status, 200);
  await page.getByLabel('Operation', { exact: true }).fill('customname');
  await page.getByText('updateCustomerCustomName', { exact: true }).waitFor();
  assert.equal(await page.getByRole('button', { name: /^Show the message about/ }).count(), 1);
  await page.getByLabel('Operation', { exact: true }).fill('');

  await page.getByLabel('Message', { exact: true }).selectOption('account');
  await row(page, 'filter-b').waitFor({ state: 'detached' });
  await page.getByText('Nothing matches the filter yet.').waitFor();
  await page.getByLabel('Message', { exact: true }).selectOption('');
  await row(page, 'filter-b').waitFor();

  await page.getByRole('button', { name: 'Pause' }).click();
  await customer('paused-1');
  await customer('paused-2');
  await page.getByRole('button', { name: 'Go on (2 waiting)' }).waitFor();
  assert.equal(await row(page, 'paused-1').count(), 0);
  await page.getByRole('button', { name: 'Go on (2 waiting)' }).click();
  await row(page, 'paused-1').waitFor();
  await row(page, 'paused-2').waitFor();
});

browse('the stream goes on where it was after the server was killed', async (page) => {
  await transactions(page);
  await customer('before-the-kill');
  await row(page, 'before-the-kill').waitFor();
  await control('kill');
  await page.getByText('The stream is away.').waitFor();
  await accessible(page);
  await control('start');
  await customer('after-the-kill');
  await row(page, 'after-the-kill').waitFor({ timeout: 20_000 });
  await page.getByText('The stream is away.').waitFor({ state: 'detached' });
  assert.equal(await row(page, 'before-the-kill').count(), 1);
  page.complaints = page.complaints.filter((c) => !c.includes('ERR_')); // the connection was cut, and refused
});

browse('the page keeps the last thousand', async (page) => {
  await transactions(page);
  for (let i = 0; i < 11; i++) {
    const operations = Array.from({ length: 100 }, (_, k) => ({
      operation: 'createCustomer',
      body: { externalId: `many-${i}-${k}`, customerProfile: 'b2b' },
    }));
    const answer = await call('POST', '/v1/casm/batch', { requestId: `ops-many-${Date.now()}-${i}`, operations });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
  }
  await row(page, 'many-10-99').waitFor();
  await page.getByText('1000 shown').waitFor();
  assert.equal(await row(page, 'many-0-0').count(), 0);
});

browse('the journal, page by page', async (page) => {
  await customer('journal-last');
  await page.goto(`${url}/operations/journal`);
  const { items } = (await call('GET', '/v1/business-transactions?after=0&limit=51')).body;
  await row(page, items[0].payload.externalId).first().waitFor();
  if (items.length > 50) {
    await page.getByRole('button', { name: 'Newer' }).click();
    await row(page, items[50].payload.externalId).first().waitFor();
    await page.getByRole('button', { name: 'Older' }).click();
    await row(page, items[0].payload.externalId).first().waitFor();
  }
  await page.getByRole('button', { name: 'Newest' }).click();
  await row(page, 'journal-last').waitFor();
  await page.getByLabel('Behind position').fill('somewhere');
  await page.getByRole('button', { name: 'Show', exact: true }).click();
  await page.getByText('is not a position such as 42-0').waitFor();
  await page.getByLabel('Behind position').fill(items[0].position);
  await page.getByRole('button', { name: 'Show', exact: true }).click();
  await row(page, items[1].payload.externalId).first().waitFor();
  await accessible(page);
});

browse('charts show what the warehouse counts, and it equals the journal', async (page) => {
  const made = await customer('chart-1');
  const account = await call('POST', '/v1/casm/accounts/create', {
    requestId: `ops-${Date.now()}-a`,
    customer: { refId: made.refId },
    accountProfile: 'postpaid',
  });
  assert.equal(account.status, 200, JSON.stringify(account.body));
  const subscription = await call('POST', '/v1/casm/customers/subscriptions/create', {
    requestId: `ops-${Date.now()}-s`,
    customer: { refId: made.refId },
    offer: 'offer_code',
    state: { state: 'ACTIVE', stateReason: 'dfltActive' },
  });
  assert.equal(subscription.status, 200, JSON.stringify(subscription.body));
  let metrics;
  do metrics = (await call('GET', '/v1/dwh/metrics')).body;
  while (metrics.lag.messages > 0 || !metrics.subscriptionsByOffer.offer_code);

  await page.goto(`${url}/operations/warehouse`);
  const text = (count) => count.toLocaleString('en');
  for (const [title, counts] of [
    ['Customers by state', metrics.customersByState],
    ['Accounts by state', metrics.accountsByState],
    ['Subscriptions by offer', metrics.subscriptionsByOffer],
  ]) {
    await page.getByRole('table', { name: title }).waitFor();
    const rows = await page.getByRole('table', { name: title }).getByRole('row').allInnerTexts();
    const shown = Object.fromEntries(rows.map((r) => r.split('\t').map((s) => s.trim())));
    delete shown.Total;
    const wanted = Object.entries(counts).filter(([, count]) => count !== 0);
    assert.deepEqual(shown, Object.fromEntries(wanted.map(([name, count]) => [name, text(count)])), title);
  }
  await page.getByLabel('Type', { exact: true }).selectOption('Customer');
  await page.getByText('As a table').click();
  const today = metrics.perDay.find((d) => d.type === 'Customer');
  await page
    .getByRole('table', { name: 'Customers, Activated, 30 days' })
    .getByRole('row', { name: `${today.date} ${text(today.activated)}`, exact: true })
    .waitFor();
  const balances = await page.getByRole('table', { name: 'Balances' }).getByRole('row').allInnerTexts();
  assert.equal(balances.length, metrics.balances.length + 1);
  for (const b of metrics.balances) {
    const shown = balances.find((r) => r.startsWith(`${b.service}\t`)).split('\t');
    if (b.unitOfMeasure) assert.deepEqual(shown.slice(1, 5), [b.unitOfMeasure, text(b.count), text(b.granted), text(b.actual)]);
  }
  await page.getByRole('button', { name: 'Compare now' }).click();
  await page.getByText('Everything is equal.').waitFor();
  const types = await page.getByRole('table', { name: 'Reconciliation' }).getByRole('row').count();
  assert.equal(types, (await call('GET', '/v1/dwh/reconciliation')).body.types.length + 1);
  await accessible(page);
});

browse('health', async (page) => {
  await page.goto(`${url}/operations/health`);
  await page.getByText('Ready to serve').waitFor();
  await page.getByRole('region', { name: 'Relay to the stream' }).getByText('running').waitFor();
  await page.getByRole('region', { name: 'Data Warehouse' }).getByText('following').waitFor();
  const version = /casm_build_info\{[^}]*version="([^"]+)"/.exec(await (await fetch(`${url}/metrics`)).text())[1];
  await page.getByRole('region', { name: 'Server' }).getByText(version, { exact: true }).waitFor();
  await accessible(page);
});

browse('the configuration is exported, changed, and imported with its difference shown', async (page) => {
  await page.goto(`${url}/operations/transfer`);
  const files = {};
  for (const format of ['YAML', 'JSON']) {
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: `Download ${format}` }).click()]);
    assert.match(download.suggestedFilename(), new RegExp(`^casm-configuration-\\d{4}-\\d\\d-\\d\\d\\.${format.toLowerCase()}$`));
    files[format] = readFileSync(await download.path(), 'utf8');
  }
  assert.equal(files.YAML, await (await fetch(`${url}/v1/config/export`)).text());
  const whole = JSON.parse(files.JSON);

  // The same changes nothing.
  const field = page.getByLabel('Document');
  await page.locator('input[type=file]').setInputFiles({ name: 'c.yaml', mimeType: 'application/yaml', buffer: Buffer.from(files.YAML) });
  await page.getByRole('button', { name: 'Show the difference' }).click();
  await page.getByText('There is no difference').waitFor();

  // What is wrong is said with its place, and what was typed stays.
  await field.fill('charging-classes:\n  - {code: a, name: A, parent: nowhere}\n');
  await page.getByRole('button', { name: 'Show the difference' }).click();
  await page.getByRole('table', { name: 'What is wrong' }).getByText('/charging-classes/0/parent').waitFor();
  assert.match(await field.inputValue(), /nowhere/);
  await accessible(page);

  const codes = whole['gl-codes'].filter((c) => c.code !== '4090');
  codes.find((c) => c.code === '4000').name = 'Renamed';
  codes.push({ code: '4999', name: 'New' });
  await field.fill(JSON.stringify({ 'gl-codes': codes }));
  await page.getByRole('button', { name: 'Show the difference' }).click();
  await page.getByText('3 items will change').waitFor();
  await page.getByText('1 item will be deleted.').waitFor();
  await page.getByRole('row', { name: /gl-codes\/4000 changed name was .* becomes Renamed/ }).waitFor();
  await page.getByRole('row', { name: /gl-codes\/4090 deleted/ }).waitFor();
  await page.getByRole('row', { name: /gl-codes\/4999 created/ }).waitFor();
  await accessible(page);
  assert.equal((await call('GET', '/v1/config/gl-codes/4999')).status, 404, 'nothing was done so far');
  await page.getByRole('button', { name: 'Import 3 changes' }).click();
  await page.getByText('3 items were changed').waitFor();
  assert.equal((await call('GET', '/v1/config/gl-codes/4000')).body.name, 'Renamed');
  assert.equal((await call('GET', '/v1/config/gl-codes/4090')).status, 404);
});

const pages = ['Business Transactions', 'Journal', 'Data Warehouse', 'Health', 'Export and Import'];
const german = ['Geschäftsvorfälle', 'Journal', 'Data-Warehouse', 'Zustand', 'Export und Import'];

browse('by the keyboard alone', async (page) => {
  await customer('by-keyboard');
  await page.goto(url);
  await page.getByRole('heading', { level: 1 }).waitFor();
  for (const name of pages) {
    await page.keyboard.press('Control+k');
    await page.getByPlaceholder('Find a page …').fill(name);
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { level: 1, name, exact: true }).waitFor();
    await page.getByPlaceholder('Find a page …').waitFor({ state: 'detached' });
  }
  await transactions(page);
  await row(page, 'by-keyboard').focus();
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').getByText('createCustomer', { exact: true }).waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
});

browse(
  'dark, German and small',
  async (page) => {
    await customer(`${'sehr-lang'.repeat(25)}`);
    await page.goto(`${url}/operations/transactions`);
    await page
      .getByRole('button', { name: /^Nachricht über sehr-lang/ })
      .first()
      .waitFor();
    for (const [i, name] of german.entries()) {
      if (i > 0) {
        await page.getByRole('button', { name: 'Menü öffnen' }).click();
        await menu(page, name);
      }
      await page.waitForLoadState('networkidle').catch(() => {}); // the live stream never ends
      await accessible(page);
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360, name);
    }
  },
  { locale: 'de-AT', colorScheme: 'dark', viewport: { width: 360, height: 740 } },
);
