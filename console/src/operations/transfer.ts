import { api, type Schemas } from '../api/client';

export type Difference = Schemas['ImportAnswer'];

/** What an import takes at most (contract 4). */
export const mostBytes = 16 << 20;

/** Imports a document, or tells what an import would change. YAML and JSON are told apart by their first sign. */
export async function importDocument(text: string, dryRun: boolean): Promise<Difference> {
  const type = /^\s*[{[]/.test(text) ? 'application/json' : 'application/yaml';
  const { data } = await api.POST('/v1/config/import', {
    params: { query: { dryRun } },
    headers: { 'Content-Type': type },
    body: text as unknown as Record<string, never>,
    bodySerializer: (body) => body as unknown as string,
  });
  return data!;
}

/** The whole configuration as one document. */
export async function exportDocument(format: 'YAML' | 'JSON'): Promise<string> {
  const { data } = await api.GET('/v1/config/export', {
    headers: { Accept: format === 'JSON' ? 'application/json' : 'application/yaml' },
    parseAs: 'text',
  });
  return data as unknown as string;
}

/** Gives the browser a file to keep. */
export function save(name: string, type: string, text: string) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // the download may begin a little later
}
