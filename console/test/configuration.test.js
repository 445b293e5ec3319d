import assert from 'node:assert/strict';
import { accessible, browse, call, menu, open, perspective, url } from './harness.js';

/** Fills a new item's form and saves it. */
async function create(page, collection, fields) {
  await menu(page, collection);
  await page.getByRole('link', { name: '+ New' }).click();
  await fill(page, fields);
  await save(page);
}

async function fill(page, fields) {
  for (const [label, value] of Object.entries(fields)) {
    const field = page.getByLabel(label, { exact: true });
    if (value === true) await field.check();
    else if ((await field.getAttribute('aria-haspopup')) === 'listbox') {
      await field.fill(value);
      await page.getByRole('option').filter({ hasText: value }).first().click();
    } else if ((await field.evaluate((e) => e.tagName)) === 'SELECT') await field.selectOption(value);
    else await field.fill(value);
  }
}

async function save(page) {
  const answered = page.waitForResponse((r) => ['POST', 'PUT'].includes(r.request().method()) && r.ok());
  await page.getByRole('button', { name: 'Save' }).click();
  await answered;
  await page
    .getByText(/is saved\.$/)
    .first()
    .waitFor();
}

browse('the tutorial, step by step', async (page) => {
  await page.goto(url);
  await perspective(page, 'Integration Configuration');

  await create(page, 'Account Types', {
    Name: 'Residential payer',
    Description: 'Pays its own bill',
    Code: 'residential',
    'Payment Responsible': true,
  });
  // the code cannot be edited after the first Save
  await page.getByLabel('Code', { exact: true }).and(page.locator(':disabled')).waitFor();
  await accessible(page);
  for (const kind of ['Customer', 'Account', 'Subscriber']) {
    await create(page, `${kind} Segments`, { Name: `Gold ${kind}`, Code: 'gold' });
  }
  const state = { State: 'ACTIVE', 'State Reason': 'dfltActive' };
  await create(page, 'Customer Profiles', { Name: 'Residential', Code: 'residential', 'Customer Segment': 'gold', ...state });
  await create(page, 'Account Profiles', {
    Name: 'Residential',
    Code: 'residential',
    'Account Type': 'residential',
    'Account Segment': 'gold',
    'Bill Cycle': 'monthly',
    Currency: 'EUR',
    'Customer Profile': 'residential',
    ...state,
  });
  // the server sets it from the account type
  await page.getByLabel('Payment Responsible').and(page.locator(':checked')).waitFor();
  await create(page, 'Subscriber Profiles', {
    Name: 'Residential',
    Code: 'residential',
    'Subscriber Segment': 'gold',
    'Account Profile': 'residential',
    ...state,
  });
  await accessible(page);

  // The configuration made by hand is the one that a CRM then uses.
  const made = await call('POST', '/v1/casm/subscribers/create', {
    requestId: 'tutorial-1',
    subscriberProfile: 'residential',
    primaryResource: '436641234567',
  });
  assert.equal(made.status, 200, JSON.stringify(made.body));
  assert.equal(made.body.payload.subscriberSegment, 'gold');
});

browse('what is refused stands beside its field, and nothing typed is lost', async (page) => {
  await page.goto(`${url}/configuration/account-types/new`);
  await page.getByLabel('Name', { exact: true }).fill('Two words');
  await page.getByLabel('Code', { exact: true }).fill('two words');
  await page.getByRole('button', { name: 'Save' }).click();
  const code = page.getByLabel('Code', { exact: true });
  await page.getByText('See the fields below.').waitFor();
  assert.equal(await code.getAttribute('aria-invalid'), 'true');
  const told = await code.evaluate((e) =>
    e
      .getAttribute('aria-describedby')
      .split(' ')
      .map((id) => document.getElementById(id)?.textContent)
      .join(' '),
  );
  assert.match(told, /two words/);
  assert.equal(await page.evaluate(() => document.activeElement.closest('[data-pointer]')?.dataset.pointer), '/code');
  assert.equal(await page.getByLabel('Name', { exact: true }).inputValue(), 'Two words');
  await accessible(page);
  await call('POST', '/v1/config/account-types', { code: 'taken', name: 'Taken' });
  await code.fill('taken');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText(/taken.*(already|exists)|(already|exists).*taken/).waitFor();
  assert.equal(await code.getAttribute('aria-invalid'), 'true');
  await code.fill('two-words');
  await save(page);
});

browse('without a connection what was typed stays, and is sent when it is back', async (page) => {
  await page.goto(`${url}/configuration/gl-codes/new`);
  await page.getByLabel('Name', { exact: true }).fill('Voice');
  await page.getByLabel('Code', { exact: true }).fill('4711');
  await page.context().setOffline(true);
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('The server cannot be reached.').waitFor();
  await page.context().setOffline(false);
  await page.waitForTimeout(100);
  page.complaints = page.complaints.filter((c) => !c.includes('ERR_INTERNET_DISCONNECTED'));
  await save(page);
});

browse('two people change one item: the second is told, and nothing is overwritten', async (page) => {
  await call('POST', '/v1/config/charging-classes', { code: 'shared', name: 'Shared' });
  const address = `${url}/configuration/charging-classes/items/shared`;
  const other = await open();
  await page.goto(address);
  await other.goto(address);
  await other.getByLabel('Name', { exact: true }).fill('Theirs');
  await save(other);
  await page.getByLabel('Description', { exact: true }).fill('Mine');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Somebody else saved this while you were editing.').waitFor();
  await page.getByRole('cell', { name: 'Theirs' }).waitFor();
  await accessible(page);
  assert.equal((await call('GET', '/v1/config/charging-classes/shared')).body.name, 'Theirs');
  assert.equal(await page.getByLabel('Description', { exact: true }).inputValue(), 'Mine');
  await page.getByRole('button', { name: /^Keep mine/ }).click();
  await save(page);
  assert.equal((await call('GET', '/v1/config/charging-classes/shared')).body.description, 'Mine');

  await other.getByLabel('Name', { exact: true }).fill('Again');
  await other.getByRole('button', { name: 'Save' }).click();
  await other.getByRole('button', { name: 'Take what stands now' }).click();
  assert.equal(await other.getByLabel('Description', { exact: true }).inputValue(), 'Mine');

  await page.getByRole('tab', { name: 'History' }).click();
  const first = page.getByRole('region', { name: 'Version 2' });
  assert.match(await first.textContent(), /Shared\s*Theirs/);
  await accessible(page);
  await other.context().close();
});

browse('what is in use cannot be deleted, and the reason is said', async (page) => {
  await call('POST', '/v1/config/account-types', { code: 'used', name: 'Used' });
  await call('POST', '/v1/config/account-profiles', { code: 'user', name: 'User', accountType: 'used' });
  await page.goto(`${url}/configuration/account-types/items/used`);
  await page.getByRole('button', { name: 'Delete' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: 'Delete' }).click();
  await dialog
    .getByRole('alert')
    .filter({ hasText: /account-profiles/ })
    .waitFor();
  await accessible(page);
  await dialog.getByRole('button', { name: 'Cancel' }).click();

  await call('POST', '/v1/config/gl-codes', { code: 'unused', name: 'Unused' });
  await page.goto(`${url}/configuration/gl-codes/items/unused`);
  await page.getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('heading', { name: 'GL Codes', level: 1 }).waitFor();
  assert.equal((await call('GET', '/v1/config/gl-codes/unused')).status, 404);
});

browse('an offer with a version, its services and their attributes', async (page) => {
  await page.goto(url);
  await perspective(page, 'Core Configuration');
  await menu(page, 'Products');
  await page.getByRole('link', { name: '+ New' }).click();
  await fill(page, { Name: 'Surf', Code: 'surf' });
  await page.getByRole('button', { name: 'Add: Services' }).click();
  const row = page.getByRole('group', { name: 'Services 1', exact: true });
  await row.getByLabel('Code', { exact: true }).fill('monthly-fee');
  await row.getByLabel('Kind', { exact: true }).click();
  await page.getByRole('option', { name: 'Recurrent Fee' }).click();
  await save(page);

  await create(page, 'Taxes', { Name: 'Value added tax', Code: 'vat205' });
  await page.getByRole('button', { name: 'Add: Values' }).click();
  await page.getByLabel('Rate', { exact: true }).fill('20,5');
  await save(page);
  assert.equal((await call('GET', '/v1/config/taxes/vat205')).body.values[0].rate, 205000);

  await menu(page, 'Offers');
  await page.getByRole('link', { name: '+ New' }).click();
  await fill(page, { Name: 'Surf 10', Code: 'surf-10', Product: 'surf' });
  await page.getByRole('button', { name: 'Add: Versions' }).click();
  await fill(page, { Currency: 'EUR' });
  await page.getByRole('button', { name: 'Add: Services' }).click();
  await fill(page, { Service: 'monthly-fee' });
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('See the fields below.').waitFor();
  assert.equal(await page.getByLabel('Charge', { exact: true }).getAttribute('aria-invalid'), 'true');
  await fill(page, { Charge: '9.99', 'Charge At': 'BILL_CYCLE_START', Tax: 'vat205' });
  await accessible(page);
  await save(page);
  const offer = (await call('GET', '/v1/config/offers/surf-10')).body;
  assert.deepEqual(offer.versions[0].services[0].attributes, { charge: 9990000, chargeAt: 'BILL_CYCLE_START', tax: 'vat205' });

  await page.getByRole('button', { name: 'Add: Versions' }).click();
  assert.equal(await page.getByLabel('Version', { exact: true }).inputValue(), '2');
  await page.getByRole('tab', { name: '1', exact: true }).click();
  await page.getByLabel('Charge', { exact: true }).waitFor();
});

browse('lists are filtered, sorted, and lead to their items', async (page) => {
  await page.goto(`${url}/configuration/state-reasons`);
  const codes = () => page.getByRole('row').locator('td:first-child').allInnerTexts();
  await page.getByRole('row').nth(1).waitFor();
  const all = await codes();
  assert.deepEqual(all, all.toSorted(new Intl.Collator('en', { numeric: true }).compare));
  await page.getByRole('button', { name: 'Code' }).click();
  assert.deepEqual(await codes(), all.toReversed());
  await page.getByRole('columnheader', { name: 'Code' }).and(page.locator('[aria-sort=descending]')).waitFor();
  await page.getByRole('searchbox', { name: 'Filter' }).fill('SUSPENDED');
  await page.getByText(/^\d+ of \d+$/).waitFor();
  const suspended = await codes();
  assert.ok(suspended.includes('dfltSuspended') && !suspended.includes('dfltActive'), `${suspended}`);
  await page.getByRole('cell', { name: 'SUSPENDED' }).first().click();
  await page.getByRole('tab', { name: 'Details' }).waitFor();
});

browse('a pub-sub endpoint is configured, and a password in its address is refused', async (page) => {
  await page.goto(url);
  await perspective(page, 'Integration Configuration');
  await menu(page, 'Pub-Sub Endpoints');
  await page.getByRole('link', { name: '+ New' }).click();
  await fill(page, {
    Name: 'CRM',
    Code: 'crm',
    Type: 'WEBHOOK',
    URL: 'https://me:secret@crm.example/casm',
    'Secret Variable': 'CASM_ENDPOINT_CRM',
  });
  await page.getByRole('checkbox', { name: 'customer', exact: true }).check();
  await page.getByRole('checkbox', { name: 'balance', exact: true }).check();
  await page.getByLabel('Paused', { exact: true }).check();
  await page.getByRole('button', { name: 'Save' }).click();
  await page
    .getByText(/holds a user or a password/)
    .first()
    .waitFor();
  await page.getByLabel('URL', { exact: true }).fill('https://crm.example/casm');
  await save(page);
  const made = await call('GET', '/v1/config/pub-sub-endpoints/crm');
  assert.deepEqual([made.body.url, made.body.messages, made.body.paused], ['https://crm.example/casm', ['customer', 'balance'], true]);
  await accessible(page);
});

browse('what users enter is text: scripts, other directions, long names', async (page) => {
  const script = '<img src=x onerror=alert(1)><script>alert(2)</script>';
  const override = '\u202Etxet desrever';
  const long = 'W'.repeat(255);
  for (const [code, name] of Object.entries({ script, override, long })) {
    const made = await call('POST', '/v1/config/customer-segments', { code: `odd-${code}`, name, description: script });
    assert.equal(made.status, 201, JSON.stringify(made.body));
  }
  page.on('dialog', () => assert.fail('a stored script ran'));
  for (const width of [1280, 360]) {
    await page.setViewportSize({ width, height: 800 });
    await page.goto(`${url}/configuration/customer-segments`);
    await page.getByText(script).waitFor();
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= width, `the list at ${width} runs over`);
    // The override turns the name round, and nothing of what stands beside it.
    const row = page.getByRole('row').filter({ hasText: 'odd-override' });
    assert.equal(await row.locator('bdi').nth(1).textContent(), override);
    for (const code of ['odd-script', 'odd-override', 'odd-long']) {
      await page.goto(`${url}/configuration/customer-segments/items/${code}`);
      await page.getByRole('button', { name: 'Save' }).waitFor();
      assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= width, `${code} at ${width} runs over`);
    }
  }
  await page.goto(`${url}/configuration/customer-profiles/new`);
  await page.getByLabel('Customer Segment', { exact: true }).fill('odd');
  const options = page.getByRole('listbox').getByRole('option');
  await options.nth(2).waitFor(); // they come when the segments were read
  assert.equal(await options.count(), 3);
});

browse('an account type by keyboard alone', async (page) => {
  await page.goto(`${url}/configuration/account-types`);
  await page.getByRole('link', { name: '+ New' }).focus();
  await page.keyboard.press('Enter');
  await page.getByLabel('Name', { exact: true }).waitFor();
  const tabTo = async (what) => {
    for (let i = 0; i < 60; i++) {
      await page.keyboard.press('Tab');
      if (await what.evaluate((e) => e === document.activeElement)) return;
    }
    assert.fail('the Tab key does not lead there');
  };
  await tabTo(page.getByLabel('Name', { exact: true }));
  await page.keyboard.type('By keyboard');
  await tabTo(page.getByLabel('Code', { exact: true }));
  await page.keyboard.type('by-keyboard');
  await tabTo(page.getByLabel('Payment Responsible', { exact: true }));
  await page.keyboard.press('Space');
  await tabTo(page.getByRole('button', { name: 'Save' }));
  await page.keyboard.press('Enter');
  await page.getByText('is saved.').waitFor();
  assert.equal((await call('GET', '/v1/config/account-types/by-keyboard')).body.paymentResponsible, true);
});

browse('what was typed is not left behind without a question', async (page) => {
  await page.goto(`${url}/configuration/account-types/new`);
  await page.getByLabel('Name', { exact: true }).fill('Half');
  await page.getByRole('link', { name: 'Resource Types' }).click();
  await page.getByText('What you typed is not saved.').waitFor();
  await page.getByRole('button', { name: 'Stay' }).click();
  assert.equal(await page.getByLabel('Name', { exact: true }).inputValue(), 'Half');
  await page.getByRole('link', { name: 'Resource Types' }).click();
  await page.getByRole('button', { name: 'Leave' }).click();
  await page.getByRole('heading', { level: 1, name: 'Resource Types' }).waitFor();
});
