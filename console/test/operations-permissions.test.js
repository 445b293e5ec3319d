import assert from 'node:assert/strict';
import { accessible, browse, url } from './harness.js';

/** Signs in when the console asks for a key. */
async function signIn(page, key) {
  await page.getByLabel('API key', { exact: true }).fill(key);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
}

browse('with a key: the stream shows it, the command does not', async (page) => {
  await page.goto(`${url}/operations/transactions`);
  await signIn(page, process.env.CASM_KEY);
  await page.getByText('Live', { exact: true }).waitFor({ timeout: 20_000 });
  const response = await fetch(`${url}/v1/casm/customers/create`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${process.env.CASM_KEY}` },
    body: JSON.stringify({ requestId: 'k1', externalId: 'keyed', customerProfile: 'b2b' }),
  });
  assert.equal(response.status, 200);
  await page.getByRole('button', { name: 'Show the message about keyed' }).click();
  const text = await page.getByRole('dialog').textContent();
  assert.match(text, /Authorization: Bearer \$CASM_KEY/);
  assert.ok(!text.includes(process.env.CASM_KEY));
});

browse('who may only read is told that an import is not permitted', async (page) => {
  await page.goto(`${url}/operations/health`);
  await signIn(page, process.env.CASM_READER_KEY);
  await page.getByRole('region', { name: 'Relay to the stream' }).waitFor();
  await page.getByRole('link', { name: 'Export and Import' }).click();
  await page.getByLabel('Document').fill('gl-codes: []');
  await page.getByRole('button', { name: 'Show the difference' }).click();
  await page.getByText('Your key does not permit this.').waitFor();
  await accessible(page);
});
