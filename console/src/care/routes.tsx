import { type AnyRoute, createRoute, lazyRouteComponent, notFound, redirect } from '@tanstack/react-router';
import { listSearch, pageSearch, searchSearch } from './address';
import { collections } from './entities';

function known({ params }: { params: { collection: string } }) {
  if (!(collections as string[]).includes(params.collection)) throw notFound();
}

export function careRoutes(root: AnyRoute) {
  return [
    createRoute({
      getParentRoute: () => root,
      path: '/care',
      beforeLoad: () => {
        throw redirect({ to: '/care/search', replace: true });
      },
    }),
    createRoute({
      getParentRoute: () => root,
      path: '/care/search',
      validateSearch: searchSearch,
      component: lazyRouteComponent(() => import('./SearchPage'), 'SearchPage'),
    }),
    createRoute({
      getParentRoute: () => root,
      path: '/care/$collection',
      validateSearch: listSearch,
      beforeLoad: known,
      component: lazyRouteComponent(() => import('./ListPage'), 'ListPage'),
    }),
    createRoute({
      getParentRoute: () => root,
      path: '/care/$collection/$refId',
      validateSearch: pageSearch,
      beforeLoad: known,
      component: lazyRouteComponent(() => import('./EntityPage'), 'EntityPage'),
    }),
  ];
}
