import { type AnyRoute, createRoute, lazyRouteComponent } from '@tanstack/react-router';

export function operationsRoutes(root: AnyRoute) {
  return [
    createRoute({
      getParentRoute: () => root,
      path: '/operations',
      component: lazyRouteComponent(() => import('./Start'), 'Start'),
    }),
  ];
}
