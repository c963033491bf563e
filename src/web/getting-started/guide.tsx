import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { daemonJson, registriesConf } from '../../doctor/plain-http.ts';
import { isPlainElsewhere, registryHost } from '../../doctor/registry-host.ts';
import { ButtonLink } from '../kit/button.tsx';
import { CodeBlock } from '../kit/copy.tsx';
import { Card, Notice, Page, Section } from '../kit/page.tsx';
import { useWords } from '../kit/words.tsx';
import { useInstance, useUser } from '../session.tsx';
import { AddressCheck } from './address-check.tsx';
import { buildCommands, deployCommands, nginxConfiguration, pushCommands } from './commands.ts';
import { startWords } from './words.ts';

/** What to type to use this registry, at the address that it was opened under. */
export function GettingStartedPage() {
  const words = useWords(startWords);
  const user = useUser();
  const host = registryHost(location);
  return (
    <Page title={words.title} description={words.what(host)}>
      {isPlainElsewhere(location) && <PlainHttp host={host} />}
      <AddressCheck />
      {user === null && <Account />}
      <FirstImage host={host} username={user?.username} />
      <Builds host={host} username={user?.username} />
      <Section title={words.cli} description={words.cliWhat}>
        <CodeBlock label={words.cli} code={`berth login ${location.origin}\nberth repository list`} />
      </Section>
      <Section
        title={words.deploy}
        description={words.deployWhat}
        actions={user != null && <ButtonLink to="/stacks">{words.stacks}</ButtonLink>}
      >
        <CodeBlock label={words.deployCommands} code={deployCommands()} />
      </Section>
      <Section title={words.server} description={words.serverWhat}>
        <CodeBlock
          label={words.agent}
          code={`berth agent --server ${location.origin} --token berth_agent_…`}
          copy={false}
        />
      </Section>
    </Page>
  );
}

function PlainHttp({ host }: { host: string }) {
  const words = useWords(startWords);
  return (
    <Section title={words.plain}>
      <Card className="grid gap-4">
        <p>{words.plainWhat(host)}</p>
        <CodeBlock label={words.daemonJson} code={daemonJson(host)} />
        <p>{words.merge}</p>
        <CodeBlock label={words.reload} code="sudo systemctl reload docker" />
        <p className="text-sm text-muted">{words.restart}</p>
        <More title={words.desktop}>
          <p>{words.desktopWhat}</p>
        </More>
        <More title={words.podman}>
          <p>{words.podmanWhat}</p>
          <CodeBlock label={words.podman} code={registriesConf(host)} />
        </More>
        <More title={words.https}>
          <p>{words.httpsWhat}</p>
          <CodeBlock
            label={words.httpsConf}
            code={nginxConfiguration(location.hostname, location.port === '' ? '5000' : location.port)}
          />
        </More>
      </Card>
    </Section>
  );
}

function More({ title, children }: { title: string; children: ReactNode }) {
  return (
    <details>
      <summary className="min-h-8 cursor-pointer font-medium">{title}</summary>
      <div className="mt-2 grid gap-2">{children}</div>
    </details>
  );
}

function Account() {
  const words = useWords(startWords);
  const instance = useInstance().data;
  return (
    <div className="mb-8">
      <Notice title={words.account}>
        <p>{words.accountWhat}</p>
        <p className="flex flex-wrap gap-2">
          <ButtonLink kind="primary" to="/login" search={{ next: '/getting-started' }}>
            {words.logInHere}
          </ButtonLink>
          {instance?.signUp === 'open' && <ButtonLink to="/signup">{words.signUp}</ButtonLink>}
        </p>
      </Notice>
    </div>
  );
}

function FirstImage({ host, username }: { host: string; username: string | undefined }) {
  const words = useWords(startWords);
  const commands = pushCommands(host, username ?? 'USERNAME');
  return (
    <Section title={words.push}>
      <ol className="grid gap-5">
        <Step number={1} title={words.logIn} code={commands.logIn}>
          {username === undefined ? words.logInNobody : words.logInWhat}{' '}
          {username !== undefined && (
            <Link to="/account/tokens" className="text-accent underline">
              {words.token}
            </Link>
          )}
        </Step>
        <Step number={2} title={words.tag} code={commands.tag}>
          {words.tagWhat}
        </Step>
        <Step number={3} title={words.pushIt} code={commands.push} />
        <Step number={4} title={words.pull} code={commands.pull}>
          {words.pullWhat}
        </Step>
      </ol>
    </Section>
  );
}

function Step({
  number,
  title,
  code,
  children,
}: {
  number: number;
  title: string;
  code: string;
  children?: ReactNode;
}) {
  return (
    <li className="grid min-w-0 gap-1.5">
      <h3 className="font-semibold">
        <span aria-hidden="true">{number}. </span>
        {title}
      </h3>
      <CodeBlock label={title} code={code} />
      {children !== undefined && <p className="text-sm text-muted">{children}</p>}
    </li>
  );
}

function Builds({ host, username }: { host: string; username: string | undefined }) {
  const words = useWords(startWords);
  return (
    <Section
      title={words.ci}
      description={words.ciWhat}
      actions={
        username !== undefined && (
          <ButtonLink to="/o/$namespace/$part" params={{ namespace: username, part: 'robots' }}>
            {words.robots}
          </ButtonLink>
        )
      }
    >
      <CodeBlock label={words.ciCommands} code={buildCommands(host, username ?? 'USERNAME')} />
    </Section>
  );
}
