import { type Operation, useSchemas } from '../../api/schema';
import { useMay } from '../../api/session';

/** The operations that who is signed in may do. */
export function useOperations(): Operation[] {
  const may = useMay();
  return useSchemas()
    .operations('/v1/casm/')
    .filter((o) => may(o.permission));
}
