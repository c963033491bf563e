import type { Logger } from 'pino';
import type { AcmeSettings } from '../config/acme-settings.ts';
import type { Settings } from '../config/settings.ts';
import type { RegistryContext } from '../registry/context.ts';
import type { AcmeOptions, Seal } from '../tls/acme/acme-options.ts';
import { AcmeSource } from '../tls/acme/acme-source.ts';
import { fileAuthorities } from '../tls/file-certificate.ts';
import { ServerTls } from '../tls/server-tls.ts';

export interface AcmeParts {
  registry: Pick<RegistryContext, 'database' | 'now' | 'process'>;
  seal: Seal;
  log: Logger;
  /** Told of each order that ended. */
  ordered: (outcome: 'issued' | 'failed') => void;
}

/** Certificates from an authority, when settings ask for them. */
export function openAcme(settings: AcmeSettings, { registry, seal, log, ordered }: AcmeParts): AcmeSource | undefined {
  const options = optionsOf(settings);
  if (options === undefined) return undefined;
  const { database, now, process: holder } = registry;
  return new AcmeSource({ database, seal, options, holder, now, random: Math.random, log, ordered });
}

/** The certificate of an authority, and whom it is shown to. */
export function acmeTls(
  source: AcmeSource,
  { tlsClientCa }: Pick<Settings, 'tlsClientCa'>,
  onProblem: (error: Error) => void,
): ServerTls {
  return new ServerTls(source, tlsClientCa === undefined ? undefined : fileAuthorities(tlsClientCa, { onProblem }));
}

function optionsOf(settings: AcmeSettings): AcmeOptions | undefined {
  const { acmeDomains: domains, acmeEabKid: kid, acmeEabKeyFile: keyFile } = settings;
  if (domains === undefined) return undefined;
  return {
    directory: settings.acmeDirectory,
    domains,
    email: settings.acmeEmail,
    authorityFile: settings.acmeCa,
    externalAccount: kid === undefined || keyFile === undefined ? undefined : { kid, keyFile },
    dnsHook: settings.acmeDnsHook,
  };
}
