import { type CertificateInfo, certificateInfo } from '../api/certificate.ts';
import type { Connection } from './connection.ts';

/** The server's certificate. An administrator's. */
export class CertificateClient {
  constructor(readonly connection: Connection) {}

  get(): Promise<CertificateInfo> {
    return this.connection.call(certificateInfo, 'GET', '/api/v1/instance/certificate');
  }

  /** Orders now what would wait after a failure. */
  retry(): Promise<void> {
    return this.connection.send('POST', '/api/v1/instance/certificate/retry');
  }
}
