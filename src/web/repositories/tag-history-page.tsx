import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { Undo2 } from 'lucide-react';
import { useState } from 'react';
import type { RepositoryInfo } from '../../api/repositories.ts';
import type { TagChange } from '../../api/tags.ts';
import { matchesPattern } from '../../oci/tag-pattern.ts';
import { Button } from '../kit/button.tsx';
import { CopyButton, shortDigest } from '../kit/copy.tsx';
import { Notice, Page, Section } from '../kit/page.tsx';
import { ErrorState, Skeleton } from '../kit/states.tsx';
import { take } from '../kit/take.ts';
import { useWords } from '../kit/words.tsx';
import { repositoryLink } from '../places.ts';
import { server } from '../server.ts';
import { PointTag, type PointTo } from './point-tag.tsx';
import { pullCommand } from './push-commands.tsx';
import { RepositoryHeading } from './repository-heading.tsx';
import { useRepository } from './repository-query.ts';
import { undoTarget } from './tag-history.ts';
import { TagTimeline } from './tag-timeline.tsx';
import { tagWords } from './tag-words.ts';

const PAGE = 50;
const REFRESH_MS = 3_000;

/** What a tag pointed at, and the way back. */
export function TagHistoryPage({ name, tag }: { name: string; tag: string }) {
  const words = useWords(tagWords);
  const [wanted, setWanted] = useState(PAGE);
  const [pointing, setPointing] = useState<PointTo>();
  const [pointed, setPointed] = useState<string>();
  const repository = useRepository(name);
  const patterns = useQuery({ queryKey: ['tags', name, 'immutable'], queryFn: () => server.tags.immutable(name) });
  const history = useQuery({
    queryKey: ['tag-history', name, tag, wanted],
    // One more than is shown tells whether there are more.
    queryFn: () => take(server.tags.history(name, tag, wanted + 1), wanted + 1),
    placeholderData: keepPreviousData,
    refetchInterval: REFRESH_MS,
  });
  const entries = history.data?.slice(0, wanted);
  const more = (history.data?.length ?? 0) > wanted;
  const current = entries?.[0]?.digest ?? null;
  const immutable = current !== null && patterns.data?.some((pattern) => matchesPattern(pattern, tag)) === true;
  const mayPoint = maySet(repository.data) && patterns.data !== undefined && !immutable;
  const undo = entries === undefined || more ? undefined : undoTarget(entries);
  const undoable = more || entries?.some(({ digest, available }) => digest === undo && available) === true;
  return (
    <Page
      title={words.historyTitle(`${name}:${tag}`)}
      heading={
        <RepositoryHeading name={name}>
          :<wbr />
          {tag}
        </RepositoryHeading>
      }
      above={
        <Link {...repositoryLink(name, { view: 'tags' })} className="inline-block py-1 underline">
          {words.back}
        </Link>
      }
      actions={
        <>
          {current !== null && <CopyButton text={pullCommand(name, tag)} label={words.copyPull(tag)} />}
          {mayPoint && undoable && entries !== undefined && (
            <Button onClick={() => setPointing({ from: current, to: undo })}>
              <Undo2 className="size-4" aria-hidden="true" />
              {words.undo}
            </Button>
          )}
        </>
      }
    >
      <div role="status" className="mb-4 empty:mb-0">
        {pointed !== undefined && <Notice tone="good" title={words.pointed(shortDigest(pointed))} />}
      </div>
      {immutable && (
        <div className="mb-4">
          <Notice>
            <p>{words.isImmutable}</p>
          </Notice>
        </div>
      )}
      {entries === undefined ? (
        history.error !== null ? (
          <ErrorState problem={history.error} onRetry={() => void history.refetch()} />
        ) : (
          <Skeleton rows={5} height="h-24" />
        )
      ) : (
        <>
          {current === null && (
            <div className="mb-4">
              <Notice tone="warn" title={words.nowDeleted} />
            </div>
          )}
          <Section title={words.timeline}>
            <TagTimeline
              repository={name}
              entries={entries}
              onPoint={
                mayPoint
                  ? (entry: TagChange) => entry.digest !== null && setPointing({ from: current, to: entry.digest })
                  : undefined
              }
            />
            {more && (
              <Button className="mt-3" busy={history.isPlaceholderData} onClick={() => setWanted(wanted + PAGE)}>
                {words.showMore}
              </Button>
            )}
          </Section>
        </>
      )}
      {pointing !== undefined && (
        <PointTag
          repository={name}
          tag={tag}
          point={pointing}
          current={current}
          onClose={() => setPointing(undefined)}
          onPointed={(digest) => {
            setPointing(undefined);
            setPointed(digest);
          }}
        />
      )}
    </Page>
  );
}

function maySet(repository: RepositoryInfo | undefined): boolean {
  return repository !== undefined && repository.role !== 'read';
}
