import { useQueryErrorResetBoundary } from '@tanstack/react-query';
import { type ErrorComponentProps, useRouter } from '@tanstack/react-router';
import { useEffect } from 'react';
import { asProblem } from '../api/problem';
import { useSession } from '../api/session';
import { useTexts } from '../texts';
import { parts } from '../texts/parts';
import { Page } from './Page';
import { ProblemAlert } from './ProblemAlert';

/** In the place of a page that could not be shown. */
export function ErrorPage({ error, reset }: ErrorComponentProps) {
  const t = useTexts(parts);
  const router = useRouter();
  const queries = useQueryErrorResetBoundary();
  const { needed } = useSession();
  const problem = asProblem(error);
  const again = () => {
    queries.reset();
    reset();
    void router.invalidate();
  };
  const signedIn = problem.status === 401 && !needed;
  // Signing in shows the page again.
  useEffect(() => {
    if (signedIn) again();
  }, [signedIn]);
  return (
    <Page title={t.noPage}>
      <ProblemAlert problem={problem} retry={again} />
    </Page>
  );
}
