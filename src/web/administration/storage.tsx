import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { HardDrive } from 'lucide-react';
import type { StorageInfo } from '../../api/administration.ts';
import { Ago, Bytes, formatBytes } from '../kit/figures.tsx';
import { Card, Notice, Section } from '../kit/page.tsx';
import { EmptyState, Loaded } from '../kit/states.tsx';
import { type Column, Table } from '../kit/table.tsx';
import { useLanguage, useWords } from '../kit/words.tsx';
import { repositoryLink } from '../places.ts';
import { server } from '../server.ts';
import { Administration } from './administration.tsx';
import { Backups } from './backups.tsx';
import { administrationWords } from './words.ts';

/** Below this part of the disk it is said that space is short. */
const LITTLE = 0.1;

export function StoragePage() {
  const words = useWords(administrationWords);
  return (
    <Administration current="storage" title={words.storageTitle}>
      {() => <Storage />}
    </Administration>
  );
}

function Storage() {
  const storage = useQuery({
    queryKey: ['storage'],
    queryFn: () => server.administration.storage(),
    refetchInterval: 30_000,
  });
  return (
    <Loaded query={storage} rows={6} height="h-24">
      {(known) => (
        <>
          <Figures storage={known} />
          <Disk storage={known} />
          <Backups />
          <Largest storage={known} />
        </>
      )}
    </Loaded>
  );
}

function Figures({ storage }: { storage: StorageInfo }) {
  const words = useWords(administrationWords);
  const { language } = useLanguage();
  const held = storage.blobBytes + storage.manifestBytes;
  const saved = Math.max(0, storage.referencedBytes - storage.blobBytes);
  const number = (count: number) => count.toLocaleString(language);
  const figures: [string, string][] = [
    [words.repositories, number(storage.repositories)],
    [words.tags, number(storage.tags)],
    [words.manifests, number(storage.manifests)],
    [words.blobs, number(storage.blobs)],
    [words.held, formatBytes(held)],
    [words.uploads, words.uploadsOf(storage.uploads.open, formatBytes(storage.uploads.bytes))],
  ];
  return (
    <div className="mb-8">
      <dl className="grid grid-cols-2 gap-3 sm:grid-cols-3">
        {figures.map(([name, value]) => (
          <div key={name} className="rounded-lg border border-line bg-surface px-4 py-3">
            <dt className="text-sm text-muted">{name}</dt>
            <dd className="text-xl font-semibold tabular-nums">{value}</dd>
          </div>
        ))}
      </dl>
      <p className="mt-3">
        <span className="font-medium">
          {words.sharing}: {formatBytes(saved)}.
        </span>{' '}
        <span className="text-muted">
          {words.sharingWhat(formatBytes(storage.referencedBytes), formatBytes(storage.blobBytes))}
        </span>
      </p>
      <p className="mt-1 text-sm text-muted">
        {words.summed} <Ago at={storage.summedAt} />
      </p>
    </div>
  );
}

function Disk({ storage: { disk, blobBytes, manifestBytes } }: { storage: StorageInfo }) {
  const words = useWords(administrationWords);
  if (disk === null) {
    return (
      <Section title={words.disk}>
        <p className="text-muted">{words.noDisk}</p>
      </Section>
    );
  }
  const used = disk.total - disk.free;
  const ours = Math.min(blobBytes + manifestBytes, used);
  const low = disk.free < disk.total * LITTLE;
  const percent = (bytes: number) => `${disk.total === 0 ? 0 : (bytes / disk.total) * 100}%`;
  return (
    <Section title={words.disk}>
      <Card>
        <div className="flex h-4 overflow-hidden rounded-full border border-edge bg-sunken" aria-hidden="true">
          <div className="bg-accent-strong" style={{ width: percent(ours) }} />
          <div className={low ? 'bg-bad-strong' : 'bg-edge'} style={{ width: percent(used - ours) }} />
        </div>
        <p className="mt-2">{words.diskSaid(formatBytes(used), formatBytes(disk.total), formatBytes(disk.free))}</p>
        <p className="text-sm text-muted">{words.diskOurs(formatBytes(ours))}</p>
        {low && (
          <div className="mt-3">
            <Notice tone="warn" title={words.diskLow}>
              <p>{words.diskLowWhat}</p>
              <p>
                <Link to="/admin/garbage" className="text-accent underline">
                  {words.tabs.garbage}
                </Link>
              </p>
            </Notice>
          </div>
        )}
      </Card>
    </Section>
  );
}

function Largest({ storage: { largest } }: { storage: StorageInfo }) {
  const words = useWords(administrationWords);
  const { language } = useLanguage();
  const columns: Column<StorageInfo['largest'][number]>[] = [
    {
      key: 'name',
      head: words.repository,
      cell: ({ name }) => (
        <Link {...repositoryLink(name)} className="break-all text-accent underline">
          {name}
        </Link>
      ),
    },
    { key: 'tags', head: words.tags, end: true, cell: ({ tags }) => tags.toLocaleString(language) },
    { key: 'size', head: words.size, end: true, cell: ({ bytes }) => <Bytes bytes={bytes} /> },
  ];
  return (
    <Section title={words.largest}>
      {largest.length === 0 ? (
        <EmptyState title={words.nothingStored} icon={<HardDrive className="size-7 text-muted" aria-hidden="true" />}>
          {words.nothingStoredWhat}
        </EmptyState>
      ) : (
        <Table label={words.largest} columns={columns} rows={largest} rowKey={({ name }) => name} />
      )}
    </Section>
  );
}
