import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from '@tanstack/react-router';
import { careRoutes } from './care/routes';
import { collectionRoutes } from './configuration/routes';
import { operationsRoutes } from './operations/routes';
import { ErrorPage } from './parts/ErrorPage';
import { Loading } from './parts/Loading';
import { NotFound } from './shell/NotFound';
import { Shell } from './shell/Shell';
import { SignedIn } from './shell/SignedIn';

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound });

const first = createRoute({
  getParentRoute: () => root,
  path: '/',
  component: lazyRouteComponent(() => import('./first/FirstPage'), 'FirstPage'),
});

const signedIn = createRoute({ getParentRoute: () => root, path: '/signed-in', component: SignedIn });

export const router = createRouter({
  routeTree: root.addChildren([
    first,
    signedIn,
    ...collectionRoutes(root, '/configuration'),
    ...careRoutes(root),
    ...operationsRoutes(root),
  ]),
  defaultPendingComponent: Loading,
  defaultErrorComponent: ErrorPage,
  scrollRestoration: true,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
