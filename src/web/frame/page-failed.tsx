import type { ErrorComponentProps } from '@tanstack/react-router';
import { Button } from '../kit/button.tsx';
import { Page } from '../kit/page.tsx';
import { EmptyState } from '../kit/states.tsx';
import { useWords } from '../kit/words.tsx';
import { frameWords } from './frame-words.ts';

/** In place of a page that threw. The cause is in the browser's console. */
export function PageFailed(_: ErrorComponentProps) {
  const words = useWords(frameWords);
  return (
    <Page title={words.crashed}>
      <EmptyState title={words.crashedWhat}>
        <Button onClick={() => location.reload()}>{words.reload}</Button>
      </EmptyState>
    </Page>
  );
}
