import assert from 'node:assert/strict';
import { accessible, browse, call, open, url } from './harness.js';
import { act, check, doIt, field, inDays, pick, read, show, write } from './operate.js';

let n = 0;
/** A customer of its own for a test. */
async function customer(more = {}) {
  const externalId = `trouble-${++n}`;
  await write('customers/create', {
    customerProfile: 'b2b',
    externalId,
    customName: 'Before',
    customAttributes: { city: 'Graz' },
    ...more,
  });
  return externalId;
}

browse('what is refused stands at its field, and nothing typed is lost', async (page) => {
  const id = await customer();
  await show(page, 'customers', id);
  await act(page, 'New account');
  await field(page, '/externalId').fill('refused-account');
  await field(page, '/customName').fill('Kept');
  await pick(page, '/billCycle', 'monthlyIndividual');
  await field(page, '/billingDay').fill('99');
  await page.getByRole('button', { name: 'Check', exact: true }).click();
  await page.getByRole('alert').filter({ hasText: 'refused' }).waitFor();
  assert.equal(await field(page, '/billingDay').getAttribute('aria-invalid'), 'true');
  await accessible(page);
  await field(page, '/billingDay').fill('15');
  await page.getByRole('button', { name: 'Check', exact: true }).click();
  await page.locator('[data-pointer="/accountType"][aria-invalid="true"]').waitFor();
  await pick(page, '/accountProfile', 'postpaid', /^postpaid —/);
  await check(page);
  assert.equal(await field(page, '/customName').inputValue(), 'Kept');
  await doIt(page);
  assert.equal((await read('accounts', 'refused-account')).billingDay, 15);
});

browse('a check that was followed by a change does not count', async (page) => {
  await show(page, 'customers', await customer());
  await act(page, 'Change the name');
  await field(page, '/customName').fill('One');
  await check(page);
  await field(page, '/customName').fill('Two');
  await page.getByText('The form has changed since the check.').waitFor();
  assert.equal(await page.getByRole('button', { name: 'Do it' }).count(), 0);
  await page.keyboard.press('Escape');
  assert.equal(await field(page, '/customName').inputValue(), 'Two', 'Escape does not throw away what was typed');
});

browse('an empty name removes it; merged attributes say only what differs', async (page) => {
  const id = await customer();
  await show(page, 'customers', id);
  await act(page, 'Change several attributes');
  await field(page, '/customName').fill('');
  await check(page);
  await doIt(page);
  const after = await read('customers', id);
  assert.equal(after.customName, undefined);
  assert.deepEqual(after.customAttributes, { city: 'Graz' });
  const { body } = await call('POST', '/v1/casm/customers/custom-attributes/update', {
    requestId: crypto.randomUUID(),
    customer: { externalId: id },
    customAttributes: { street: 'Ring 1', zip: '8010' },
    merge: true,
  });
  assert.equal(body.impactedTotal, 1);
  await show(page, 'customers', id);
  await act(page, 'Change custom attributes');
  const dialog = page.getByRole('dialog');
  await dialog.locator('input[value="Ring 1"]').fill('Ring 2');
  await dialog.locator('input[value="zip"]').fill('');
  await dialog.locator('input[value="8010"]').fill('');
  await field(page, '/merge').check();
  const sent = page.waitForRequest('**/customers/custom-attributes/update?dryRun=true');
  await check(page);
  assert.deepEqual((await sent).postDataJSON().customAttributes, { street: 'Ring 2', zip: null });
  await doIt(page);
  assert.deepEqual((await read('customers', id)).customAttributes, { city: 'Graz', street: 'Ring 2' });
});

browse('a check that does not reach the server is tried again, with what was typed', async (page) => {
  await show(page, 'customers', await customer());
  await act(page, 'Change the name');
  await field(page, '/customName').fill('Kept');
  await page.route('**/customers/custom-name/update*', (route) => route.abort('connectionreset'));
  await page.getByRole('button', { name: 'Check', exact: true }).click();
  await page.getByText('The server cannot be reached').waitFor();
  await page.unroute('**/customers/custom-name/update*');
  await page.getByRole('alert').getByRole('button', { name: 'Try again' }).click();
  await page.getByRole('region', { name: 'What would change' }).waitFor();
  assert.equal(await field(page, '/customName').inputValue(), 'Kept');
  page.complaints = page.complaints.filter((c) => !c.includes('ERR_CONNECTION_RESET'));
});

browse('two people change one customer: the second is told and overwrites nothing', async (page) => {
  const id = await customer();
  const other = await open();
  await show(page, 'customers', id);
  await show(other, 'customers', id);
  await act(page, 'Change several attributes');
  await field(page, '/customName').fill('Mine');
  await act(other, 'Change several attributes');
  await other.getByRole('dialog').getByLabel('Custom Attributes: Value 1').fill('Linz');
  await check(other);
  await doIt(other);
  await other.context().close();
  await page.getByRole('button', { name: 'Check', exact: true }).click();
  await page.getByText('Somebody else changed this in the meantime.').waitFor();
  assert.equal((await read('customers', id)).customName, 'Before');
  await page.getByRole('button', { name: 'Read again and compare' }).click();
  await page.getByRole('table', { name: 'What they changed' }).getByText('Linz').waitFor();
  await accessible(page);
  assert.equal(await field(page, '/customName').inputValue(), 'Mine');
  await check(page);
  await doIt(page);
  const after = await read('customers', id);
  assert.deepEqual([after.customName, after.customAttributes], ['Mine', { city: 'Linz' }]);
});

browse('an answer that is lost: the same requestId again, and one effect', async (page) => {
  const id = await customer();
  await write('customers/subscriptions/create', {
    customer: { externalId: id },
    offer: 'welcome_credit',
    externalId: `${id}-credit`,
    state: { state: 'ACTIVE', stateReason: 'dfltActive' },
  });
  await show(page, 'subscriptions', `${id}-credit`);
  await page.getByRole('button', { name: 'Top up: credit' }).click();
  await field(page, '/amount').fill('5');
  await check(page);
  const sent = [];
  await page.route('**/v1/casm/subscriptions/balance/update*', async (route) => {
    sent.push(route.request().postDataJSON().requestId);
    if (sent.length > 1) return route.continue();
    await route.fetch(); // the server does it
    await route.abort('connectionreset'); // and the answer is lost
  });
  await page.getByRole('button', { name: 'Do it' }).click();
  await page.getByText('The server cannot be reached').waitFor();
  assert.equal(await field(page, '/amount').inputValue(), '5');
  await page.getByRole('button', { name: 'Try again' }).last().click();
  await page.getByRole('dialog').waitFor({ state: 'hidden' });
  assert.equal(sent.length, 2);
  assert.equal(sent[0], sent[1]);
  await page.getByText('15 EUR left of 10 EUR').waitFor();
  page.complaints = page.complaints.filter((c) => !c.includes('ERR_CONNECTION_RESET'));
});

browse('the keyboard alone: choose, fill in, check, do', async (page) => {
  const id = await customer();
  await show(page, 'customers', id);
  await page.getByRole('button', { name: 'Actions', exact: true }).first().focus();
  await page.keyboard.press('Enter');
  await page.getByRole('menuitem', { name: 'Change the state' }).waitFor();
  while ((await page.evaluate(() => document.activeElement.textContent)) !== 'Change the name') await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  for (let i = 0; i < 5 && !(await field(page, '/customName').evaluate((e) => e === document.activeElement)); i++)
    await page.keyboard.press('Tab');
  await page.keyboard.press('Control+a');
  await page.keyboard.type('By keyboard');
  await page.keyboard.press('Enter');
  await page.getByRole('region', { name: 'What would change' }).waitFor();
  for (let i = 0; i < 5 && (await page.evaluate(() => document.activeElement.textContent)) !== 'Do it'; i++)
    await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor({ state: 'hidden' });
  assert.equal((await read('customers', id)).customName, 'By keyboard');
});

browse(
  'dark, German and small: nothing runs over',
  async (page) => {
    const id = await customer({ customName: 'Donaudampfschifffahrtsgesellschaftskapitänswitwenrentenauszahlungsstelle'.repeat(3) });
    const { refId } = await read('customers', id);
    await page.goto(`${url}/care/customers/${refId}`);
    await page.getByRole('button', { name: 'Aktionen', exact: true }).first().click();
    await page.getByRole('menuitem', { name: 'Zustand ändern' }).click();
    await field(page, '/state/state').selectOption('SUSPENDED');
    await pick(page, '/state/stateReason', 'debt');
    await field(page, '/state/stateValidFrom').fill(inDays(3));
    await page.getByRole('button', { name: 'Prüfen' }).click();
    await page.getByRole('region', { name: 'Was sich ändern würde' }).waitFor();
    await accessible(page);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
    await page.getByRole('button', { name: 'Ausführen' }).click();
    await page.getByText('Tritt von selbst ein').first().waitFor();
    await page.getByText('Gesperrt').first().waitFor();
    await accessible(page);
  },
  { locale: 'de-AT', colorScheme: 'dark', viewport: { width: 360, height: 740 } },
);

browse('every operation that names an entity of a kind is in its menu', async (page) => {
  const id = await customer();
  await write('accounts/create', { accountProfile: 'postpaid', customer: { externalId: id }, externalId: `${id}-account` });
  const { paths } = (await call('GET', '/openapi.json')).body;
  const wanted = Object.keys(paths).filter((p) => /^\/v1\/casm\/accounts\/.*update$/.test(p) && paths[p].post).length;
  await show(page, 'accounts', `${id}-account`);
  await page.getByRole('button', { name: 'Actions', exact: true }).first().click();
  const names = await page.getByRole('menuitem').allTextContents();
  assert.equal(names.filter((name) => /^(Change|Move)/.test(name)).length, wanted, names.join(', '));
  assert.equal(names.filter((name) => /planned/.test(name)).length, 0, 'nothing is planned');
});

browse('an account below another, found by the picker among the customer’s own, moved to the top', async (page) => {
  const id = await customer();
  await write('accounts/create', { accountProfile: 'postpaid', customer: { externalId: id }, externalId: `${id}-top` });
  await write('accounts/create', { accountProfile: 'postpaid', customer: { externalId: await customer() }, externalId: `${id}-foreign` });
  await show(page, 'accounts', `${id}-top`);
  await act(page, 'New account');
  await pick(page, '/accountProfile', 'postpaid', /^postpaid —/);
  await field(page, '/externalId').fill(`${id}-below`);
  await check(page);
  await doIt(page);
  assert.equal((await read('accounts', `${id}-below`)).parent.externalId, `${id}-top`);
  await show(page, 'accounts', `${id}-below`);
  await act(page, 'Move below another account');
  await field(page, '/parent').fill(id);
  await page.getByRole('option', { name: `${id}-below` }).waitFor();
  assert.equal(await page.getByRole('option', { name: `${id}-foreign` }).count(), 0);
  await page.keyboard.press('Escape');
  await field(page, '/parent').locator('..').getByRole('button', { includeHidden: true }).click();
  await check(page);
  await doIt(page);
  assert.equal((await read('accounts', `${id}-below`)).parent, undefined);
});

browse('an individual offer asks for the attributes of its individual services only', async (page) => {
  const id = await customer();
  await show(page, 'customers', id);
  await act(page, 'Individual offer');
  await pick(page, '/offer', 'mobile_project');
  assert.equal(await page.getByRole('group', { name: /Monthly Fee.*EUR/ }).count(), 1);
  assert.equal(await page.getByRole('dialog').getByRole('group', { name: /Data/ }).count(), 0);
  await field(page, '/state/state').selectOption('ACTIVE');
  await pick(page, '/state/stateReason', 'dfltActive');
  await field(page, '/externalId').fill(`${id}-project`);
  await page.getByRole('button', { name: 'Check', exact: true }).click();
  await page.locator('[data-pointer="/charge"][aria-invalid="true"]').waitFor();
  await field(page, '/charge').fill('19.90');
  assert.match(await (await check(page)).textContent(), /19\.9/);
  await doIt(page);
  const { services } = await read('subscriptions', `${id}-project`);
  assert.equal(services.find((s) => s.service === 'fee').attributes.charge, 19_900_000);
});

browse('an expired balance says so, and is topped up without end', async (page) => {
  const id = await customer();
  await write('customers/subscriptions/create', {
    customer: { externalId: id },
    offer: 'welcome_credit',
    externalId: `${id}-old`,
    state: { state: 'ACTIVE', stateReason: 'dfltActive', stateValidFrom: new Date(Date.now() - 60 * 86_400_000).toISOString() },
  });
  await show(page, 'subscriptions', `${id}-old`);
  await page.getByText('Expired').first().waitFor();
  await page.getByRole('button', { name: 'Top up: credit' }).click();
  await field(page, '/amount').fill('1');
  await page.getByRole('button', { name: 'Check', exact: true }).click();
  await page.getByRole('alert').filter({ hasText: 'refused' }).waitFor();
  await page.getByLabel('Valid without end').check();
  await check(page);
  await doIt(page);
  await page.getByText('11 EUR left of 10 EUR').waitFor();
  await page.getByText('without end').first().waitFor();
  assert.equal((await read('subscriptions', `${id}-old`, '&balances=true')).balances[0].validTo, undefined);
});

browse('an operation that the console never heard of is in the menu, with its form', async (page) => {
  await page.route('**/openapi.json', async (route) => {
    const response = await route.fetch();
    const document = await response.json();
    const { requestId, customer } = document.components.schemas.UpdateCustomerSegmentRequest.properties;
    const schema = {
      type: 'object',
      required: ['requestId', 'customer', 'loudness'],
      properties: { requestId, customer, loudness: { type: 'integer', title: 'Loudness', description: 'How loud.' } },
    };
    const post = { operationId: 'updateCustomerLoudness', summary: 'Changes how loud a customer is.' };
    document.paths['/v1/casm/customers/loudness/update'] = {
      post: { ...post, requestBody: { content: { 'application/json': { schema } } } },
    };
    await route.fulfill({ response, json: document });
  });
  await show(page, 'customers', await customer());
  await act(page, 'Changes how loud a customer is.');
  await field(page, '/loudness').fill('11');
  assert.equal(await page.getByRole('dialog').getByRole('textbox').count(), 1, 'the customer and the requestId are given');
});
