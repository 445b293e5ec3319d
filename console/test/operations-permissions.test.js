import assert from 'node:assert/strict';
import { accessible, browse, url, withKey } from './harness.js';

browse('with a key: the stream shows it, the command does not', async (page) => {
  await page.goto(`${url}/operations/transactions`);
  await withKey(page, process.env.CASM_KEY);
  await page.getByText('Live', { exact: true }).waitFor({ timeout: 20_000 });
  const response = await fetch(`${url}/v1/casm/customers/create`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${process.env.CASM_KEY}` },
    body: JSON.stringify({ requestId: 'k1', externalId: 'keyed', customerProfile: 'b2b' }),
  });
  assert.equal(response.status, 200);
  await page.getByRole('button', { name: 'Show the message about keyed' }).click();
  const text = await page.getByRole('dialog').textContent();
  assert.match(text, /Authorization: Bearer \$CASM_API_KEY/);
  assert.ok(!text.includes(process.env.CASM_KEY));
});

browse('who may only read is offered the export, and no import', async (page) => {
  await page.goto(`${url}/operations/health`);
  await withKey(page, process.env.CASM_READER_KEY);
  await page.getByRole('region', { name: 'Relay to the stream' }).waitFor();
  await page.getByRole('link', { name: 'Export and Import' }).click();
  await page.getByRole('button', { name: /YAML/ }).waitFor();
  assert.equal(await page.getByLabel('Document').count(), 0);
  await accessible(page);
});
