import type { Command } from 'commander';
import { type Call, commandGroup } from './command-group.ts';
import { note, printFields, printJson } from './terminal.ts';

export function register(program: Command, finish: (code: number) => void): void {
  const add = commandGroup(program, finish, {
    name: 'certificate',
    summary: 'the certificate of the server, and how getting another one went',
    description: 'The certificate that the server serves https with. For administrators.',
  });
  add('show', 'where it comes from, until when it holds, when it is renewed, and what went wrong last', show);
  add('retry', 'order now what would be ordered later, after a failure', retry);
}

const SOURCES = { none: 'none: the server speaks plain HTTP', files: 'files', authority: 'an ACME authority' };

async function show({ client, json }: Call): Promise<void> {
  const found = await client.certificate.get();
  if (json) return printJson(found);
  const { source, served, authority } = found;
  printFields({
    source: SOURCES[source],
    ...(served === null
      ? {}
      : {
          names: served.names.join(', '),
          issuer: served.standIn ? `${served.issuer} (stands in until the authority has given one)` : served.issuer,
          from: served.notBefore,
          until: served.notAfter,
        }),
    ...(authority === null
      ? {}
      : { directory: authority.directory, ordered: authority.names.join(', '), 'next order': authority.nextOrderAt }),
    ...(authority?.failure
      ? {
          'last failure': `${authority.failure.failedAt}, ${authority.failure.count} in a row: ${authority.failure.reason}`,
        }
      : {}),
  });
}

async function retry({ client }: Call): Promise<void> {
  await client.certificate.retry();
  note('ordering; how it goes: berth certificate show');
}
