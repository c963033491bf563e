import { Link } from '@tanstack/react-router';
import { ArrowUpFromLine, Rocket, Trash2, Undo2 } from 'lucide-react';
import type { TagChange } from '../../api/tags.ts';
import { Badge, type Tone } from '../kit/badge.tsx';
import { Button } from '../kit/button.tsx';
import { CopyButton, shortDigest } from '../kit/copy.tsx';
import { Ago, Moment } from '../kit/figures.tsx';
import { useWords } from '../kit/words.tsx';
import { repositoryLink } from '../places.ts';
import { tagWords } from './tag-words.ts';

const SIGNS = { push: ArrowUpFromLine, delete: Trash2, rollback: Undo2, promote: Rocket } as const;
const TONES: Record<TagChange['action'], Tone> = {
  push: 'accent',
  delete: 'bad',
  rollback: 'warn',
  promote: 'good',
};

/** The changes of a tag, newest first. */
export function TagTimeline({
  repository,
  entries,
  onPoint,
}: {
  repository: string;
  entries: readonly TagChange[];
  onPoint: ((entry: TagChange) => void) | undefined;
}) {
  const words = useWords(tagWords);
  const current = entries[0]?.digest ?? null;
  const stored = new Set(entries.flatMap(({ digest, available }) => (available && digest !== null ? [digest] : [])));
  return (
    <ol aria-label={words.timeline} className="border-l-2 border-line pl-4 sm:pl-6">
      {entries.map((entry, index) => (
        <li key={entry.id} className="relative pb-6 last:pb-0">
          <span
            aria-hidden="true"
            className="absolute top-2 -left-[calc(1rem+7px)] size-3 rounded-full border-2 border-edge bg-surface sm:-left-[calc(1.5rem+7px)]"
          />
          <Entry
            repository={repository}
            entry={entry}
            newest={index === 0}
            current={current}
            stored={stored}
            onPoint={onPoint}
          />
        </li>
      ))}
    </ol>
  );
}

function Entry({
  repository,
  entry,
  newest,
  current,
  stored,
  onPoint,
}: {
  repository: string;
  entry: TagChange;
  newest: boolean;
  current: string | null;
  stored: ReadonlySet<string>;
  onPoint: ((entry: TagChange) => void) | undefined;
}) {
  const words = useWords(tagWords);
  const { digest, previous, action, available } = entry;
  const Sign = SIGNS[action];
  const mayPoint = onPoint !== undefined && digest !== null && available && digest !== current;
  const comparable = available && digest !== null && current !== null && digest !== current;
  return (
    <div className="grid gap-1.5">
      <p className="flex flex-wrap items-center gap-x-2 gap-y-1">
        <Badge tone={TONES[action]} icon={<Sign className="size-3" aria-hidden="true" />}>
          {words.actionsDone[action]}
        </Badge>
        {newest && <Badge>{words.current}</Badge>}
        <span>
          <Ago at={entry.at} />
        </span>
        <span className="text-sm text-muted">
          <Moment at={entry.at} />
        </span>
      </p>
      <p className="text-sm break-all text-muted">
        {words.by(entry.actor)}
        {entry.source !== '' && ` ${words.from(entry.source)}`}
      </p>
      {digest !== null && (
        <p className="flex flex-wrap items-center gap-2">
          <Digest repository={repository} digest={digest} available={available} />
          <CopyButton small text={digest} label={`${words.copyDigest} ${shortDigest(digest)}`} />
          {!available && (
            <Badge tone="warn" title={words.goneWhat}>
              {words.gone}
            </Badge>
          )}
        </p>
      )}
      <p className="flex flex-wrap items-center gap-2 text-sm text-muted">
        {previous === null ? (
          words.beforeNothing
        ) : (
          <>
            {words.before} <Digest repository={repository} digest={previous} available={stored.has(previous)} />
          </>
        )}
      </p>
      {(comparable || mayPoint) && (
        <p className="flex flex-wrap gap-2">
          {mayPoint && (
            <Button small onClick={() => onPoint(entry)}>
              {words.pointHere}
              <span className="sr-only"> {shortDigest(digest)}</span>
            </Button>
          )}
          {comparable && (
            <Link
              {...repositoryLink(repository, { view: 'compare', from: digest, to: current })}
              className="inline-flex min-h-8 items-center text-sm text-accent underline"
            >
              {words.compareCurrent}
              <span className="sr-only"> {shortDigest(digest)}</span>
            </Link>
          )}
        </p>
      )}
    </div>
  );
}

function Digest({ repository, digest, available }: { repository: string; digest: string; available: boolean }) {
  const text = (
    <code className="font-mono text-sm" title={digest}>
      {shortDigest(digest)}
    </code>
  );
  if (!available) return text;
  return (
    <Link
      {...repositoryLink(repository, { view: 'image', reference: digest })}
      className="inline-block py-0.5 text-accent underline"
    >
      {text}
    </Link>
  );
}
