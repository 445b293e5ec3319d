import assert from 'node:assert/strict';
import { accessible, browse, menu, perspective, url } from './harness.js';

browse('the first page opens, and each perspective has its menu', async (page) => {
  await page.goto(url);
  await page.getByRole('heading', { level: 1 }).waitFor();
  await accessible(page);
  const menus = {
    'Integration Configuration': [
      'Account Types',
      'Resource Types',
      'Customer Segments',
      'Account Segments',
      'Subscriber Segments',
      'State Reasons',
      'Customer Profiles',
      'Account Profiles',
      'Subscriber Profiles',
      'Pub-Sub Endpoints',
    ],
    'Core Configuration': ['Currencies', 'Taxes', 'GL Codes', 'Charging Classes', 'Products', 'Offers', 'Billing Cycles'],
    'Customer Care': [],
    Operations: [],
  };
  for (const [name, entries] of Object.entries(menus)) {
    await perspective(page, name);
    if (entries.length) assert.deepEqual(await page.getByRole('navigation').getByRole('link').allTextContents(), entries);
    await page.getByRole('heading', { level: 1 }).waitFor();
  }
});

browse('the first page is light: under 300 kB', async (page) => {
  const session = await page.context().newCDPSession(page);
  await session.send('Network.enable');
  let bytes = 0;
  session.on('Network.loadingFinished', (e) => {
    bytes += e.encodedDataLength;
  });
  await page.goto(url, { waitUntil: 'networkidle' });
  assert.ok(bytes > 50_000 && bytes < 300_000, `${bytes} bytes`);
  console.log(`first page: ${bytes} bytes`);
});

browse('a view can be opened by its address, and reloaded', async (page) => {
  const response = await page.goto(`${url}/configuration/account-types`);
  assert.match(response.headers()['content-security-policy'], /default-src 'none'/);
  assert.doesNotMatch(response.headers()['content-security-policy'], /unsafe/);
  await page.getByRole('heading', { level: 1, name: 'Account Types' }).waitFor();
  await page.goto(`${url}/no/such/page`);
  await page.getByText('There is no such page.').waitFor();
  for (const path of ['/v1/nothing', '/docs/nothing', '/assets/nothing.js']) {
    const answer = await page.request.get(url + path, { headers: { Accept: 'text/html' } });
    assert.equal(answer.status(), 404, path);
    assert.match(answer.headers()['content-type'], /problem\+json/, path);
  }
});

browse(
  'dark, German and small',
  async (page) => {
    await page.goto(url);
    await page.getByRole('heading', { level: 1 }).waitFor();
    await accessible(page);
    await page.getByRole('button', { name: 'Menü öffnen' }).click();
    await menu(page, 'Kontotypen');
    assert.equal(await page.evaluate(() => document.documentElement.lang), 'de');
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
    await accessible(page);
  },
  { locale: 'de-AT', colorScheme: 'dark', viewport: { width: 360, height: 740 } },
);

browse('the keyboard reaches everything', async (page) => {
  await page.goto(url);
  await page.getByRole('heading', { level: 1 }).waitFor();
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to the content');
  await page.keyboard.press('Control+k');
  await page.getByPlaceholder('Find a page …').fill('billing');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: 'Billing Cycles' }).waitFor();
});
