import { accessible, browse, menu, url } from './harness.js';

browse('a server without a warehouse says so', async (page) => {
  await page.goto(`${url}/operations/warehouse`);
  await page.getByText('This server keeps no data warehouse.').waitFor();
  await accessible(page);
  await menu(page, 'Health');
  await page.getByRole('region', { name: 'Data Warehouse' }).getByText('off', { exact: true }).waitFor();
  await page.goto(url);
  await page.getByRole('heading', { level: 1 }).waitFor();
});
