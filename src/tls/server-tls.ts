import type { CertificateSource } from './certificate-source.ts';
import type { ClientAuthorities } from './file-certificate.ts';
import type { Polled } from './polled.ts';
import type { TlsMaterial } from './tls-material.ts';

/** What a listening socket is to show, and whom it takes. */
export interface ServerTlsState {
  material: TlsMaterial;
  /** Clients must show a certificate of one of these; undefined takes every client. */
  clients: ClientAuthorities | undefined;
}

/** A server's certificate and the authorities of its clients, whichever of the two changes. */
export class ServerTls {
  constructor(
    private readonly certificate: CertificateSource,
    private readonly authorities?: Polled<ClientAuthorities>,
  ) {}

  /** Undefined while there is no certificate yet. @throws CertificateError */
  async current(): Promise<ServerTlsState | undefined> {
    const [material, clients] = await Promise.all([this.certificate.current(), this.authorities?.current()]);
    return material === undefined ? undefined : { material, clients };
  }

  /** Tells of each change since `state`, which is what `current` answered. @returns ends it; idempotent */
  watch(state: ServerTlsState | undefined, onChange: (state: ServerTlsState) => void): () => void {
    let material = state?.material;
    let clients = state?.clients;
    const tell = () => {
      // Without its authorities a server would take every client.
      if (material === undefined || (this.authorities !== undefined && clients === undefined)) return;
      onChange({ material, clients });
    };
    const ends = [
      this.certificate.watch((changed) => {
        material = changed;
        tell();
      }),
      this.authorities?.watch((changed) => {
        clients = changed;
        tell();
      }),
    ];
    return () => {
      for (const end of ends) end?.();
    };
  }
}
