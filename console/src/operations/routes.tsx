import { type AnyRoute, createRoute, lazyRouteComponent, redirect } from '@tanstack/react-router';
import { collectionRoutes } from '../configuration/routes';

export function operationsRoutes(root: AnyRoute) {
  const pages = {
    '/operations/transactions': lazyRouteComponent(() => import('./TransactionsPage'), 'TransactionsPage'),
    '/operations/journal': lazyRouteComponent(() => import('./JournalPage'), 'JournalPage'),
    '/operations/warehouse': lazyRouteComponent(() => import('./WarehousePage'), 'WarehousePage'),
    '/operations/health': lazyRouteComponent(() => import('./HealthPage'), 'HealthPage'),
    '/operations/transfer': lazyRouteComponent(() => import('./TransferPage'), 'TransferPage'),
    '/operations/access/audit': lazyRouteComponent(() => import('./AuditPage'), 'AuditPage'),
  };
  return [
    ...collectionRoutes(root, '/operations/access'),
    createRoute({
      getParentRoute: () => root,
      path: '/operations',
      beforeLoad: () => {
        throw redirect({ to: '/operations/transactions' as string, replace: true });
      },
    }),
    ...Object.entries(pages).map(([path, component]) => createRoute({ getParentRoute: () => root, path, component })),
  ];
}
