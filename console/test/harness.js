// What the tests of the console share: a browser, pages that may not make
// mistakes, and a picture when a test fails.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';

/** The server under test. */
export const url = process.env.CASM_URL;

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const pictures = join(import.meta.dirname, '..', 'screenshots');

let browser;

before(async () => {
  assert.ok(url, 'CASM_URL says where the server is; run this by: go test ./test/console');
  browser = await chromium.launch({ executablePath: process.env.CASM_CHROMIUM, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
});

after(async () => {
  await browser?.close();
});

/**
 * A page in a context of its own: English, 1280 × 800, light, unless said
 * otherwise. What the browser has to complain about (mistakes in the console,
 * breaches of the policy, failed requests) is gathered in `complaints`.
 */
export async function open(options = {}) {
  const context = await browser.newContext({
    locale: 'en-GB',
    timezoneId: 'Europe/Vienna',
    viewport: { width: 1280, height: 800 },
    ...options,
  });
  context.setDefaultTimeout(30_000);
  const page = await context.newPage();
  page.complaints = [];
  page.on('console', (m) => {
    // A refused request is said by the server and shown by the console; the browser mentions it all the same.
    if (['error', 'warning'].includes(m.type()) && !m.text().startsWith('Failed to load resource: the server responded with a status of')) {
      page.complaints.push(`${m.type()}: ${m.text()}`);
    }
  });
  page.on('pageerror', (e) => page.complaints.push(`exception: ${e.stack}`));
  page.on('request', (r) => {
    if (!r.url().startsWith(url) && !r.url().startsWith('data:') && !r.url().startsWith('blob:'))
      page.complaints.push(`outside resource: ${r.url()}`);
  });
  return page;
}

/** A test with a page: it fails when the browser complains, and leaves a picture when it fails. */
export function browse(name, fn, options) {
  test(name, async (t) => {
    const page = await open(options);
    try {
      await fn(page, t);
      assert.deepEqual(page.complaints, []);
    } catch (error) {
      mkdirSync(pictures, { recursive: true });
      const path = join(pictures, `${name.replace(/[^a-z0-9]+/gi, '-')}.png`);
      await page.screenshot({ path, fullPage: true }).catch(() => {});
      t.diagnostic(`at ${page.url()}; picture: ${path}; complaints: ${JSON.stringify(page.complaints)}`);
      throw error;
    } finally {
      await page.context().close();
    }
  });
}

/** No violation of the rules that axe can judge, once nothing fades in or out any more. */
export async function accessible(page) {
  await page.waitForFunction(() => document.getAnimations().every((a) => a.effect?.getComputedTiming().endTime === Infinity));
  if (!(await page.evaluate(() => window.axe !== undefined))) await page.evaluate(axeSource);
  const found = await page.evaluate(async () => (await window.axe.run(document, { resultTypes: ['violations'] })).violations);
  const told = found.map((v) => `${v.id} (${v.impact}): ${v.help}\n${v.nodes.map((n) => `  ${n.target} ${n.failureSummary}`).join('\n')}`);
  assert.deepEqual(told, [], `axe at ${page.url()}`);
}

/** Switches the perspective, by its name. */
export async function perspective(page, name) {
  await page.getByLabel('Perspective', { exact: true }).selectOption(name);
}

/** Opens a page by its name in the menu. */
export async function menu(page, name) {
  await page.getByRole('navigation').getByRole('link', { name, exact: true }).click();
  await page.getByRole('heading', { level: 1, name, exact: true }).waitFor();
}

/** What asks who calls. */
export function signInDialog(page) {
  return page.getByRole('dialog', { name: 'Sign in' });
}

/** Fills in who calls, and sends it. */
export async function signIn(page, user, password) {
  const dialog = signInDialog(page);
  await dialog.getByLabel('User', { exact: true }).fill(user);
  await dialog.getByLabel('Password', { exact: true }).fill(password);
  await dialog.getByRole('button', { name: 'Sign in', exact: true }).click();
}

/** Signs in with a key, and waits until that is done. */
export async function withKey(page, key) {
  const dialog = signInDialog(page);
  await dialog.waitFor();
  const other = dialog.getByRole('button', { name: 'Use an API key instead' });
  if (await other.isVisible()) await other.click();
  await dialog.getByLabel('API key', { exact: true }).fill(key);
  await dialog.getByRole('button', { name: 'Sign in', exact: true }).click();
  await dialog.waitFor({ state: 'detached' });
}

/** Calls the API beside the browser, such as to prepare something. */
export async function call(method, path, body, headers = {}) {
  const response = await fetch(url + path, {
    method,
    headers: { ...(body ? { 'Content-Type': 'application/json' } : {}), ...headers },
    body: body && JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text ? JSON.parse(text) : undefined };
}

/** Ends the server of these tests ('kill', at once) or starts it again ('start'). */
export async function control(what) {
  const response = await fetch(`${process.env.CASM_CONTROL}/${what}`, { method: 'POST' });
  assert.equal(response.status, 200);
}
