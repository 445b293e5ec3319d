import { type AnyRoute, createRoute, lazyRouteComponent } from '@tanstack/react-router';

export function careRoutes(root: AnyRoute) {
  return [
    createRoute({
      getParentRoute: () => root,
      path: '/care',
      component: lazyRouteComponent(() => import('./Start'), 'Start'),
    }),
  ];
}
