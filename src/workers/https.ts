import { ConfigError } from '../config/load.ts';
import type { Settings } from '../config/settings.ts';
import { fileAuthorities, fileCertificate } from '../tls/file-certificate.ts';
import { ServerTls, type ServerTlsState } from '../tls/server-tls.ts';
import { CertificateError } from '../tls/tls-material.ts';

type TlsSettings = Pick<Settings, 'tlsCertificate' | 'tlsKey' | 'tlsClientCa'>;

/** The certificate of files, and whom it is shown to; undefined without one. */
export function openFileTls(settings: TlsSettings, onProblem: (error: Error) => void): ServerTls | undefined {
  const { tlsCertificate: certificate, tlsKey: key, tlsClientCa } = settings;
  if (certificate === undefined || key === undefined) return undefined;
  return new ServerTls(
    fileCertificate({ certificate, key }, { onProblem }),
    tlsClientCa === undefined ? undefined : fileAuthorities(tlsClientCa, { onProblem }),
  );
}

/** What a server would begin with. @throws ConfigError naming flag and file */
export async function checkFileTls(settings: TlsSettings): Promise<ServerTlsState | undefined> {
  try {
    return await openFileTls(settings, () => {})?.current();
  } catch (error) {
    if (error instanceof CertificateError) throw new ConfigError(error.message);
    throw error;
  }
}
