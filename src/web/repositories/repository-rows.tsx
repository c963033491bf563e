import { Link } from '@tanstack/react-router';
import { Globe, Lock } from 'lucide-react';
import type { RepositorySummary } from '../../api/repositories.ts';
import { Badge } from '../kit/badge.tsx';
import { Ago } from '../kit/figures.tsx';
import { useWords } from '../kit/words.tsx';
import { repositoryLink } from '../places.ts';
import { listWords } from './words.ts';

export function VisibilityBadge({ visibility }: { visibility: RepositorySummary['visibility'] }) {
  const words = useWords(listWords);
  const Sign = visibility === 'public' ? Globe : Lock;
  return <Badge icon={<Sign className="size-3" aria-hidden="true" />}>{words.visibilities[visibility]}</Badge>;
}

/** Repositories beneath each other: name, description, when a tag last changed. */
export function RepositoryRows({ label, rows }: { label: string; rows: readonly RepositorySummary[] }) {
  const words = useWords(listWords);
  return (
    <ul aria-label={label} className="divide-y divide-line rounded-lg border border-line bg-surface">
      {rows.map((row) => (
        <li key={row.name} className="flex flex-wrap items-baseline gap-x-4 gap-y-0.5 px-4 py-2.5 sm:flex-nowrap">
          <div className="min-w-0 flex-1">
            <div className="flex min-w-0 flex-wrap items-center gap-x-2">
              <Link {...repositoryLink(row.name)} className="min-w-0 py-1 font-medium break-all text-accent underline">
                {row.name}
              </Link>
              <VisibilityBadge visibility={row.visibility} />
            </div>
            {row.description !== '' && <p className="line-clamp-2 text-sm break-words text-muted">{row.description}</p>}
          </div>
          <p className="shrink-0 text-sm text-muted">
            {words.updated} <Ago at={row.updatedAt} />
          </p>
        </li>
      ))}
    </ul>
  );
}
