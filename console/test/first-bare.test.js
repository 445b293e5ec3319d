import assert from 'node:assert/strict';
import { exec } from 'node:child_process';
import { promisify } from 'node:util';
import { accessible, browse, call, url } from './harness.js';

browse('a new installation offers the demonstration, and the next steps', async (page) => {
  await page.goto(url);
  await page.getByText('Nothing is configured yet.').waitFor();
  await accessible(page);
  await page.getByRole('button', { name: 'Load the demonstration' }).click();
  await page.getByText(/The demonstration is loaded: \d+ items/).waitFor();
  await page.getByText('Nothing is configured yet.').waitFor({ state: 'detached' });
  assert.equal((await call('GET', '/v1/config/customer-profiles/b2b')).status, 200);

  // The command shown works as it stands, and the page then shows what it did.
  const command = await page.locator('pre', { hasText: 'customers/create' }).textContent();
  const { stdout } = await promisify(exec)(command);
  assert.equal(JSON.parse(stdout).payload.externalId, 'first_customer');
  await page.getByRole('region', { name: 'Last business transactions' }).getByText('first_customer').waitFor();
  await page.getByRole('region', { name: 'Customers' }).getByText('ACTIVE 1').waitFor();
  await page.getByText('The server is ready to serve.').waitFor();
  await accessible(page);
  await page.getByRole('link', { name: 'Watch them live' }).first().click();
  await page.getByRole('button', { name: 'Show the message about first_customer' }).waitFor();
});
