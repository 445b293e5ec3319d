import { type AnyRoute, createRoute, lazyRouteComponent } from '@tanstack/react-router';

/** The pages of collections, below a path. */
export function collectionRoutes(root: AnyRoute, below: string) {
  const pages = {
    '/$collection': lazyRouteComponent(() => import('./ListPage'), 'ListPage'),
    '/$collection/new': lazyRouteComponent(() => import('./ItemPage'), 'NewPage'),
    '/$collection/items/$code': lazyRouteComponent(() => import('./ItemPage'), 'ItemPage'),
  };
  return Object.entries(pages).map(([path, component]) => createRoute({ getParentRoute: () => root, path: below + path, component }));
}
