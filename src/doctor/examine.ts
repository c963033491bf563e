import type { Opened } from './address.ts';
import { checkBlob } from './blob-checks.ts';
import { judgeCertificate, trustLines } from './certificate.ts';
import { daemonJson, hostsFile, hostsToml, registriesConf } from './plain-http.ts';
import { knownAuthorities, type Place, placeOf, reach, shakeHands } from './reach.ts';
import {
  checkAddress,
  checkAuthorization,
  checkClock,
  checkPath,
  checkRedirect,
  checkV2,
  type Registry,
  speaksTheOther,
} from './registry-checks.ts';
import { isPlainElsewhere, registryHost } from './registry-host.ts';
import { type Check, failed, type Line, ok, skipped, warning } from './result.ts';
import { checkBodies, checkPausedAnswer, checkPausedUpload, TrialUploads } from './upload-checks.ts';
import { answered, jsonOf, type Trust, Wire } from './wire.ts';

export interface Examination {
  /** `https://registry.example.com` */
  origin: string;
  /** The value of `Authorization`; without one, what needs an account is left out. */
  authorization?: string | undefined;
  /** Certificates of authorities to trust besides those that this machine knows, as PEM. */
  authorities: readonly string[];
  /** To push to for trial; it is deleted afterwards if it was not there before. */
  repository?: string | undefined;
  /** The largest body to send, in bytes. */
  mostBytes: number;
  /** How long an upload and an answer pause, in ms. */
  idleMs: number;
  now: () => number;
  /** Called with each check as it is done. */
  onCheck: (check: Check) => void;
  /** Called with how much of a body of `size` bytes is on its way. */
  onSent: (bytes: number, size: number) => void;
}

/** Looks at a running registry from outside, as its clients do. Returns every check, in the order of `onCheck`. */
export async function examine(examination: Examination): Promise<Check[]> {
  const checks: Check[] = [];
  const add = (...more: readonly Check[]) => {
    for (const check of more) {
      checks.push(check);
      examination.onCheck(check);
    }
  };
  const { origin } = examination;
  const place = placeOf(origin);
  const reached = await reach(place);
  add(...reached);
  if (reached.some(({ state }) => state === 'failed')) return checks;
  const wire = await openWire(examination, place, add);
  if (wire === undefined) return checks;
  const opened: Opened = openedAt(origin);
  const { checks: found, registry } = await checkV2(wire, opened);
  add(...found);
  if (!registry.answers) return checks;
  if (registry.berth === undefined) add(skipped('address', 'only a Berth says how it was reached'));
  else add(...(await checkAddress(wire, opened)));
  add(await checkPath(wire), await checkClock(wire, examination.now));
  if (registry.berth !== undefined) add(await checkAuthorization(wire));
  await tryPushing(examination, wire, registry, add);
  return checks;
}

type Add = (...checks: readonly Check[]) => void;

function openedAt(origin: string): Opened {
  const { protocol, hostname, host } = new URL(origin);
  return { origin, protocol, hostname, host };
}

/** Finds out whether the scheme is the right one and the certificate good. undefined when nothing can be asked over it. */
async function openWire(examination: Examination, place: Place, add: Add): Promise<Wire | undefined> {
  const { origin, authorization } = examination;
  const host = registryHost(new URL(origin));
  const authorities = knownAuthorities(examination.authorities);
  const anything: Trust = { kind: 'anything' };
  if (origin.startsWith('http:')) {
    const plain = new Wire(origin, anything, authorization);
    if (await speaksTheOther(plain)) {
      add(plainHttp(origin, host));
      return plain;
    }
    const shaken = await shakeHands(place, authorities);
    const secure = origin.replace('http:', 'https:');
    add(
      shaken.kind === 'certificate'
        ? failed('scheme', `this port speaks HTTPS: use ${secure}`)
        : failed('scheme', `what listens there speaks neither HTTP nor HTTPS (${shaken.why})`),
    );
    return undefined;
  }
  const shaken = await shakeHands(place, authorities);
  if (shaken.kind === 'none') {
    const plain = origin.replace('https:', 'http:');
    if (await speaksTheOther(new Wire(plain, anything))) {
      add(
        failed(
          'scheme',
          `this port speaks plain HTTP, so clients say "http: server gave HTTP response to HTTPS client". Give it HTTPS, or ask ${plain} and tell each client:`,
          plainLines(host),
        ),
      );
    } else {
      add(failed('scheme', `what listens there does not speak HTTPS (${shaken.why})`));
    }
    return undefined;
  }
  add(ok('scheme', 'HTTPS'));
  const looking = new Wire(origin, anything);
  await looking.ask('GET', '/v2/', { credential: false });
  const now = new Date(examination.now());
  const certificate = judgeCertificate(shaken.shown, {
    registry: host,
    name: place.hostname,
    now,
    proxy: looking.proxy,
  });
  if (certificate.state !== 'failed' && examination.authorities.length > 0) {
    add({
      ...certificate,
      seen: `${certificate.seen}. Clients need the authority of --ca there:`,
      lines: trustLines(host),
    });
  } else add(certificate);
  if (place.port === 443) {
    const plain = new Wire(`http://${new URL(origin).hostname}`, anything);
    add(await checkRedirect(plain, origin, place.hostname));
  }
  const trust: Trust = certificate.state === 'failed' ? anything : { kind: 'authorities', certificates: authorities };
  const wire = new Wire(origin, trust, authorization);
  wire.proxy = looking.proxy;
  return wire;
}

function plainHttp(origin: string, host: string): Check {
  if (!isPlainElsewhere(new URL(origin))) return ok('scheme', 'plain HTTP, which stays on this machine');
  return warning(
    'scheme',
    `plain HTTP: what is sent can be read on the way, and clients say "http: server gave HTTP response to HTTPS client" until each of them is told (Docker: write it, then sudo systemctl reload docker):`,
    plainLines(host),
  );
}

function plainLines(host: string): Line[] {
  return [
    { where: '/etc/docker/daemon.json', code: daemonJson(host) },
    { where: '/etc/containers/registries.conf.d/berth.conf (Podman, Buildah, Skopeo)', code: registriesConf(host) },
    { where: `${hostsFile(host)} (containerd)`, code: hostsToml(host) },
  ];
}

/** What needs to push. */
async function tryPushing(examination: Examination, wire: Wire, registry: Registry, add: Add): Promise<void> {
  const { mostBytes, idleMs, onSent } = examination;
  const without = 'location, body, request buffering, idle upload, digest, compression and range';
  if (!wire.hasCredential && !registry.openForPush) {
    const why =
      examination.authorization === undefined
        ? `they need to push: log in with berth login ${wire.origin}, or set BERTH_TOKEN`
        : 'no token is sent to who shows a certificate that is not trusted';
    return add(skipped('location', `${without} left out: ${why}`));
  }
  const repository = examination.repository ?? (await ownRepository(wire));
  if (repository === undefined)
    return add(
      skipped('location', `${without} left out: name a repository that this token may push to, with --repository`),
    );
  const existed = await repositoryExists(wire, repository);
  const uploads = new TrialUploads(wire, repository);
  try {
    const first = await uploads.begin();
    add(first.check);
    if (first.path === undefined) return;
    await uploads.cancel(first.path);
    add(await checkBodies(uploads, mostBytes, onSent));
    const answering = wire.hasCredential && registry.berth !== undefined;
    const [upload, answer] = await Promise.all([
      checkPausedUpload(uploads, idleMs, registry),
      answering
        ? checkPausedAnswer(wire, idleMs)
        : [skipped('response buffering', 'response buffering and slow answer left out: they need an account')],
    ]);
    add(...upload, ...answer, ...(await checkBlob(uploads)));
  } finally {
    await uploads.cancelAll();
    if (existed === false) await removeRepository(wire, repository, add);
  }
}

async function ownRepository(wire: Wire): Promise<string | undefined> {
  if (!wire.hasCredential) return 'berth-doctor';
  const answer = await wire.ask('GET', '/api/v1/caller');
  const caller: unknown = answered(answer) ? jsonOf(answer) : undefined;
  if (typeof caller !== 'object' || caller === null || !('kind' in caller) || !('name' in caller)) return undefined;
  return caller.kind === 'user' ? `${String(caller.name)}/berth-doctor` : undefined;
}

/** undefined when it can not be known. */
async function repositoryExists(wire: Wire, repository: string): Promise<boolean | undefined> {
  if (!wire.hasCredential) return undefined;
  const answer = await wire.ask('GET', `/api/v1/repositories/${repository}`);
  if (!answered(answer)) return undefined;
  return answer.status === 200 ? true : answer.status === 404 ? false : undefined;
}

async function removeRepository(wire: Wire, repository: string, add: Add): Promise<void> {
  const headers = { 'Content-Type': 'application/json' };
  const answer = await wire.ask('DELETE', `/api/v1/repositories/${repository}`, {
    headers,
    body: JSON.stringify({ confirm: repository }),
  });
  if (answered(answer) && (answer.status < 300 || answer.status === 404)) return;
  add(
    warning(
      'left behind',
      `the empty repository ${repository}, which this token may not delete: berth repository delete ${repository}`,
    ),
  );
}
