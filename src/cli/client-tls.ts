import { readFileSync } from 'node:fs';
import { getCACertificates } from 'node:tls';
import type { Command } from 'commander';
import type { ClientTls } from '../client/client-tls.ts';
import { UsageError } from './usage.ts';

/** Files of a client of https. */
export interface ClientTlsOptions {
  ca?: string;
  clientCertificate?: string;
  clientKey?: string;
}

export function addClientTlsOptions(command: Command): Command {
  return command
    .option('--ca <FILE>', 'authority (PEM) to believe besides the public ones [BERTH_CA]')
    .option('--client-certificate <FILE>', 'certificate (PEM) to show the server [BERTH_CLIENT_CERTIFICATE]')
    .option('--client-key <FILE>', 'its key (PEM) [BERTH_CLIENT_KEY]');
}

/** Undefined when nothing is given: then the system's rules hold. @throws UsageError naming flag or variable, and file */
export function clientTls(options: ClientTlsOptions): ClientTls | undefined {
  const { BERTH_CA, BERTH_CLIENT_CERTIFICATE, BERTH_CLIENT_KEY } = process.env;
  const ca = pem('--ca', options.ca, 'BERTH_CA', BERTH_CA);
  const cert = pem(
    '--client-certificate',
    options.clientCertificate,
    'BERTH_CLIENT_CERTIFICATE',
    BERTH_CLIENT_CERTIFICATE,
  );
  const key = pem('--client-key', options.clientKey, 'BERTH_CLIENT_KEY', BERTH_CLIENT_KEY);
  if ((cert === undefined) !== (key === undefined)) {
    throw new UsageError(
      cert === undefined
        ? '--client-certificate: is missing beside --client-key; give both'
        : '--client-key: is missing beside --client-certificate; give both',
    );
  }
  if (ca === undefined && cert === undefined) return undefined;
  return {
    ...(ca === undefined ? {} : { ca: [...getCACertificates('default'), ca] }),
    ...(cert === undefined || key === undefined ? {} : { cert, key }),
  };
}

function pem(flag: string, given: string | undefined, variable: string, value: string | undefined): string | undefined {
  const path = given ?? (value || undefined);
  if (path === undefined) return undefined;
  const name = given === undefined ? variable : flag;
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageError(`${name}: cannot read ${path}: ${error instanceof Error ? error.message : 'unknown error'}`);
  }
  if (!text.includes('-----BEGIN ')) throw new UsageError(`${name}: ${path} is not in PEM form (-----BEGIN …-----)`);
  return text;
}
