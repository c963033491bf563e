import { ButtonLink } from '../kit/button.tsx';
import { Page } from '../kit/page.tsx';
import { EmptyState } from '../kit/states.tsx';
import { useWords } from '../kit/words.tsx';
import { frameWords } from './frame-words.ts';

export function NotFound() {
  const words = useWords(frameWords);
  return (
    <Page title={words.notFound}>
      <EmptyState title={words.notFoundWhat}>
        <ButtonLink to="/repositories">{words.repositories}</ButtonLink>
      </EmptyState>
    </Page>
  );
}
