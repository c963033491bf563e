import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { ImageUsage } from '../../api/images.ts';
import { Badge } from '../kit/badge.tsx';
import { shortDigest } from '../kit/copy.tsx';
import { Bytes } from '../kit/figures.tsx';
import { Card, Notice, Section } from '../kit/page.tsx';
import { Loaded } from '../kit/states.tsx';
import { Table } from '../kit/table.tsx';
import { useWords } from '../kit/words.tsx';
import { deploymentLink, environmentLink, releaseLink, repositoryLink } from '../places.ts';
import { server } from '../server.ts';
import { imageLink } from './image-link.ts';
import { inOneLine } from './pushed-text.tsx';
import { usageReason } from './usage-reason.ts';
import { usageWords } from './usage-words.ts';

export function useUsage(repository: string, digest: string | undefined) {
  return useQuery({
    queryKey: ['image-usage', repository, digest],
    queryFn: () => server.images.usage(repository, digest ?? ''),
    enabled: digest !== undefined,
  });
}

/** Where an image is deployed, why it is kept, what it shares. */
export function UsageSection({ repository, digest }: { repository: string; digest: string }) {
  const words = useWords(usageWords);
  const usage = useUsage(repository, digest);
  return (
    <Section title={words.title}>
      <Loaded query={usage} rows={3} height="h-24">
        {(known) => (
          <div className="grid gap-4 lg:grid-cols-2">
            <Deployed usage={known} />
            <Kept repository={repository} digest={digest} reasons={known.reasons} />
            <div className="lg:col-span-2">
              <Shared shared={known.shared} />
            </div>
          </div>
        )}
      </Loaded>
    </Section>
  );
}

function Deployed({ usage }: { usage: ImageUsage }) {
  const words = useWords(usageWords);
  return (
    <Card>
      <h3 className="mb-2 font-semibold">{words.deployed}</h3>
      {usage.deployments.length === 0 && <p className="text-muted">{words.notDeployed}</p>}
      <ul className="grid gap-2">
        {usage.deployments.map(({ stack, environment, running, text }) => (
          <li key={text} className="flex flex-wrap items-baseline gap-x-2">
            <Link {...environmentLink(stack, environment)} className="break-all text-accent underline">
              {stack} / {environment}
            </Link>
            {running && <Badge tone="good">{words.running}</Badge>}
            <span className="w-full text-sm text-muted">
              <ReasonText text={text} />
            </span>
          </li>
        ))}
      </ul>
      {usage.hiddenDeployments > 0 && (
        <p className="mt-2 text-sm text-muted">{words.hidden(usage.hiddenDeployments)}</p>
      )}
    </Card>
  );
}

/** A reason or a user in words, with the way to it where there is a page of it. */
export function ReasonText({ text, repository }: { text: string; repository?: string }) {
  const words = useWords(usageWords);
  const reason = usageReason(text);
  const said = inOneLine(words.reason(reason), 400);
  const link =
    reason.kind === 'deployment'
      ? deploymentLink(reason.stack, reason.environment, reason.number)
      : reason.kind === 'release'
        ? releaseLink(reason.stack, reason.number)
        : reason.kind === 'target'
          ? environmentLink(reason.stack, reason.environment)
          : (reason.kind === 'tag' || reason.kind === 'history') && repository !== undefined
            ? repositoryLink(repository, { view: 'tag', tag: reason.tag })
            : undefined;
  if (link === undefined) return said;
  return (
    <Link {...link} className="break-words underline">
      {said}
    </Link>
  );
}

/** As many as the server says at most. */
const MOST_REASONS = 100;

function Kept({ repository, digest, reasons }: { repository: string; digest: string; reasons: ImageUsage['reasons'] }) {
  const words = useWords(usageWords);
  return (
    <Card>
      <h3 className="mb-2 font-semibold">{words.kept}</h3>
      {reasons.length === 0 && <Notice tone="warn">{words.nothingKeeps}</Notice>}
      <ul className="grid max-h-80 gap-2 overflow-y-auto">
        {reasons.map(({ root, path }) => (
          <li key={`${root} ${path[0]}`}>
            <ReasonText text={root} repository={repository} />
            {path.length > 1 && (
              <p className="text-sm text-muted">
                {words.path}{' '}
                {path.map((step, index) => (
                  <span key={step}>
                    {index > 0 && ' → '}
                    {step === digest ? (
                      words.thisImage
                    ) : (
                      <Link {...imageLink(repository, step)} className="font-mono underline">
                        {shortDigest(step)}
                      </Link>
                    )}
                  </span>
                ))}
              </p>
            )}
          </li>
        ))}
      </ul>
      {reasons.length >= MOST_REASONS && <p className="mt-2 text-sm text-muted">{words.moreReasons}</p>}
    </Card>
  );
}

function Shared({ shared }: { shared: ImageUsage['shared'] }) {
  const words = useWords(usageWords);
  return (
    <>
      <h3 className="font-semibold">{words.shared}</h3>
      <p className="mb-2 text-sm text-muted">{shared.length === 0 ? words.notShared : words.sharedNote}</p>
      {shared.length > 0 && (
        <Table
          label={words.shared}
          rows={shared}
          rowKey={({ repository }) => repository}
          columns={[
            {
              key: 'repository',
              head: words.repository,
              cell: ({ repository }) => (
                <Link {...repositoryLink(repository)} className="break-all text-accent underline">
                  {repository}
                </Link>
              ),
            },
            { key: 'layers', head: words.layers, end: true, cell: ({ layers }) => layers },
            { key: 'bytes', head: words.bytes, end: true, cell: ({ bytes }) => <Bytes bytes={bytes} /> },
          ]}
        />
      )}
    </>
  );
}
