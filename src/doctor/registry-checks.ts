import { addressCheck } from '../api/administration.ts';
import { callerInfo, instanceInfo } from '../api/users.ts';
import { type Finding, judgeAddress, judgeV2, linesOf, type Opened, type V2Answer, verdictOf } from './address.ts';
import { judgeChallenge, judgeClock } from './judge.ts';
import { type Fault, ofProxy, proxyLines, wantsHttps } from './proxies.ts';
import { type Check, type CheckName, failed, ok, type State, warning } from './result.ts';
import { SENTENCES, said } from './sentences.ts';
import { type Answer, answered, jsonOf, type NoAnswer, textOf, type Wire } from './wire.ts';

/** What answers, as far as it could be found out. */
export interface Registry {
  /** Its version; undefined for a registry that is no Berth. */
  berth: string | undefined;
  /** Whether clients without an account may push. */
  openForPush: boolean;
  /** Whether what answers at /v2/ is a registry at all. */
  answers: boolean;
}

/** `GET /v2/` without a credential: the version, the challenge, and where it leads. */
export async function checkV2(wire: Wire, opened: Opened): Promise<{ checks: Check[]; registry: Registry }> {
  const answer = await wire.ask('GET', '/v2/', { credential: false });
  const registry = await registryOf(wire, answer);
  const findings = judgeV2(opened, v2Of(answer));
  if (findings.some(({ kind }) => kind === 'redirected')) {
    return { checks: [redirected(wire, opened, answer)], registry: { ...registry, answers: false } };
  }
  if (findings.some(({ kind }) => kind === 'notBerth' || kind === 'noAnswer')) {
    return { checks: [notThere(answer)], registry: { ...registry, answers: false } };
  }
  const what = registry.berth === undefined ? 'a registry that is not a Berth' : `Berth ${registry.berth}`;
  const checks = [ok('v2', `${what} answers at /v2/`)];
  for (const finding of findings) {
    if (finding.kind === 'loginRight' || (registry.berth === undefined && isItsOwn(finding, answer))) continue;
    checks.push(checkOf(wire, finding.kind === 'headerGone' ? 'v2' : 'challenge', finding));
  }
  const challenge = answered(answer) ? answer.headers.get('www-authenticate') : null;
  if (challenge !== null) checks.push(...(await followChallenge(wire, opened, challenge, checks)));
  return { checks, registry };
}

/** What a registry of another kind asks for is its own affair; only Berth's realm is known beforehand. */
function isItsOwn({ kind }: Finding, answer: Answer | NoAnswer): boolean {
  if (kind === 'ownPassword') return answered(answer) && answer.headers.has('docker-distribution-api-version');
  return kind === 'open' || kind === 'realmOther';
}

function v2Of(answer: Answer | NoAnswer): V2Answer {
  if (!answered(answer)) return { kind: 'failed' };
  if (answer.status >= 300 && answer.status < 400) return { kind: 'redirect' };
  return {
    kind: 'answer',
    status: answer.status,
    challenge: answer.headers.get('www-authenticate'),
    version: answer.headers.get('docker-distribution-api-version'),
  };
}

async function registryOf(wire: Wire, v2: Answer | NoAnswer): Promise<Registry> {
  const answer = await wire.ask('GET', '/api/v1/instance', { credential: false });
  const known = answered(answer) && answer.status === 200 ? instanceInfo.safeParse(jsonOf(answer)).data : undefined;
  return {
    berth: known?.version,
    openForPush: known === undefined ? answered(v2) && v2.status === 200 : known.anonymous === 'push',
    answers: true,
  };
}

function redirected(wire: Wire, { origin }: Opened, answer: Answer | NoAnswer): Check {
  const target = answered(answer) ? answer.headers.get('location') : null;
  const to = target === null || !URL.canParse(target, origin) ? undefined : new URL(target, origin);
  if (to !== undefined && origin.startsWith('http:') && to.protocol === 'https:') {
    return failed(
      'v2',
      `it redirects to ${to.origin}, and clients follow no redirect with a password: use ${to.origin}`,
    );
  }
  return failed(
    'v2',
    `${said(SENTENCES, { kind: 'redirected' })} (It redirects to ${target ?? 'nowhere'}.)`,
    proxyLines('redirect', wire.proxy),
  );
}

function notThere(answer: Answer | NoAnswer): Check {
  if (!answered(answer)) return failed('v2', `no answer at /v2/ (${answer.message})`);
  const text = textOf(answer.bytes);
  if (answer.status === 502 || answer.status === 503 || answer.status === 504) {
    return failed(
      'v2',
      `a proxy answers with status ${answer.status}: it does not reach Berth. Check that berth serve runs, and the address that the proxy passes to`,
    );
  }
  const begins = text.trim() === '' ? '' : `, ${JSON.stringify(text.trim().slice(0, 60))}`;
  return failed(
    'v2',
    `${said(SENTENCES, { kind: 'notBerth', status: answer.status })} It begins with ${begins.slice(2) || 'nothing'}`,
  );
}

async function followChallenge(
  wire: Wire,
  opened: Opened,
  challenge: string,
  before: readonly Check[],
): Promise<Check[]> {
  const judged = judgeChallenge(opened.origin, challenge);
  if (judged.kind === 'basic')
    return before.some(({ name }) => name === 'challenge') ? [] : [ok('challenge', 'asks for a password (Basic)')];
  if (judged.kind === 'unreadable')
    return [failed('challenge', `clients do not understand it: ${challenge.slice(0, 200)}`)];
  const { realm, service, faults } = judged;
  const checks: Check[] = [];
  if (!before.some(({ name }) => name === 'challenge')) {
    checks.push(
      faults.length === 0
        ? ok('challenge', `sends clients to ${realm} to log in, for the service ${service}`)
        : warning('challenge', `${faults.join('; ')}. If another host is to log people in, that is right`),
    );
  }
  const query = service === undefined ? '' : `?service=${encodeURIComponent(service)}`;
  const own = realm.startsWith(`${opened.origin}/`);
  const answer = await wire.ask('GET', (own ? realm.slice(opened.origin.length) : realm) + query, {
    credential: false,
  });
  if (!answered(answer)) {
    checks.push(failed('realm', `${realm} does not answer (${answer.message}): docker login fails`));
  } else if (answer.status !== 200 && answer.status !== 401) {
    checks.push(
      failed(
        'realm',
        `${realm} answers with status ${answer.status}: docker login fails. Let the proxy pass /auth/ too`,
      ),
    );
  } else {
    checks.push(ok('realm', `${realm} answers`));
  }
  return checks;
}

const STATES: Record<'ok' | 'warn' | 'bad', State> = { ok: 'ok', warn: 'warning', bad: 'failed' };

/** The fault of a proxy behind a finding about the address, when there is one. */
const FAULTS: Partial<Record<Finding['kind'], Fault>> = {
  schemeMissing: 'scheme',
  hostRewritten: 'host',
  portDropped: 'host',
  clientsMissing: 'client',
  headerGone: 'version header',
  redirected: 'redirect',
};

/** A finding that the page has too, in the same words. */
export function checkOf(wire: Wire, name: CheckName, finding: Finding): Check {
  const lines = linesOf(finding);
  const fault = FAULTS[finding.kind];
  const others = fault === undefined ? [] : proxyLines(fault, wire.proxy);
  const more = others.filter(({ where }) => !lines.some((line) => line.where === where));
  return {
    name,
    state: STATES[verdictOf(finding)],
    seen: said(SENTENCES, finding),
    lines: ofProxy([...lines, ...more], wire.proxy),
  };
}

/** How the server sees a request that was sent to `opened`: scheme, host, client. */
export async function checkAddress(wire: Wire, opened: Opened): Promise<Check[]> {
  const answer = await wire.ask('GET', '/api/v1/address-check', {
    credential: false,
    headers: { 'If-Match': '"doctor"', 'If-None-Match': '"doctor"', Range: 'bytes=0-', 'If-Range': '"doctor"' },
  });
  const check = answered(answer) && answer.status === 200 ? addressCheck.safeParse(jsonOf(answer)).data : undefined;
  if (check === undefined)
    return [
      warning('address', 'the server does not say how it was reached; what is in front may keep /api/ for itself'),
    ];
  const found = judgeAddress(opened, check).map((finding) => checkOf(wire, 'address', finding));
  const sees = found.map((one) =>
    one.state === 'ok' ? { ...one, seen: `${one.seen} It sees this client as ${check.client}.` } : one,
  );
  const sent = ['if-match', 'if-none-match', 'range', 'if-range'] as const;
  const gone = sent.filter((name) => !check.conditions.includes(name));
  const headers =
    gone.length === 0
      ? ok('headers', `${sent.join(', ')} come through`)
      : failed(
          'headers',
          `${gone.join(', ')} taken away on the way: compare-and-swap of tags and resumed pulls do not work. Pass on:`,
          proxyLines('conditions', wire.proxy),
        );
  return [...sees, headers];
}

/** Whether a path comes through as it was written, with a slash that is part of a name. */
export async function checkPath(wire: Wire): Promise<Check> {
  const answer = await wire.ask('GET', '/v2/berth%2Fdoctor/tags/list', { credential: false });
  if (answered(answer) && answer.headers.has('docker-distribution-api-version')) return ok('path', '%2F comes through');
  const how = answered(answer) ? `status ${answer.status}` : answer.message;
  return warning(
    'path',
    `a path with %2F does not come through (${how}). Pass it on as it came:`,
    proxyLines('path', wire.proxy),
  );
}

export async function checkClock(wire: Wire, now: () => number): Promise<Check> {
  const before = now();
  const answer = await wire.ask('GET', '/v2/', { credential: false });
  return judgeClock(answered(answer) ? answer.headers.get('date') : null, before, now());
}

/** Whether `Authorization` comes through, shown with one that is no credential: a server that gets it refuses it. */
export async function checkAuthorization(wire: Wire): Promise<Check> {
  const answer = await wire.ask('GET', '/api/v1/caller', {
    credential: false,
    headers: { Authorization: 'Bearer doctor' },
  });
  if (!answered(answer)) return failed('credential', `no answer (${answer.message})`);
  if (answer.status === 200) {
    return failed(
      'credential',
      'the header Authorization is taken away on the way: nobody can log in. Pass it on:',
      proxyLines('authorization', wire.proxy),
    );
  }
  if (answer.status === 401 && jsonOf(answer) === undefined) {
    const own = said(SENTENCES, { kind: 'ownPassword' });
    return failed('credential', own, proxyLines('authorization', wire.proxy));
  }
  if (!wire.hasCredential) return ok('credential', 'the header Authorization comes through');
  const mine = await wire.ask('GET', '/api/v1/caller');
  const caller = answered(mine) && mine.status === 200 ? callerInfo.safeParse(jsonOf(mine)).data : undefined;
  if (caller === undefined)
    return failed(
      'credential',
      'the token is refused: expired, revoked, or not of this registry. Log in again with berth login',
    );
  return ok('credential', `the header Authorization comes through; the token is that of ${caller.name}`);
}

/** HTTPS asked for and plain HTTP answered, or the other way. */
export async function speaksTheOther(wire: Wire): Promise<boolean> {
  const answer = await wire.ask('GET', '/v2/', { credential: false });
  return answered(answer) && (answer.status !== 400 || !wantsHttps(textOf(answer.bytes)));
}

/** What becomes of people who type the address without `https`. Only where both have their own ports. */
export async function checkRedirect(plain: Wire, secure: string, name: string): Promise<Check> {
  const answer = await plain.ask('GET', '/', { credential: false, within: 5_000 });
  if (!answered(answer)) return ok('redirect', 'nothing answers over plain HTTP on port 80');
  const target = answer.headers.get('location');
  const to = target !== null && URL.canParse(target, plain.origin) ? new URL(target, plain.origin) : undefined;
  if (answer.status >= 300 && answer.status < 400 && to?.origin === secure)
    return ok('redirect', `http:// leads to ${secure}`);
  if (to !== undefined && answer.status >= 300 && answer.status < 400)
    return warning(
      'redirect',
      `http:// leads to ${to.origin}, not to ${secure}`,
      proxyLines('to https', plain.proxy, name),
    );
  return warning(
    'redirect',
    'plain HTTP is answered too: passwords may be sent in the clear. Lead it to HTTPS:',
    proxyLines('to https', plain.proxy, name),
  );
}
