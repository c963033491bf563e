import { certificateInfo } from '../../api/certificate.ts';
import { OciError } from '../../oci/errors.ts';
import { type ApiRoute, apiRoute, iso } from './route.ts';

export const CERTIFICATE_ROUTES: readonly ApiRoute[] = [
  apiRoute({
    method: 'GET',
    path: '/api/v1/instance/certificate',
    access: 'administrator',
    summary: 'The certificate that is served, where it comes from, and how getting another one went',
    chapter: 'instance',
    answer: certificateInfo,
    async handler({ certificates }) {
      const { source, served, authority } = await certificates.state();
      return {
        source,
        served:
          served === undefined
            ? null
            : {
                ...served,
                names: [...served.names],
                notBefore: iso(served.notBefore),
                notAfter: iso(served.notAfter),
              },
        authority:
          authority === undefined
            ? null
            : {
                directory: authority.directory,
                names: [...authority.names],
                nextOrderAt: iso(authority.nextOrderAt),
                failure:
                  authority.failure === undefined
                    ? null
                    : { ...authority.failure, failedAt: iso(authority.failure.failedAt) },
              },
      };
    },
  }),
  apiRoute({
    method: 'POST',
    path: '/api/v1/instance/certificate/retry',
    access: 'administrator',
    summary: 'Order a certificate now that would be ordered later, after a failure',
    chapter: 'instance',
    async handler({ certificates }) {
      if (await certificates.retry()) return;
      throw new OciError('CONFLICT', 'no order of a certificate has failed: there is nothing to try again');
    },
  }),
];
