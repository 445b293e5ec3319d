import { type Schema, useSchemas } from '../api/schema';
import { useLabel } from '../form/SchemaForm';
import { type Collection, typeOfCollection } from './entities';

/** billingDay is "Billing Day", as the server's labels are. */
export const titled = (name: string) => name.charAt(0).toUpperCase() + name.slice(1).replace(/([a-z0-9])([A-Z])/g, '$1 $2');

/** The schema of a collection's entities, and what its members are called. */
export function useEntitySchema(collection: Collection): { schema: Schema; label(name: string): string } {
  const { resolve, ofRequest } = useSchemas();
  const say = useLabel();
  const asked = ofRequest(`/v1/casm/${collection}/create`, 'post');
  const schema = resolve({ $ref: `#/components/schemas/${typeOfCollection[collection]}` });
  return {
    schema,
    label: (name) => say(schema.properties?.[name]?.title ?? asked?.properties?.[name]?.title ?? titled(name)),
  };
}
