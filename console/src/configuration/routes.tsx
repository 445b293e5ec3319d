import { type AnyRoute, createRoute, lazyRouteComponent } from '@tanstack/react-router';

export function configurationRoutes(root: AnyRoute) {
  return [
    createRoute({
      getParentRoute: () => root,
      path: '/configuration/$collection',
      component: lazyRouteComponent(() => import('./ListPage'), 'ListPage'),
    }),
    createRoute({
      getParentRoute: () => root,
      path: '/configuration/$collection/new',
      component: lazyRouteComponent(() => import('./ItemPage'), 'NewPage'),
    }),
    createRoute({
      getParentRoute: () => root,
      path: '/configuration/$collection/items/$code',
      component: lazyRouteComponent(() => import('./ItemPage'), 'ItemPage'),
    }),
  ];
}
