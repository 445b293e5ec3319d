import { type Schema, useSchemas } from '../api/schema';
import { useLabel } from '../form/SchemaForm';
import { ChangeTable } from './ChangeTable';
import { type Change, walk } from './changes';

/** What changed in something that has a schema, value by value. */
export function Changes({ changes, schema, before, after }: { changes: Change[]; schema?: Schema; before?: string; after?: string }) {
  const say = useLabel();
  const { resolve } = useSchemas();
  const rows = changes.map(({ pointer, from, to }) => {
    const found = schema ? walk(schema, pointer, resolve) : { labels: [pointer.slice(1)] };
    return { key: pointer, label: found.labels.map(say).join(' › '), from, to, schema: found.schema };
  });
  return <ChangeTable rows={rows} before={before} after={after} />;
}
