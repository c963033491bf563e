import { certificateFile, hostsFile, hostsToml } from './plain-http.ts';
import { type FrontServer, proxyLines } from './proxies.ts';
import { type Check, failed, type Line, ok, warning } from './result.ts';

/** A certificate as a server showed it. */
export interface ShownCertificate {
  /** The error of checking its chain; undefined when it leads to an authority that this machine knows. */
  chainError: string | undefined;
  /** Why it is not for the name asked for; undefined when it is. */
  nameError: string | undefined;
  /** `DNS:registry.example.com, IP Address:203.0.113.7` */
  names: string;
  issuer: string;
  notBefore: Date;
  notAfter: Date;
}

const DAY_MS = 86_400_000;
const SOON_DAYS = 14;

/** @param registry as it is named in image names @param name the host's */
export function judgeCertificate(
  shown: ShownCertificate,
  { registry, name, now, proxy }: { registry: string; name: string; now: Date; proxy: FrontServer | undefined },
): Check {
  const renew = proxyLines('certificate', proxy, name);
  const until = shown.notAfter.toISOString().slice(0, 10);
  if (shown.notAfter <= now) {
    return failed('certificate', `expired on ${until}: clients refuse it. Renew it; the files are named here:`, renew);
  }
  if (shown.notBefore > now) {
    const from = shown.notBefore.toISOString();
    return failed('certificate', `is valid from ${from} on, which is yet to come: one of the clocks is wrong`);
  }
  if (shown.nameError !== undefined) {
    const names = shown.names === '' ? 'no name at all' : shown.names;
    return failed(
      'certificate',
      `is not for ${name}, but for ${names}: clients refuse it. Let this name one that is:`,
      renew,
    );
  }
  if (shown.chainError !== undefined) return judgeChain(shown, registry, proxy, name);
  const days = Math.floor((shown.notAfter.getTime() - now.getTime()) / DAY_MS);
  if (days < SOON_DAYS) return warning('certificate', `ends on ${until} (days left: ${days})`);
  return ok('certificate', `for ${shown.names}, by ${shown.issuer}, until ${until}`);
}

function judgeChain(shown: ShownCertificate, registry: string, proxy: FrontServer | undefined, name: string): Check {
  // Node's names for it; a certificate whose issuer was not sent, and is no root.
  if (/UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT(?!_LOCALLY)/.test(shown.chainError ?? '')) {
    return failed(
      'certificate',
      `the server sends no chain: ${shown.issuer}, which issued it, is missing. Append its certificate to the file that this names (often fullchain.pem). If ${shown.issuer} is an authority of your own, clients need its certificate:`,
      [...proxyLines('certificate', proxy, name), ...trustLines(registry)],
    );
  }
  return failed(
    'certificate',
    `is by ${shown.issuer}, which this machine does not know (${shown.chainError}). If that is an authority of your own, clients need its certificate there, and this command needs it with --ca:`,
    trustLines(registry),
  );
}

/** What clients need of an authority of one's own. */
export function trustLines(registry: string): Line[] {
  const file = certificateFile(registry);
  return [
    { where: 'Docker and Podman', code: `sudo install -D ca.crt ${file}` },
    { where: hostsFile(registry), code: hostsToml(registry, file) },
  ];
}
