import { useMutation } from '@tanstack/react-query';
import { useRef } from 'react';
import { asProblem, type Problem } from './problem';

/**
 * A write under a requestId. The same input, sent again after the answer was
 * lost, carries the same requestId and so has one effect (contract rule 1);
 * another input, or one after a success, carries a new one.
 */
export function useSubmission<I, O>(send: (input: I, requestId: string) => Promise<O>, done?: (output: O, input: I) => void) {
  const last = useRef({ input: '', id: '' });
  const mutation = useMutation<O, Problem, I>({
    retry: false,
    mutationFn: async (input) => {
      const text = JSON.stringify(input);
      if (last.current.input !== text || !last.current.id) last.current = { input: text, id: crypto.randomUUID() };
      try {
        const output = await send(input, last.current.id);
        last.current.id = '';
        return output;
      } catch (error) {
        throw asProblem(error);
      }
    },
    onSuccess: (output, input) => done?.(output, input),
  });
  return {
    submit: mutation.mutate,
    busy: mutation.isPending,
    problem: mutation.error ?? undefined,
    result: mutation.data,
    reset: mutation.reset,
  };
}
