// The pictures of the documentation: make screenshots.
import { join } from 'node:path';
import { test } from 'node:test';
import { open, url } from './harness.js';

const folder = process.env.CASM_SCREENSHOTS;

const small = { width: 360, height: 740 };
const pictures = [
  { name: 'account-types', path: '/configuration/account-types' },
  { name: 'offer', path: '/configuration/offers/items/offer_code' },
  { name: 'offer-dark', path: '/configuration/offers/items/offer_code', colorScheme: 'dark' },
  { name: 'account-profile-small', path: '/configuration/account-profiles/items/postpaid', viewport: small },
];

for (const { name, path, ...options } of pictures) {
  test(name, async () => {
    const page = await open({ viewport: { width: 1200, height: 750 }, ...options });
    await page.goto(url + path, { waitUntil: 'networkidle' });
    await page.screenshot({ path: join(folder, `${name}.png`) });
    await page.context().close();
  });
}
