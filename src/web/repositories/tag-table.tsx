import { Link, useNavigate } from '@tanstack/react-router';
import { EllipsisVertical, GitCompare, History, Lock, Trash2 } from 'lucide-react';
import { memo, useState } from 'react';
import type { RepositoryInfo } from '../../api/repositories.ts';
import type { TagInfo } from '../../api/tags.ts';
import { Badge } from '../kit/badge.tsx';
import { CopyButton, DigestText } from '../kit/copy.tsx';
import { Ago, Bytes } from '../kit/figures.tsx';
import { Menu } from '../kit/menu.tsx';
import { type Column, Table } from '../kit/table.tsx';
import { useWords } from '../kit/words.tsx';
import { repositoryLink } from '../places.ts';
import { pullCommand } from './push-commands.tsx';
import { CompareTag, DeleteTag } from './tag-dialogs.tsx';
import { tagWords } from './tag-words.ts';

const MOST_PLATFORMS = 3;

/** Tags with what they name, and what can be done with each. Many rows are rendered anew only when they changed. */
export const TagTable = memo(function TagTable({
  repository,
  tags,
}: {
  repository: RepositoryInfo;
  tags: readonly TagInfo[];
}) {
  const words = useWords(tagWords);
  const [deleted, setDeleted] = useState<TagInfo>();
  const [compared, setCompared] = useState<TagInfo>();
  const { name } = repository;
  const columns: Column<TagInfo>[] = [
    { key: 'tag', head: words.tag, cell: (tag) => <TagName repository={name} tag={tag} /> },
    { key: 'digest', head: words.digest, cell: (tag) => <DigestText digest={tag.digest} /> },
    {
      key: 'size',
      head: words.size,
      end: true,
      cell: (tag) => (tag.details === null ? null : <Bytes bytes={tag.details.size} />),
    },
    { key: 'platforms', head: words.platforms, cell: (tag) => <Platforms tag={tag} /> },
    {
      key: 'pushed',
      head: words.pushed,
      cell: (tag) => (
        <>
          <Ago at={tag.updatedAt} />
          {tag.details !== null && tag.details.updatedBy !== '' && (
            <span className="block text-sm break-all text-muted max-sm:ml-1 max-sm:inline">
              {words.by(tag.details.updatedBy)}
            </span>
          )}
        </>
      ),
    },
    {
      key: 'pulled',
      head: words.pulled,
      cell: (tag) => (tag.details === null ? null : <Ago at={tag.details.pulledAt} />),
    },
    {
      key: 'actions',
      head: words.actions,
      hideHead: true,
      end: true,
      cell: (tag) => (
        <TagActions
          repository={repository}
          tag={tag}
          onDelete={() => setDeleted(tag)}
          onCompare={() => setCompared(tag)}
        />
      ),
    },
  ];
  return (
    <>
      <Table label={words.tags} columns={columns} rows={tags} rowKey={(tag) => tag.name} />
      {deleted !== undefined && (
        <DeleteTag key={deleted.name} repository={name} tag={deleted} onClose={() => setDeleted(undefined)} />
      )}
      {compared !== undefined && (
        <CompareTag key={compared.name} repository={name} tag={compared.name} onClose={() => setCompared(undefined)} />
      )}
    </>
  );
});

function TagName({ repository, tag }: { repository: string; tag: TagInfo }) {
  const words = useWords(tagWords);
  return (
    <span className="flex flex-wrap items-center gap-x-2">
      <Link
        {...repositoryLink(repository, { view: 'image', reference: tag.name })}
        className="py-1 font-medium break-all text-accent underline"
      >
        {tag.name}
      </Link>
      {tag.details?.immutable && (
        <Badge icon={<Lock className="size-3" aria-hidden="true" />} title={words.immutableWhat}>
          {words.immutable}
        </Badge>
      )}
    </span>
  );
}

function Platforms({ tag }: { tag: TagInfo }) {
  const words = useWords(tagWords);
  if (tag.details === null) return null;
  const { kind, platforms } = tag.details;
  if (kind === 'artifact') return <span className="text-muted">{words.noPlatform}</span>;
  const names = platforms.map(({ platform }) => platform ?? words.unknownPlatform);
  const more = names.length - MOST_PLATFORMS;
  return (
    <span className="text-sm" title={names.join(', ')}>
      {names.slice(0, MOST_PLATFORMS).join(', ')}
      {more > 0 && ` ${words.morePlatforms(more)}`}
    </span>
  );
}

function TagActions({
  repository,
  tag,
  onDelete,
  onCompare,
}: {
  repository: RepositoryInfo;
  tag: TagInfo;
  onDelete: () => void;
  onCompare: () => void;
}) {
  const words = useWords(tagWords);
  const navigate = useNavigate();
  const mayDelete = repository.role !== 'read' && tag.details?.immutable !== true;
  return (
    <span className="inline-flex items-center gap-1">
      <CopyButton small text={pullCommand(repository.name, tag.name)} label={words.copyPull(tag.name)} />
      <Menu
        label={words.more(tag.name)}
        trigger={<EllipsisVertical className="size-5" aria-hidden="true" />}
        entries={[
          {
            label: words.history,
            icon: <History className="size-4" aria-hidden="true" />,
            onSelect: () => void navigate(repositoryLink(repository.name, { view: 'tag', tag: tag.name })),
          },
          {
            label: words.compare,
            icon: <GitCompare className="size-4" aria-hidden="true" />,
            onSelect: onCompare,
          },
          ...(mayDelete
            ? [
                {
                  label: words.delete,
                  icon: <Trash2 className="size-4" aria-hidden="true" />,
                  danger: true,
                  onSelect: onDelete,
                },
              ]
            : []),
        ]}
      />
    </span>
  );
}
