import { useQueryErrorResetBoundary } from '@tanstack/react-query';
import { type ErrorComponentProps, useRouter } from '@tanstack/react-router';
import { asProblem } from '../api/problem';
import { ProblemAlert } from './ProblemAlert';

/** In the place of a page that could not be shown. */
export function ErrorPage({ error, reset }: ErrorComponentProps) {
  const router = useRouter();
  const queries = useQueryErrorResetBoundary();
  return (
    <ProblemAlert
      problem={asProblem(error)}
      retry={() => {
        queries.reset();
        reset();
        void router.invalidate();
      }}
    />
  );
}
