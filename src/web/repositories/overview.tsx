import { useQuery } from '@tanstack/react-query';
import type { RepositoryInfo } from '../../api/repositories.ts';
import { classes } from '../kit/classes.ts';
import { CopyLine } from '../kit/copy.tsx';
import { Ago, Bytes } from '../kit/figures.tsx';
import { Card, Section } from '../kit/page.tsx';
import { EmptyState, Loaded } from '../kit/states.tsx';
import { Facts } from '../kit/table.tsx';
import { useWords } from '../kit/words.tsx';
import { server } from '../server.ts';
import { useUser } from '../session.tsx';
import { PushCommands, pullCommand } from './push-commands.tsx';
import { Readme } from './readme.tsx';
import { repositoryWords } from './repository-words.ts';
import { listWords } from './words.ts';

export function Overview({ repository }: { repository: RepositoryInfo }) {
  const words = useWords(repositoryWords);
  const { name } = repository;
  /** On a phone what is to pull comes first, else how to push. */
  const full = repository.tags > 0;
  return (
    <div className="grid gap-x-8 lg:grid-cols-[minmax(0,2fr)_minmax(16rem,1fr)]">
      <div className={classes('min-w-0', full && 'order-2 lg:order-1')}>
        {!full && <NothingPushed repository={repository} />}
        <Readme repository={repository} />
      </div>
      <div className={classes('min-w-0', full && 'order-1 lg:order-2')}>
        {full && (
          <Section title={words.pull}>
            <PullCommand name={name} updatedAt={repository.updatedAt} />
          </Section>
        )}
        <Section title={words.facts}>
          <Card>
            <RepositoryFacts repository={repository} />
          </Card>
        </Section>
      </div>
    </div>
  );
}

function PullCommand({ name, updatedAt }: { name: string; updatedAt: string }) {
  const words = useWords(repositoryWords);
  const tag = useQuery({ queryKey: ['tags', name, 'to-pull', updatedAt], queryFn: () => tagToPull(name) });
  return (
    <Loaded query={tag} rows={1} height="h-15">
      {(found) =>
        found === null ? null : (
          <div className="grid gap-1">
            <p className="text-sm text-muted">{words.pullWhat(found.name, found.newest)}</p>
            <CopyLine text={pullCommand(name, found.name)} label={words.copyPull} />
          </div>
        )
      }
    </Loaded>
  );
}

/** `latest` when there is one, else the newest; null when there is none. */
async function tagToPull(name: string): Promise<{ name: string; newest: boolean } | null> {
  const [latest, newest] = await Promise.all([
    // Nothing but `latest` can be the first name behind `latess~`: no tag has a `~`.
    server.tags.page(name, { n: '1', last: 'latess~' }),
    server.tags.page(name, { n: '1', sort: 'updated', order: 'desc' }),
  ]);
  if (latest.tags[0]?.name === 'latest') return { name: 'latest', newest: newest.tags[0]?.name === 'latest' };
  const first = newest.tags[0];
  return first === undefined ? null : { name: first.name, newest: true };
}

function RepositoryFacts({ repository }: { repository: RepositoryInfo }) {
  const words = useWords(repositoryWords);
  const { visibilities } = useWords(listWords);
  const user = useUser();
  return (
    <Facts
      facts={[
        [words.tags, words.tagCount(repository.tags)],
        [
          words.size,
          <span key="size" title={words.sizeWhat}>
            <Bytes bytes={repository.size} />
          </span>,
        ],
        [words.visibility, visibilities[repository.visibility]],
        [words.updated, <Ago key="updated" at={repository.updatedAt} />],
        [words.created, <Ago key="created" at={repository.createdAt} />],
        ...(user == null ? [] : ([[words.role, words.roles[repository.role]]] as const)),
      ]}
    />
  );
}

function NothingPushed({ repository }: { repository: RepositoryInfo }) {
  const words = useWords(repositoryWords);
  return (
    <div className="mb-8">
      <EmptyState title={words.empty}>
        {repository.role === 'read' ? (
          <p>{words.emptyReader}</p>
        ) : (
          <>
            <p>{words.emptyWhat}</p>
            <div className="w-full min-w-0 text-left text-ink">
              <PushCommands repository={repository.name} label={words.pushCommands} />
            </div>
          </>
        )}
      </EmptyState>
    </div>
  );
}
