import assert from 'node:assert/strict';
import { accessible, browse, call, url } from './harness.js';
import { act, check, doIt, field, inDays, pick, read, show } from './operate.js';

browse('a customer from creation to deactivation', async (page, t) => {
  await t.test('create a customer: checked first, then done', async () => {
    await page.goto(`${url}/care/search`);
    await page.getByRole('button', { name: 'New customer' }).click();
    await pick(page, '/customerProfile', 'b2b');
    await field(page, '/externalId').fill('life');
    await field(page, '/customName').fill('Ärzte & <b>Söhne</b>');
    const result = await check(page);
    assert.match(await result.textContent(), /1 customer/);
    assert.match(await result.textContent(), /Ärzte & <b>Söhne<\/b>/);
    await accessible(page);
    assert.equal((await call('GET', '/v1/casm/customers/read?externalId=life')).status, 400, 'a check does nothing');
    await doIt(page);
    assert.equal((await read('customers', 'life')).customName, 'Ärzte & <b>Söhne</b>');
  });

  await t.test('an account, a subscriber with its MSISDN, a subscription', async () => {
    await show(page, 'customers', 'life');
    await act(page, 'New account');
    await pick(page, '/accountProfile', 'postpaid', /^postpaid —/);
    await field(page, '/externalId').fill('life-account');
    await check(page);
    await doIt(page);
    await show(page, 'accounts', 'life-account');
    await act(page, 'New subscriber');
    await pick(page, '/subscriberProfile', 'mobile');
    await field(page, '/primaryResource').fill('4366412345678');
    await field(page, '/externalId').fill('life-subscriber');
    assert.match(await (await check(page)).textContent(), /1 subscriber: life-subscriber1 resource/);
    await doIt(page);
    await show(page, 'subscribers', 'life-subscriber');
    await act(page, 'Subscribe an offer');
    await pick(page, '/offer', 'mobile_m');
    await field(page, '/externalId').fill('life-mobile');
    await field(page, '/state/state').selectOption('ACTIVE');
    await pick(page, '/state/stateReason', 'dfltActive');
    await check(page);
    await doIt(page);
    assert.equal((await read('subscriptions', 'life-mobile')).subscriber.externalId, 'life-subscriber');
  });

  await t.test('an individual monetary balance: top up, deduct, exactly', async () => {
    await show(page, 'subscribers', 'life-subscriber');
    await act(page, 'Monetary balance');
    await pick(page, '/offer', 'individual_monetary');
    await field(page, '/grantedBalance').fill('0.1');
    await field(page, '/threshold1').fill('50');
    await field(page, '/externalId').fill('life-money');
    await field(page, '/state/state').selectOption('ACTIVE');
    await pick(page, '/state/stateReason', 'dfltActive');
    assert.match(await (await check(page)).textContent(), /0\.1 EUR/);
    await doIt(page);
    await show(page, 'subscriptions', 'life-money');
    await page.getByRole('button', { name: 'Top up: balance' }).click();
    await field(page, '/amount').fill('0,2');
    await check(page);
    await doIt(page);
    await page.getByText('0.3 EUR left of 0.1 EUR').waitFor();
    await page.getByRole('button', { name: 'Deduct: balance' }).click();
    await field(page, '/amount').fill('0.249999');
    assert.match(await (await check(page)).textContent(), /0\.3 EUR.*0\.050001 EUR/);
    await doIt(page);
    await page.getByText('0.050001 EUR left of 0.1 EUR').waitFor();
    await page.getByRole('button', { name: 'Set: balance' }).click();
    await field(page, '/amount').fill('0.02');
    await check(page);
    await doIt(page);
    await page.getByText('80 % used, beyond the threshold of 50 %').first().waitFor();
    const { balances } = await read('subscriptions', 'life-money', '&balances=true');
    assert.equal(balances[0].actualBalance, 20_000);
    await accessible(page);
  });

  await t.test('several balances at once', async () => {
    await show(page, 'subscriptions', 'life-mobile');
    await act(page, 'Change several balances');
    const group = (name) => page.getByRole('dialog').getByRole('group', { name, exact: true });
    for (const [service, amount] of [
      ['voice', '600'],
      ['sms', '10'],
    ]) {
      await group(service).getByLabel('Action').selectOption('DEDUCT');
      await group(service).getByLabel('Amount').fill(amount);
    }
    assert.match(await (await check(page)).textContent(), /2 balances.*1000.*990/);
    await doIt(page);
    await page.getByText('990 left of 1000').waitFor();
  });

  await t.test('swap a SIM', async () => {
    await show(page, 'subscribers', 'life-subscriber');
    await act(page, 'Assign a resource');
    await pick(page, '/resourceType', 'imsi');
    await field(page, '/resource').fill('232011234567890');
    await check(page);
    await doIt(page);
    await act(page, 'Swap a resource');
    await pick(page, '/swapResource', 'imsi');
    await field(page, '/resource').fill('232019999999999');
    await check(page);
    await doIt(page);
    const { resources } = await read('subscribers', 'life-subscriber', '&resources=true');
    assert.deepEqual(resources.map((r) => r.resource).sort(), ['232019999999999', '4366412345678']);
  });

  await t.test('plan a suspension for debt with all below, move it, confirm it, cancel it', async () => {
    await show(page, 'accounts', 'life-account');
    await act(page, 'Change the state');
    await field(page, '/state/state').selectOption('SUSPENDED');
    await pick(page, '/state/stateReason', 'debt');
    await field(page, '/state/stateValidFrom').fill(inDays(10));
    await field(page, '/state/pending').check();
    await field(page, '/subordinateUpdated').check();
    assert.match(await (await check(page)).textContent(), /1 account: life-account1 subscriber: life-subscriber2 subscriptions/);
    await doIt(page);
    await page.getByText('Waits for a confirmation').waitFor();
    const button = (name) => page.getByRole('alert').or(page.locator('main')).getByRole('button', { name, exact: true }).first();
    await button('Confirm').click();
    assert.match(await (await check(page)).textContent(), /These 4 would change/);
    await doIt(page);
    await page.getByText('Takes effect by itself').waitFor();
    await button('Another date').click();
    await field(page, '/stateValidFrom').fill(inDays(20));
    await check(page);
    await doIt(page);
    const { plannedState } = await read('accounts', 'life-account');
    assert.equal(plannedState.stateValidFrom, new Date(inDays(20)).toISOString().replace('.000Z', '.000000Z'));
    await button('Cancel the plan').click();
    await check(page);
    await doIt(page);
    await page.getByText('Takes effect by itself').waitFor({ state: 'hidden' });
    assert.equal((await read('subscriptions', 'life-money')).plannedState, undefined);
  });

  await t.test('plan a bill cycle, perform it', async () => {
    await act(page, 'Change the bill cycle');
    await pick(page, '/billCycle', 'monthlyIndividual');
    await field(page, '/billingDay').fill('15');
    await field(page, '/validFrom').fill(inDays(30));
    await check(page);
    await doIt(page);
    await page.getByRole('button', { name: 'Perform now' }).click();
    assert.match(await (await check(page)).textContent(), /monthlyIndividual/);
    await doIt(page);
    const account = await read('accounts', 'life-account');
    assert.deepEqual([account.billCycle, account.billingDay, account.plannedBillCycle], ['monthlyIndividual', 15, undefined]);
  });

  await t.test('deactivate the customer and all below, after seeing how much that is', async () => {
    await show(page, 'customers', 'life');
    await act(page, 'Change the state');
    await field(page, '/state/state').selectOption('DEACTIVATED');
    await pick(page, '/state/stateReason', 'terminated');
    await field(page, '/subordinateUpdated').check();
    const text = await (await check(page)).textContent();
    assert.match(text, /These 7 would change/);
    for (const part of [
      '1 customer: life',
      '1 account: life-account',
      '1 subscriber: life-subscriber',
      '2 resources',
      '2 subscriptions: ',
    ]) {
      assert.ok(text.includes(part), `${part} in ${text}`);
    }
    await doIt(page);
    assert.equal((await read('subscriptions', 'life-mobile')).state.state, 'DEACTIVATED');
    await page.getByTitle('It is deactivated: nothing can be changed any more.').first().waitFor();
  });
});
