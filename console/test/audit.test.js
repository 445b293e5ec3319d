import assert from 'node:assert/strict';
import { accessible, browse, call, menu, url, withKey } from './harness.js';

const as = (key) => ({ Authorization: `Bearer ${key}` });
const admin = as(process.env.CASM_ADMIN_KEY);
const made = Array.from({ length: 53 }, (_, i) => `audited-${i + 1}`);
const table = (page) => page.getByRole('table', { name: 'Audit' });

/** The rows that are shown, once there are so many: the text of each cell. */
async function rows(page, count) {
  const body = table(page).locator('tbody tr');
  if (count) await body.nth(count - 1).waitFor();
  await body.nth(count).waitFor({ state: 'detached' });
  return body.evaluateAll((all) => all.map((row) => [...row.cells].map((cell) => cell.innerText)));
}

/** What is administered is found in the audit. */
async function audited(query, count) {
  let found;
  do found = (await call('GET', `/v1/audit?limit=100&${query}`, undefined, admin)).body.items;
  while (found.reduce((sum, item) => sum + item.count, 0) < count);
}

browse('the audit: filters, pages, and what a record tells', async (page) => {
  for (const code of made) {
    const { status } = await call('POST', '/v1/admin/roles', { code, name: `<b>${code}</b>`, permissions: ['casm:read'] }, admin);
    assert.equal(status, 201);
  }
  const denied = Array.from({ length: 3 }, () =>
    call('POST', '/v1/config/gl-codes', { code: '1', name: 'x' }, as(process.env.CASM_READER_KEY)),
  );
  assert.deepEqual(new Set((await Promise.all(denied)).map((a) => a.status)), new Set([403]));
  assert.equal((await call('POST', '/v1/session', { user: 'mallory', password: 'a guess' })).status, 401);
  await audited('act=role.create', made.length);
  await audited('actor=key:reader', denied.length);
  await audited('act=signIn', 1);

  await page.goto(`${url}/operations/access/users`);
  await withKey(page, process.env.CASM_ADMIN_KEY);
  await menu(page, 'Audit');
  await rows(page, 50);
  await accessible(page);
  const show = page.getByRole('button', { name: 'Show', exact: true });
  const newer = page.getByRole('button', { name: 'Newer' });
  const older = page.getByRole('button', { name: 'Older' });

  // By act: the newest first, on two pages and back.
  await page.getByLabel('Act', { exact: true }).fill('role.create');
  await page.getByLabel('By', { exact: true }).fill('key:admin');
  await show.click();
  await page.getByText('signIn').waitFor({ state: 'detached' });
  const first = await rows(page, 50);
  const [time, ...told] = first[0];
  assert.match(time, /^[A-Z][a-z]{2} \d{1,2}, 20\d\d, \d{1,2}:\d\d:\d\d [AP]M$/);
  assert.deepEqual(told.slice(0, -1), ['key:admin', 'role.create', 'done', '127.0.0.1']);
  assert.match(told.at(-1), /^role\s*audited-53\b/);
  assert.ok(await newer.isDisabled());
  await older.click();
  const last = await rows(page, 3);
  assert.ok(await older.isDisabled());
  const codes = [...first, ...last].map((cells) => /audited-\d+/.exec(cells.at(-1))[0]);
  assert.deepEqual(codes, made.toReversed());
  await newer.click();
  assert.deepEqual(await rows(page, 50), first);

  // By outcome and by who: another filter begins at the newest again.
  await older.click();
  await rows(page, 3);
  await page.getByLabel('Act', { exact: true }).fill('');
  await page.getByLabel('By', { exact: true }).fill(' key:reader ');
  await page.getByLabel('Outcome', { exact: true }).selectOption('denied');
  await show.click();
  await table(page).getByText('key:reader').first().waitFor();
  assert.ok(await newer.isDisabled());
  const body = table(page).locator('tbody tr');
  const acts = await body.evaluateAll((all) => all.map((row) => [...row.cells].map((cell) => cell.innerText)));
  // Equal acts of a second stand together.
  const count = acts.reduce((sum, [, , act]) => sum + Number(/^createGlCode(?: × (\d+))?$/.exec(act)[1] ?? 1), 0);
  assert.equal(count, denied.length);
  assert.ok(acts.every(([, by, , outcome, , details]) => by === 'key:reader' && outcome === 'denied' && details.includes('config:write')));

  // Who was not known.
  await page.getByLabel('By', { exact: true }).fill('');
  await page.getByLabel('Act', { exact: true }).fill('signIn');
  await page.keyboard.press('Enter');
  const [[, by, , , , details]] = await rows(page, 1);
  assert.equal(by, 'nobody known');
  assert.match(details, /unknown user/);

  // By time; what cannot be is said beside its field, and not asked for.
  const since = page.getByLabel('Since', { exact: true });
  const until = page.getByLabel('Until', { exact: true });
  await until.fill('2001-01-01T00:00');
  await show.click();
  await page.getByText('Nothing of the kind is in the audit.').waitFor();
  await since.fill('2001-01-02T00:00');
  await page.getByText('This is not after Since.').waitFor();
  assert.equal(await until.getAttribute('aria-invalid'), 'true');
  await accessible(page);
  await until.fill('2199-01-01T00:00');
  await show.click();
  await rows(page, 1);
});

browse(
  'the audit on a narrow screen, dark, in German',
  async (page) => {
    await page.addInitScript((key) => sessionStorage.setItem('casm.key', key), process.env.CASM_ADMIN_KEY);
    await page.goto(`${url}/operations/access/audit`);
    await page.getByRole('table', { name: 'Protokoll' }).getByText('role.create').first().waitFor();
    await accessible(page);
    const [wide, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(wide <= window, 'the table scrolls, and not the page');
  },
  { locale: 'de-AT', colorScheme: 'dark', viewport: { width: 360, height: 740 } },
);
