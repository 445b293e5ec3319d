// Pictures of the sign-in and of Access for the documentation (make screenshots).
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { browse, call, signIn, signInDialog, url } from './harness.js';

const shoot = (page, name) => page.screenshot({ path: join(process.env.CASM_SCREENSHOTS, `${name}.png`), animations: 'disabled' });
const size = { viewport: { width: 1200, height: 600 } };

const password = 'correct horse battery staple';

/** Administers: a small operator's people and systems, of whom some are refused. */
async function fill() {
  const admin = { Authorization: `Bearer ${process.env.CASM_ADMIN_KEY}` };
  const made = async (path, body, headers = admin, status = 201) => {
    const answer = await call('POST', path, body, headers);
    assert.equal(answer.status, status, JSON.stringify(answer.body));
    return answer.body;
  };
  await made('/v1/admin/roles', { code: 'billing', name: 'Billing', permissions: ['casm:read', 'balance:write', 'dwh:read'] });
  const users = { ada: 'organization-manager', ben: 'power-user', cleo: 'billing', dana: 'reader', emil: 'reader' };
  for (const [code, role] of Object.entries(users)) {
    const name = `${code[0].toUpperCase()}${code.slice(1)} Example`;
    await made('/v1/admin/users', { code, name, password, roles: [role], ...(code === 'emil' && { disabled: true }) });
  }
  const { key } = await made('/v1/admin/keys', { name: 'crm', roles: ['crm-integration'] });
  await made('/v1/config/gl-codes', { code: '1', name: 'x' }, { Authorization: `Bearer ${key}` }, 403);
  await made('/v1/session', { user: 'dana', password: 'forgotten' }, {}, 401);
}

browse(
  'signing in',
  async (page) => {
    await page.goto(url);
    await signInDialog(page).getByLabel('User', { exact: true }).fill('ada');
    await shoot(page, 'sign-in');
  },
  size,
);

browse(
  'users and audit',
  async (page) => {
    await fill();
    await page.goto(`${url}/operations/access/users`);
    await signIn(page, 'ada', password);
    await page.getByRole('cell', { name: 'Dana Example' }).waitFor();
    await page.mouse.move(0, 0);
    await shoot(page, 'users');
    const act = page.getByRole('table').getByText('createGlCode');
    const show = page.getByRole('button', { name: 'Show', exact: true });
    await page.goto(`${url}/operations/access/audit`);
    await show.waitFor();
    // Denied acts are written each second.
    while (
      (await call('GET', '/v1/audit?act=signIn', undefined, { Authorization: `Bearer ${process.env.CASM_ADMIN_KEY}` })).body.items.length <
      2
    );
    await show.click();
    await act.waitFor();
    await shoot(page, 'audit');
  },
  size,
);
