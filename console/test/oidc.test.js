import assert from 'node:assert/strict';
import { accessible, browse, perspective, signInDialog, url } from './harness.js';

// The provider is on 127.0.0.1: to a browser that is another site than this.
const site = url.replace('127.0.0.1', 'localhost');

/** What is of the provider, and of the other name of the server, is no mistake here. */
function expected(page) {
  page.complaints = page.complaints.filter((c) => !c.includes(process.env.CASM_PROVIDER) && !c.startsWith(`outside resource: ${site}`));
}

browse('a person signs in at the OIDC provider and comes back to the page', async (page) => {
  await page.goto(`${site}/configuration/account-types`);
  const dialog = signInDialog(page);
  await dialog.getByRole('button', { name: 'Sign in with your organisation' }).waitFor();
  await accessible(page);
  await dialog.getByRole('button', { name: 'Sign in with your organisation' }).click();
  await page.getByRole('link', { name: 'It is me' }).click();
  await page.getByRole('heading', { level: 1, name: 'Account Types' }).waitFor();
  await page.getByRole('banner').getByText('Ann Example').waitFor();
  assert.equal(new URL(page.url()).pathname, '/configuration/account-types');
  const [cookie, ...others] = await page.context().cookies(site);
  assert.deepEqual([cookie.name, cookie.httpOnly, cookie.sameSite, others.length], ['casm_session', true, 'Strict', 0]);
  // The roles are those of the provider.
  await perspective(page, 'Operations');
  assert.equal(await page.getByRole('navigation').getByRole('link', { name: 'Users' }).count(), 0);
  expected(page);
});

browse('the end of a session takes nothing that was typed: one signs in at the provider beside it', async (page) => {
  await page.goto(`${site}/v1/session/oidc?return=/configuration/account-types/new`);
  await page.getByRole('link', { name: 'It is me' }).click();
  await page.getByLabel('Name', { exact: true }).fill('Payer');
  await page.getByLabel('Code', { exact: true }).fill('beside');
  await page.context().clearCookies();
  await page.getByRole('button', { name: 'Save' }).click();
  const dialog = signInDialog(page);
  await dialog.getByText('Sign in again as Ann Example: what you typed is still here.').waitFor();
  assert.equal(await dialog.getByLabel('User', { exact: true }).inputValue(), '');
  await accessible(page);
  const opened = page.context().waitForEvent('page');
  await dialog.getByRole('link', { name: 'Sign in with your organisation, in a new tab' }).click();
  const beside = await opened;
  await beside.getByRole('link', { name: 'It is me' }).click();
  await beside.getByRole('heading', { level: 1, name: 'You are signed in' }).waitFor();
  await accessible(beside);
  await dialog.waitFor({ state: 'detached' });
  await beside.close();
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Account Type beside is saved.').waitFor();
  expected(page);
});

browse('what needs the session at once has it, though another site leads there', async (page) => {
  await page.goto(`${site}/v1/session/oidc?return=/docs`);
  await page.getByRole('link', { name: 'It is me' }).click();
  await page.waitForURL(`${site}/docs`);
  await page.getByRole('heading', { level: 1 }).waitFor();
  expected(page);
});
