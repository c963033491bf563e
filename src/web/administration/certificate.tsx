import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { CertificateInfo } from '../../api/certificate.ts';
import { Badge, type Tone } from '../kit/badge.tsx';
import { Button } from '../kit/button.tsx';
import { CodeBlock } from '../kit/copy.tsx';
import { Ago, Moment, useNow } from '../kit/figures.tsx';
import { FormProblem, useAction } from '../kit/form.tsx';
import { Card, Notice, Section } from '../kit/page.tsx';
import { Loaded } from '../kit/states.tsx';
import { Facts } from '../kit/table.tsx';
import { useWords } from '../kit/words.tsx';
import { queries, server } from '../server.ts';
import { Administration } from './administration.tsx';
import { certificateWords } from './certificate-words.ts';

type Served = NonNullable<CertificateInfo['served']>;
type Authority = NonNullable<CertificateInfo['authority']>;

const DAY_MS = 86_400_000;
/** As the log does, from then on it is warned of. */
const SOON_DAYS = 14;
const FOLLOW_MS = 5_000;

export function CertificatePage() {
  const words = useWords(certificateWords);
  return (
    <Administration current="certificate" title={words.title} description={words.what}>
      {() => <Certificate />}
    </Administration>
  );
}

function Certificate() {
  const found = useQuery({
    queryKey: ['certificate'],
    queryFn: () => server.certificate.get(),
    refetchInterval: FOLLOW_MS,
  });
  return (
    <Loaded query={found} rows={5}>
      {(certificate) =>
        certificate.source === 'none' ? (
          <PlainHttp />
        ) : (
          <>
            <ServedNow certificate={certificate} />
            {certificate.authority !== null && <FromAuthority authority={certificate.authority} />}
          </>
        )
      }
    </Loaded>
  );
}

function PlainHttp() {
  const words = useWords(certificateWords);
  return (
    <div className="grid max-w-3xl gap-4">
      <Notice tone="warn" title={words.plain}>
        <p>{words.plainWhat}</p>
      </Notice>
      <CodeBlock
        label={words.withFiles}
        code={
          'berth serve --port 443 --http-port 80 \\\n  --tls-certificate /etc/ssl/registry.pem --tls-key /etc/ssl/registry.key'
        }
      />
      <p>{words.orAuthority}</p>
      <CodeBlock
        label={words.withAuthority}
        code={`berth serve --port 443 --http-port 80 \\\n  --acme-domains ${publicName()} --acme-email ops@example.com`}
      />
      <p>
        <Link to="/getting-started" className="text-accent underline">
          {words.check}
        </Link>
      </p>
    </div>
  );
}

/** What an authority could give a certificate for: no address, and no name of this machine alone. */
function publicName(): string {
  return /\.[a-z][a-z0-9-]*$/i.test(location.hostname) ? location.hostname : 'registry.example.com';
}

function ServedNow({ certificate: { source, served, authority } }: { certificate: CertificateInfo }) {
  const words = useWords(certificateWords);
  return (
    <Section title={words.served} description={words.anotherProcess}>
      {served === null ? (
        <p className="text-muted">{words.none}</p>
      ) : (
        <div className="grid gap-4">
          <Warning served={served} renewed={authority !== null} />
          <Card>
            <Facts
              facts={[
                [words.source, words.sources[source]],
                [words.names, <span key="names">{served.names.join(', ')}</span>],
                [words.issuer, served.issuer],
                [words.from, <Moment key="from" at={served.notBefore} />],
                [
                  words.until,
                  <span key="until" className="flex flex-wrap items-center gap-2">
                    <Moment at={served.notAfter} />
                    <Left served={served} renewed={authority !== null} />
                  </span>,
                ],
              ]}
            />
          </Card>
        </div>
      )}
    </Section>
  );
}

function useDaysLeft({ notAfter }: Served): number {
  return Math.floor((Date.parse(notAfter) - useNow()) / DAY_MS);
}

function Left({ served, renewed }: { served: Served; renewed: boolean }) {
  const words = useWords(certificateWords);
  const days = useDaysLeft(served);
  const tone: Tone = days < 0 ? 'bad' : days < SOON_DAYS && !renewed ? 'warn' : 'good';
  return <Badge tone={tone}>{days < 0 ? words.over : words.left(days)}</Badge>;
}

function Warning({ served, renewed }: { served: Served; renewed: boolean }) {
  const words = useWords(certificateWords);
  const days = useDaysLeft(served);
  if (served.standIn) {
    return (
      <Notice tone="warn" title={words.standIn}>
        <p>{words.standInWhat}</p>
      </Notice>
    );
  }
  if (days < 0) {
    return (
      <Notice tone="bad" title={words.over}>
        <p>{renewed ? words.overWhatAuthority : words.overWhat}</p>
      </Notice>
    );
  }
  if (days >= SOON_DAYS || renewed) return null;
  return (
    <Notice tone="warn" title={words.short}>
      <p>{words.shortWhat}</p>
    </Notice>
  );
}

function FromAuthority({ authority }: { authority: Authority }) {
  const words = useWords(certificateWords);
  const now = useNow();
  const { directory, names, nextOrderAt, failure } = authority;
  const retry = useAction(
    () => server.certificate.retry(),
    () => queries.invalidateQueries({ queryKey: ['certificate'] }),
  );
  return (
    <Section title={words.authority}>
      <div className="grid gap-4">
        {failure !== null && (
          <Notice tone="bad" title={words.failed}>
            <p className="break-words">{failure.reason}</p>
            <p>
              {words.failedWhat(failure.count)} {words.failedAt} <Moment at={failure.failedAt} />
            </p>
            <p>
              <Button small busy={retry.busy} onClick={() => retry.run()}>
                {words.retry}
              </Button>
            </p>
            <FormProblem problem={retry.problem} />
          </Notice>
        )}
        <p role="status" className="text-sm text-good empty:hidden">
          {failure === null && retry.result !== undefined && words.retried}
        </p>
        <Card>
          <Facts
            facts={[
              [
                words.directory,
                <span key="directory" className="break-all">
                  {directory}
                </span>,
              ],
              [words.ordered, names.join(', ')],
              [words.next, Date.parse(nextOrderAt) <= now ? words.due : <NextOrder key="next" at={nextOrderAt} />],
            ]}
          />
        </Card>
      </div>
    </Section>
  );
}

function NextOrder({ at }: { at: string }) {
  return (
    <span className="flex flex-wrap gap-x-2">
      <Moment at={at} />
      <span className="text-muted">
        (<Ago at={at} />)
      </span>
    </span>
  );
}
