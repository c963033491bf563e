import { lazy, Suspense } from 'react';
import { Waiting } from './waiting.tsx';

export { HomePage } from './home-page.tsx';

const Repositories = lazy(async () => ({ default: (await import('./repositories-page.tsx')).RepositoriesPage }));
const Repository = lazy(async () => ({ default: (await import('./repository-page.tsx')).RepositoryPage }));

export function RepositoriesPage() {
  return (
    <Suspense fallback={<Waiting />}>
      <Repositories />
    </Suspense>
  );
}

export function RepositoryPage() {
  return (
    <Suspense fallback={<Waiting />}>
      <Repository />
    </Suspense>
  );
}
