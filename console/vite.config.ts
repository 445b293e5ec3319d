import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { constants, gzipSync } from 'node:zlib';
import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';

/** Every file but the page is kept compressed only: so the binary stays small, and nothing is compressed while serving. */
function compressed(): Plugin {
  return {
    name: 'compressed',
    apply: 'build',
    writeBundle({ dir }) {
      for (const name of readdirSync(dir!, { recursive: true, encoding: 'utf8' })) {
        if (!/\.(js|css|svg|json|woff2)$/.test(name)) continue;
        const path = join(dir!, name);
        writeFileSync(`${path}.gz`, gzipSync(readFileSync(path), { level: constants.Z_BEST_COMPRESSION }));
        rmSync(path);
      }
    },
  };
}

// The server puts a new nonce in the place of cspNonce with each page (console.go).
export default defineConfig({
  plugins: [react(), compressed()],
  html: { cspNonce: '__NONCE__' },
  build: { target: 'es2022', assetsInlineLimit: 0, modulePreload: { polyfill: false } },
  server: {
    proxy: Object.fromEntries(
      ['/v1', '/docs', '/openapi.json', '/healthz', '/readyz', '/metrics'].map((path) => [
        path,
        process.env.CASM_URL ?? 'http://127.0.0.1:8080',
      ]),
    ),
  },
});
