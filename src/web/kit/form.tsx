import { type MutationFunction, useMutation } from '@tanstack/react-query';
import { CircleAlert } from 'lucide-react';
import type { ReactNode } from 'react';
import { ApiError, ServerUnreachableError } from '../../client/errors.ts';
import { Button } from './button.tsx';
import { kitWords } from './kit-words.ts';
import { useWords } from './words.tsx';

/** What went wrong, in a line for the person who did it. */
export function useProblemText(): (problem: unknown) => string {
  const words = useWords(kitWords);
  return (problem) => {
    if (problem instanceof ServerUnreachableError) return `${words.unreachable} ${words.unreachableWhat}`;
    if (problem instanceof ApiError) {
      if (problem.status >= 500) return `${words.failed} ${words.failedWhat(problem.requestId ?? '')}`;
      if (problem.status === 401) return words.sessionOver;
      return problem.detail;
    }
    return problem instanceof Error ? `${words.unexpected} ${problem.message}` : words.unexpected;
  };
}

/** The server's words about one field: its messages begin with the field's name. */
export function fieldProblem(problem: unknown, field: string): string | undefined {
  if (!(problem instanceof ApiError) || !problem.detail.startsWith(`${field}: `)) return undefined;
  return problem.detail.slice(field.length + 2);
}

/** Said aloud when it appears. Nothing for no problem. */
export function FormProblem({ problem }: { problem: unknown }) {
  const text = useProblemText();
  return (
    <div role="alert" className="empty:hidden">
      {problem !== undefined && problem !== null && (
        <p className="flex items-start gap-2 rounded-md bg-bad-soft px-3 py-2 text-sm text-bad">
          <CircleAlert className="mt-0.5 size-4 shrink-0" aria-hidden="true" />
          <span className="min-w-0 break-words">{text(problem)}</span>
        </p>
      )}
    </div>
  );
}

/** Something that changes the server: `run`, whether it is `busy`, and the `problem` it ended with. */
export function useAction<Input, Output>(
  work: MutationFunction<Output, Input>,
  after?: (output: Output, input: Input) => unknown,
) {
  const mutation = useMutation({ mutationFn: work, ...(after === undefined ? {} : { onSuccess: after }) });
  return {
    run: mutation.mutate,
    busy: mutation.isPending,
    problem: mutation.error,
    result: mutation.data,
    reset: mutation.reset,
  };
}

/** A form of one column. Enter sends it; while it is sent it can't be sent again. */
export function Form({
  onSend,
  action,
  busy,
  problem,
  children,
  disabled = false,
  extra,
}: {
  onSend: () => void;
  action: string;
  busy: boolean;
  problem: unknown;
  children: ReactNode;
  disabled?: boolean;
  extra?: ReactNode;
}) {
  return (
    <form
      className="grid gap-4"
      onSubmit={(event) => {
        event.preventDefault();
        if (!busy && !disabled) onSend();
      }}
    >
      {children}
      <FormProblem problem={problem} />
      <div className="flex flex-wrap items-center gap-2">
        <Button type="submit" kind="primary" busy={busy} disabled={disabled}>
          {action}
        </Button>
        {extra}
      </div>
    </form>
  );
}
