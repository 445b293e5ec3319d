import assert from 'node:assert/strict';
import { accessible, browse, call, menu, perspective, signIn, signInDialog, url, withKey } from './harness.js';

const password = 'correct horse battery staple';

/** Makes a user in the console: who is signed in administers. */
async function createUser(page, code, role) {
  await page.goto(`${url}/operations/access/users/new`);
  await page.getByLabel('Code', { exact: true }).fill(code);
  await page.getByLabel('Name', { exact: true }).fill(`${code} of the test`);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('checkbox', { name: role, exact: true }).check();
  await accessible(page);
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText(`User ${code} is saved.`).waitFor();
}

/** Whether a field is wrong, and what is said of it, as assistive technology is told. */
function told(field) {
  return field.evaluate((input) => ({
    invalid: input.ariaInvalid === 'true',
    words: (input.getAttribute('aria-describedby') ?? '')
      .split(' ')
      .map((id) => document.getElementById(id)?.textContent)
      .join(' '),
  }));
}

browse('an administrator makes users and keys', async (page) => {
  // The way in of the first administrator: a key. A wrong one is said for what it is.
  await page.goto(`${url}/operations/access/users`);
  const dialog = signInDialog(page);
  await dialog.getByRole('button', { name: 'Use an API key instead' }).click();
  await dialog.getByLabel('API key', { exact: true }).fill('casm_wrong');
  await dialog.getByRole('button', { name: 'Sign in', exact: true }).click();
  await dialog.getByText('The server does not know this key').waitFor();
  await accessible(page);
  await withKey(page, process.env.CASM_ADMIN_KEY);
  await page.getByRole('heading', { level: 1, name: 'Users' }).waitFor(); // the page that was wanted
  await page.getByRole('banner').getByText('admin', { exact: true }).waitFor();

  // What is refused stands beside its field.
  await page.getByRole('link', { name: '+ New' }).click();
  await page.getByLabel('Code', { exact: true }).fill('ann');
  await page.getByLabel('Name', { exact: true }).fill('Ann');
  await page.getByLabel('Password', { exact: true }).fill('short');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByLabel('Password', { exact: true }).and(page.locator('[aria-invalid=true]')).waitFor();
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('checkbox', { name: 'Reader', exact: true }).check();
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('User ann is saved.').waitFor();
  await menu(page, 'Users');
  await page.getByRole('cell', { name: 'ann', exact: true }).waitFor();
  await accessible(page);

  // Roles that every installation has are only shown.
  await menu(page, 'Roles');
  await page.getByRole('link', { name: 'reader', exact: true }).click();
  await page.getByText('Every installation has it; it cannot be changed.').waitFor();
  assert.equal(await page.getByRole('button', { name: /Save|Delete/ }).count(), 0);
  await accessible(page);

  // A key is shown once, works, and is revoked.
  await menu(page, 'API Keys');
  await page.getByRole('link', { name: '+ New' }).click();
  await page.getByLabel('Name', { exact: true }).fill('crm');
  await page.getByRole('checkbox', { name: 'config:read', exact: true }).check();
  await page.getByRole('button', { name: 'Save' }).click();
  const once = page.getByRole('dialog', { name: 'The new API key' });
  const key = (await once.locator('pre').textContent()).trim();
  await accessible(page);
  await once.getByRole('button', { name: 'Copy' }).waitFor();
  await once.getByRole('button', { name: 'I have it' }).click();
  await page.getByRole('heading', { level: 1, name: 'crm' }).waitFor();
  assert.ok(!(await page.content()).includes(key));
  const read = () => fetch(`${url}/v1/config/gl-codes`, { headers: { Authorization: `Bearer ${key}` } });
  assert.equal((await read()).status, 200);
  await page.getByRole('button', { name: 'Revoke' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
  await page.getByText('API Key crm is revoked.').waitFor();
  await page.getByRole('row', { name: /crm.*Yes/ }).waitFor();
  assert.equal((await read()).status, 401);
});

browse('people sign in and out; a reader is offered what they may do', async (page) => {
  await page.goto(`${url}/operations/access/users/new`);
  await withKey(page, process.env.CASM_ADMIN_KEY);
  await createUser(page, 'bob', 'Reader');
  await createUser(page, 'eve', 'Power User');
  await page.getByRole('button', { name: 'Sign out' }).click();

  const dialog = signInDialog(page);
  await dialog.getByRole('button', { name: 'Sign in', exact: true }).click();
  const [user, secret] = ['User', 'Password'].map((label) => dialog.getByLabel(label, { exact: true }));
  for (const field of [user, secret]) assert.deepEqual(await told(field), { invalid: true, words: 'Required.' });
  await signIn(page, 'bob', 'wrong');
  await dialog.getByText('User or password is not right.').waitFor();
  assert.equal((await told(user)).invalid, true);
  assert.deepEqual(await told(secret), { invalid: true, words: 'User or password is not right.' });
  await accessible(page);

  // What is typed is shown by the keyboard, too.
  await secret.press('Tab');
  const see = dialog.getByRole('button', { name: 'Show what is typed' });
  for (const [key, pressed, type] of [
    ['Enter', 'true', 'text'],
    [' ', 'false', 'password'],
  ]) {
    assert.ok(await see.evaluate((button) => button === document.activeElement));
    await page.keyboard.press(key);
    assert.equal(await see.getAttribute('aria-pressed'), pressed);
    assert.equal(await secret.getAttribute('type'), type);
  }
  await signIn(page, 'bob', password);
  await dialog.waitFor({ state: 'detached' });
  await page.getByRole('banner').getByText('bob of the test').waitFor();

  await perspective(page, 'Integration Configuration');
  await page.getByRole('heading', { level: 1, name: 'Account Types' }).waitFor();
  assert.equal(await page.getByRole('link', { name: '+ New' }).count(), 0);
  await page.getByRole('row').nth(1).click();
  await page.getByRole('tab', { name: 'History' }).waitFor();
  assert.equal(await page.getByRole('button', { name: /Save|Delete/ }).count(), 0);
  await perspective(page, 'Customer Care');
  await page.getByRole('heading', { level: 1, name: 'Search' }).waitFor();
  assert.equal(await page.getByRole('button', { name: '+ New customer' }).count(), 0);
  await perspective(page, 'Operations');
  await page.getByRole('link', { name: 'Journal' }).waitFor();
  for (const [name, path] of [
    ['Users', 'users'],
    ['Audit', 'audit'],
  ]) {
    assert.equal(await page.getByRole('link', { name, exact: true }).count(), 0);
    await page.goto(`${url}/operations/access/${path}`);
    await page.getByText('You are not permitted to do this.').waitFor();
    await page.getByRole('navigation').getByRole('link', { name: 'Journal' }).waitFor();
    assert.equal(await page.getByRole('table').count(), 0);
    await accessible(page);
  }

  // No script reads the session, and signing out ends it.
  const cookie = (await page.context().cookies()).find(({ name }) => name === 'casm_session');
  const seen = await page.evaluate(() => document.cookie + JSON.stringify([localStorage, sessionStorage]));
  assert.ok(cookie.httpOnly && cookie.sameSite === 'Strict');
  assert.ok(!seen.includes(cookie.value) && !seen.includes(cookie.name));
  await page.getByRole('button', { name: 'Sign out' }).click();
  await dialog.waitFor();
  await page.reload();
  await dialog.waitFor();

  // The end of a session takes nothing that was typed.
  await signIn(page, 'eve', password);
  await dialog.waitFor({ state: 'detached' });
  await page.goto(`${url}/configuration/account-types/new`);
  await page.getByLabel('Name', { exact: true }).fill('Payer');
  await page.getByLabel('Code', { exact: true }).fill('another');
  await page.context().clearCookies();
  await page.getByRole('button', { name: 'Save' }).click();
  await dialog.getByText('Your session has ended.').waitFor();
  await signIn(page, 'eve', password);
  await dialog.waitFor({ state: 'detached' });
  assert.equal(await page.getByRole('alert').innerText(), 'You were not signed in.\n\nSign in, then try again.');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('is saved.').waitFor();

  // Nor what was typed in a dialog: who calls is asked above it.
  await perspective(page, 'Customer Care');
  await page.getByRole('button', { name: '+ New customer' }).click();
  const form = page.getByRole('dialog', { name: 'New customer' });
  await form.getByLabel('External Id', { exact: true }).fill('typed');
  await page.context().clearCookies();
  await form.getByRole('button', { name: 'Check', exact: true }).click();
  await dialog.getByText('Sign in again as eve of the test').waitFor();
  await accessible(page);
  await page.keyboard.press('Escape');
  await signIn(page, 'eve', password);
  await dialog.waitFor({ state: 'detached' });
  assert.equal(await form.getByLabel('External Id', { exact: true }).inputValue(), 'typed');
  await form.getByRole('button', { name: 'Check', exact: true }).click();
  await form.getByText('no profile gives a state').waitFor(); // the server has read it
});

browse('who may do nothing is told so', async (page) => {
  const user = { code: 'nobody', name: 'Nobody Yet', password };
  const made = await call('POST', '/v1/admin/users', user, { Authorization: `Bearer ${process.env.CASM_ADMIN_KEY}` });
  assert.equal(made.status, 201);
  await page.goto(url);
  await signIn(page, 'nobody', password);
  await page.getByText('none of your roles permits anything here').waitFor();
  await accessible(page);
});

browse('who failed too often is told how long to wait', async (page) => {
  const fail = () => call('POST', '/v1/session', { user: 'mallory', password: 'a guess' });
  let refused;
  // Long enough that the page is refused, too.
  do refused = await fail();
  while (Number(refused.headers.get('Retry-After') ?? 0) < 6);
  assert.equal(refused.status, 429);
  await page.goto(url);
  await signIn(page, 'mallory', 'another guess');
  const alert = signInDialog(page).getByRole('alert');
  await alert.waitFor();
  const [, seconds] = /^Too many attempts failed\. Try again in (\d+) s\.$/.exec(await alert.textContent());
  assert.ok(seconds > 0 && seconds <= 10, `${seconds} s`);
  assert.equal(await signInDialog(page).getByLabel('User', { exact: true }).inputValue(), 'mallory');
  await accessible(page);
});

browse(
  'the form on a narrow screen, dark, in German',
  async (page) => {
    await page.goto(url);
    await page.getByRole('dialog', { name: 'Anmelden' }).getByLabel('Passwort', { exact: true }).waitFor();
    await accessible(page);
  },
  { locale: 'de-AT', colorScheme: 'dark', viewport: { width: 360, height: 740 } },
);
