// What the tests of operations share: opening an entity's page, choosing an
// operation, filling in its form by the members' pointers.
import assert from 'node:assert/strict';
import { call, url } from './harness.js';

/** An entity as the API has it. */
export async function read(collection, externalId, flags = '') {
  const { status, body } = await call('GET', `/v1/casm/${collection}/read?externalId=${encodeURIComponent(externalId)}${flags}`);
  assert.equal(status, 200, JSON.stringify(body));
  return body;
}

/** A write beside the browser. */
export async function write(path, body) {
  const answer = await call('POST', `/v1/casm/${path}`, { requestId: crypto.randomUUID(), ...body });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body.payload;
}

/** Opens the page of an entity. */
export async function show(page, collection, externalId) {
  const { refId } = await read(collection, externalId);
  await page.goto(`${url}/care/${collection}/${refId}`);
  await page.getByRole('button', { name: 'Actions', exact: true }).first().waitFor();
}

/** Opens the form of an operation from the menu of the entity shown. */
export async function act(page, name) {
  await page.getByRole('button', { name: 'Actions', exact: true }).first().click();
  await page.getByRole('menuitem', { name, exact: true }).click();
  await page.getByRole('dialog').waitFor();
}

/** The field of a member, by its JSON pointer. */
export const field = (page, pointer) => page.getByRole('dialog').locator(`[data-pointer="${pointer}"]`);

/** Chooses from a list that is searched. */
export async function pick(page, pointer, text, code = text) {
  await field(page, pointer).fill(text);
  await page.getByRole('option', { name: code }).first().click();
}

/** Asks what would change. */
export async function check(page) {
  await page.getByRole('dialog').getByRole('button', { name: 'Check', exact: true }).click();
  const result = page.getByRole('region', { name: 'What would change' });
  await result.waitFor();
  return result;
}

/** Does what was checked. */
export async function doIt(page) {
  await page.getByRole('button', { name: 'Do it' }).click();
  await page.getByRole('dialog').waitFor({ state: 'hidden' });
}

/** An instant so many days from now, as a date-time picker takes it. */
export function inDays(days) {
  const d = new Date(Date.now() + days * 86_400_000);
  const two = (n) => String(n).padStart(2, '0');
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}T12:00:00`;
}
