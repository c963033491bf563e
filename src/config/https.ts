import { type AcmeSettings, checkAcme } from './acme-settings.ts';
import { ConfigError } from './load.ts';
import { flagOf, type SettingName, type Settings, variableOf } from './settings.ts';

type TlsSettings = AcmeSettings & Pick<Settings, 'tlsKey' | 'tlsClientCa' | 'port'>;

/** Whether the port speaks https, and not plain http. */
export function servesHttps(settings: TlsSettings): boolean {
  return settings.tlsCertificate !== undefined || settings.acmeDomains !== undefined;
}

/** What settings of https mean together. @throws ConfigError */
export function checkHttps(settings: TlsSettings): void {
  checkAcme(settings);
  if (settings.tlsCertificate !== undefined && settings.tlsKey === undefined) {
    throw new ConfigError(`${named('tlsKey')} is missing: give the file with the key of ${settings.tlsCertificate}`);
  }
  if (settings.tlsKey !== undefined && settings.tlsCertificate === undefined) {
    throw new ConfigError(
      `${named('tlsCertificate')} is missing: give the file with the certificate of ${settings.tlsKey}`,
    );
  }
  if (!servesHttps(settings)) {
    for (const name of ['tlsClientCa', 'httpPort'] as const) {
      if (settings[name] === undefined) continue;
      throw new ConfigError(
        `${named(name)} is for https: give ${named('tlsCertificate')} and ${named('tlsKey')}, or ${named('acmeDomains')}, as well`,
      );
    }
  }
  if (settings.httpPort !== undefined && settings.httpPort !== 0 && settings.httpPort === settings.port) {
    throw new ConfigError(`${flagOf('httpPort')}: ${settings.httpPort} is ${flagOf('port')}; give another one`);
  }
}

function named(name: SettingName): string {
  return `${flagOf(name)} (${variableOf(name)})`;
}
