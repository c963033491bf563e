import { isIP } from 'node:net';
import { ConfigError } from './load.ts';
import { flagOf, type SettingName, type Settings, variableOf } from './settings.ts';

export type AcmeSettings = Pick<
  Settings,
  | 'acmeDomains'
  | 'acmeDirectory'
  | 'acmeEmail'
  | 'acmeCa'
  | 'acmeEabKid'
  | 'acmeEabKeyFile'
  | 'acmeDnsHook'
  | 'tlsCertificate'
  | 'httpPort'
>;

/** What settings of ACME mean together, and with the other ones of https. @throws ConfigError */
export function checkAcme(settings: AcmeSettings): void {
  const { acmeDomains: domains, acmeDnsHook: hook, httpPort } = settings;
  if (domains === undefined) {
    for (const name of ['acmeEmail', 'acmeCa', 'acmeEabKid', 'acmeEabKeyFile', 'acmeDnsHook'] as const) {
      if (settings[name] === undefined) continue;
      throw new ConfigError(
        `${named(name)} is for certificates of an ACME authority: give ${named('acmeDomains')} as well`,
      );
    }
    return;
  }
  if (settings.tlsCertificate !== undefined) {
    throw new ConfigError(
      `${named('acmeDomains')} and ${named('tlsCertificate')} both say where the certificate comes from: leave out one of them`,
    );
  }
  for (const [one, other] of [
    ['acmeEabKid', 'acmeEabKeyFile'],
    ['acmeEabKeyFile', 'acmeEabKid'],
  ] as const) {
    if (settings[one] !== undefined && settings[other] === undefined) {
      throw new ConfigError(`${named(other)} is missing: an external account has a key id and a key`);
    }
  }
  const wildcard = domains.find((name) => name.startsWith('*.'));
  if (wildcard !== undefined && hook === undefined) {
    throw new ConfigError(
      `${named('acmeDomains')}: ${wildcard} can be proven over DNS only: give ${named('acmeDnsHook')}`,
    );
  }
  const overHttp = domains.find((name) => hook === undefined || isIP(name) !== 0);
  if (overHttp !== undefined && httpPort === undefined) {
    throw new ConfigError(
      `${named('acmeDomains')}: the authority checks ${overHttp} at http://${overHttp}/ on port 80: give ${flagOf('httpPort')} 80 (${variableOf('httpPort')}), or the port that port 80 is forwarded to${isIP(overHttp) === 0 ? `; or prove names over DNS with ${flagOf('acmeDnsHook')}` : ''}`,
    );
  }
}

function named(name: SettingName): string {
  return `${flagOf(name)} (${variableOf(name)})`;
}
