import assert from 'node:assert/strict';
import { accessible, browse, url } from './harness.js';

browse('a server that asks who calls gets a key, and a refusal is said for what it is', async (page) => {
  await page.goto(`${url}/configuration/account-types`);
  const dialog = page.getByRole('dialog', { name: 'Sign in' });
  await dialog.getByLabel('API key', { exact: true }).fill('casm_wrong');
  await accessible(page);
  await dialog.getByRole('button', { name: 'Sign in' }).click();
  await dialog.getByText('The server does not know this key').waitFor();
  await dialog.getByLabel('API key', { exact: true }).fill(process.env.CASM_READER_KEY);
  await dialog.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('link', { name: '+ New' }).click();
  await page.getByLabel('Name', { exact: true }).fill('Payer');
  await page.getByLabel('Code', { exact: true }).fill('another');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Your key does not permit this.').waitFor();
  await page.getByText(/config:write/).waitFor();
  await accessible(page);

  // With another key the same input goes through.
  await page.getByRole('button', { name: 'Sign out' }).click();
  await dialog.getByLabel('API key', { exact: true }).fill(process.env.CASM_KEY);
  await dialog.getByRole('button', { name: 'Sign in' }).click();
  await dialog.waitFor({ state: 'hidden' });
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('is saved.').waitFor();
  assert.equal(
    await page.evaluate(() => JSON.stringify(localStorage).includes('casm_') || document.cookie !== ''),
    false,
    'the key is kept in this tab only',
  );
});
