import { X509Certificate } from 'node:crypto';
import type { AcmeSource } from '../tls/acme/acme-source.ts';
import type { Certificates } from '../tls/certificate-state.ts';
import type { TlsMaterial } from '../tls/tls-material.ts';

/** @param served what this worker serves; undefined over plain HTTP */
export function certificatesOf(served: () => TlsMaterial | undefined, acme: AcmeSource | undefined): Certificates {
  return {
    async state() {
      const material = served();
      const source = acme !== undefined ? 'authority' : material !== undefined ? 'files' : 'none';
      const standIn = material !== undefined && ((await acme?.isStandIn(material)) ?? false);
      return {
        source,
        served: material === undefined ? undefined : { ...shown(material), standIn },
        authority: await acme?.state(),
      };
    },
    retry: async () => (await acme?.retry()) ?? false,
  };
}

function shown({ certificate, names, notBefore, notAfter }: TlsMaterial) {
  const issuer = new X509Certificate(certificate).issuer.replaceAll('\n', ', ');
  return { names, issuer, notBefore, notAfter };
}
