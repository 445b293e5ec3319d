// Run by TestOneLine, against a server whose account types have one attribute more.
import assert from 'node:assert/strict';
import { browse, call, url } from './harness.js';

browse('a new attribute is in form, list and history', async (page) => {
  await page.goto(`${url}/configuration/account-types/new`);
  await page.getByLabel('Name', { exact: true }).fill('Trusted');
  await page.getByLabel('Code', { exact: true }).fill('trusted');
  await page.getByLabel('Credit Class', { exact: true }).selectOption('HIGH');
  await page.getByText('How far it is trusted.').waitFor();
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('is saved.').waitFor();
  assert.equal((await call('GET', '/v1/config/account-types/trusted')).body.creditClass, 'HIGH');
  await page.getByRole('tab', { name: 'History' }).click();
  await page.getByRole('rowheader', { name: 'Credit Class' }).waitFor();
  await page.goto(`${url}/configuration/account-types`);
  await page.getByRole('columnheader', { name: 'Credit Class' }).waitFor();
  await page.getByRole('cell', { name: 'HIGH' }).waitFor();
});
