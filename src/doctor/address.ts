import type { AddressCheck } from '../api/administration.ts';

/** How the page was opened: `https://registry.example.com`. */
export interface Opened {
  origin: string;
  protocol: string;
  hostname: string;
  host: string;
}

/** What answered `GET /v2/`, as a client without a credential sees it. */
export type V2Answer =
  | { kind: 'failed' }
  | { kind: 'redirect' }
  | {
      kind: 'answer';
      status: number;
      /** `WWW-Authenticate` */
      challenge: string | null;
      /** `Docker-Distribution-Api-Version` */
      version: string | null;
    };

/** What became of a body that was sent for trial. */
export type BodyOutcome =
  | { kind: 'arrived' }
  /** @param server the `Server` header of what answered */
  | { kind: 'status'; status: number; server: string | null }
  | { kind: 'cut' }
  | { kind: 'slow' };

export type Verdict = 'ok' | 'warn' | 'bad';

/** One thing that was found out. `words.ts` has a sentence for each kind, `linesOf` what to write where. */
export type Finding =
  | { kind: 'addressRight'; origin: string }
  | { kind: 'publicUrlOther'; publicUrl: string; origin: string }
  | { kind: 'untrusted'; peer: string; base: string; origin: string }
  | { kind: 'clientsUntrusted'; peer: string; origin: string }
  | { kind: 'clientsMissing' }
  | { kind: 'schemeMissing'; scheme: string; base: string }
  | { kind: 'schemeWrong'; scheme: string; said: string }
  | { kind: 'hostRewritten'; host: string; arrived: string; origin: string }
  | { kind: 'portDropped'; host: string; arrived: string; origin: string }
  | { kind: 'forwardedHostWrong'; host: string; said: string }
  | { kind: 'baseOther'; base: string; origin: string }
  | { kind: 'loginRight'; realm: string }
  | { kind: 'open' }
  | { kind: 'realmOther'; realm: string; origin: string }
  | { kind: 'ownPassword' }
  | { kind: 'noChallenge' }
  | { kind: 'redirected' }
  | { kind: 'notBerth'; status: number }
  | { kind: 'headerGone' }
  | { kind: 'noAnswer' }
  | { kind: 'bodyRight'; bytes: number }
  | { kind: 'bodyLimit'; bytes: number; by: ProxyName | null }
  | { kind: 'bodyCut'; bytes: number }
  | { kind: 'bodySlow'; bytes: number }
  | { kind: 'bodyRefused'; bytes: number; status: number };

export type ProxyName = 'nginx' | 'apache' | 'cloudflare';

const VERDICTS: Record<Finding['kind'], Verdict> = {
  addressRight: 'ok',
  publicUrlOther: 'warn',
  untrusted: 'bad',
  clientsUntrusted: 'warn',
  clientsMissing: 'warn',
  schemeMissing: 'bad',
  schemeWrong: 'bad',
  hostRewritten: 'bad',
  portDropped: 'bad',
  forwardedHostWrong: 'bad',
  baseOther: 'bad',
  loginRight: 'ok',
  open: 'ok',
  realmOther: 'bad',
  ownPassword: 'bad',
  noChallenge: 'bad',
  redirected: 'bad',
  notBerth: 'bad',
  headerGone: 'warn',
  noAnswer: 'bad',
  bodyRight: 'ok',
  bodyLimit: 'bad',
  bodyCut: 'bad',
  bodySlow: 'warn',
  bodyRefused: 'warn',
};

export function verdictOf({ kind }: Finding): Verdict {
  return VERDICTS[kind];
}

/** Where the challenge must send clients that came by this address (Distribution "Token Authentication Specification"). */
const realmOf = (origin: string) => `${origin}/auth/token`;

/** Compares what the server understands of its address with the address that the page was opened under. */
export function judgeAddress(opened: Opened, check: AddressCheck): Finding[] {
  const { origin } = opened;
  const { base, publicUrl, forwarded, peer } = check;
  if (publicUrl !== null) {
    return publicUrl === origin ? [{ kind: 'addressRight', origin }] : [{ kind: 'publicUrlOther', publicUrl, origin }];
  }
  if (base === origin) {
    const right: Finding = { kind: 'addressRight', origin };
    if (peer !== null) return [right, { kind: 'clientsUntrusted', peer, origin }];
    const proxied = forwarded.proto !== null || forwarded.host !== null;
    return proxied && forwarded.for === null ? [right, { kind: 'clientsMissing' }] : [right];
  }
  if (peer === null) return [...judgeScheme(opened, check), ...judgeHost(opened, check)].concat(orOther(opened, check));
  // The headers are right or wrong whoever they come from; but as long as they are not believed, none of them helps.
  const believed = { ...check, base: believedBase(opened, check) };
  return [{ kind: 'untrusted', peer, base, origin }, ...judgeScheme(opened, believed), ...judgeHost(opened, believed)];
}

/** What the server would say its address is, if it believed the headers. */
function believedBase(opened: Opened, { base, forwarded, host }: AddressCheck): string {
  const scheme = first(forwarded.proto) ?? base.slice(0, base.indexOf(':'));
  return `${scheme}://${first(forwarded.host) ?? host ?? opened.host}`;
}

function judgeScheme({ protocol }: Opened, { base, forwarded }: AddressCheck): Finding[] {
  const scheme = protocol.replace(':', '');
  if (base.startsWith(`${scheme}://`)) return [];
  const said = first(forwarded.proto);
  return [said === null ? { kind: 'schemeMissing', scheme, base } : { kind: 'schemeWrong', scheme, said }];
}

function judgeHost({ host, hostname, origin }: Opened, { base, forwarded, host: arrived }: AddressCheck): Finding[] {
  if (base.slice(base.indexOf('://') + 3) === host) return [];
  const said = first(forwarded.host);
  if (said !== null && said !== host) return [{ kind: 'forwardedHostWrong', host, said }];
  if (arrived === null || arrived === host) return [];
  return [{ kind: arrived === hostname ? 'portDropped' : 'hostRewritten', host, arrived, origin }];
}

/** A difference that no header explains is still a difference. */
function orOther(opened: Opened, check: AddressCheck): Finding[] {
  if (judgeScheme(opened, check).length + judgeHost(opened, check).length > 0) return [];
  return [{ kind: 'baseOther', base: check.base, origin: opened.origin }];
}

/** Of a header that each proxy adds to; the first one speaks to the client. */
function first(header: string | null): string | null {
  return header?.split(',')[0]?.trim() || null;
}

/** Whether `docker login` would find its way. */
export function judgeV2({ origin }: Opened, answer: V2Answer): Finding[] {
  if (answer.kind === 'failed') return [{ kind: 'noAnswer' }];
  if (answer.kind === 'redirect') return [{ kind: 'redirected' }];
  const { status, challenge, version } = answer;
  const gone: Finding[] = version === null ? [{ kind: 'headerGone' }] : [];
  if (status === 200) return version === null ? [{ kind: 'notBerth', status }] : [{ kind: 'open' }];
  if (status !== 401) return [{ kind: 'notBerth', status }];
  if (challenge === null) return [{ kind: 'noChallenge' }];
  const realm = /^\s*bearer\b.*?\brealm="([^"]*)"/i.exec(challenge)?.[1];
  if (realm === undefined) return [/^\s*bearer\b/i.test(challenge) ? { kind: 'noChallenge' } : { kind: 'ownPassword' }];
  if (realm !== realmOf(origin)) return [{ kind: 'realmOther', realm, origin }, ...gone];
  return [{ kind: 'loginRight', realm }, ...gone];
}

/** Whether layers of this size come through. */
export function judgeBody(bytes: number, outcome: BodyOutcome): Finding {
  switch (outcome.kind) {
    case 'arrived':
      return { kind: 'bodyRight', bytes };
    case 'cut':
      return { kind: 'bodyCut', bytes };
    case 'slow':
      return { kind: 'bodySlow', bytes };
    case 'status':
      if (outcome.status === 413) return { kind: 'bodyLimit', bytes, by: proxyOf(outcome.server) };
      return { kind: 'bodyRefused', bytes, status: outcome.status };
  }
}

function proxyOf(server: string | null): ProxyName | null {
  return (['nginx', 'apache', 'cloudflare'] as const).find((name) => server?.toLowerCase().startsWith(name)) ?? null;
}

/** Something to write, and into whose configuration. */
export interface Line {
  where: 'nginx' | 'Apache httpd' | 'Berth';
  code: string;
}

/** What to change for it. Nothing where words alone must do. */
export function linesOf(finding: Finding): Line[] {
  switch (finding.kind) {
    case 'untrusted':
    case 'clientsUntrusted':
      return [{ where: 'Berth', code: `berth serve --trusted-proxies ${finding.peer}` }];
    case 'schemeMissing':
      return [
        { where: 'nginx', code: 'proxy_set_header X-Forwarded-Proto $scheme;' },
        { where: 'Apache httpd', code: `RequestHeader set X-Forwarded-Proto "${finding.scheme}"` },
      ];
    case 'schemeWrong':
      return [
        { where: 'nginx', code: `proxy_set_header X-Forwarded-Proto ${finding.scheme};` },
        { where: 'Apache httpd', code: `RequestHeader set X-Forwarded-Proto "${finding.scheme}"` },
      ];
    case 'hostRewritten':
    case 'portDropped':
      return [
        { where: 'nginx', code: 'proxy_set_header Host $http_host;' },
        { where: 'Apache httpd', code: 'ProxyPreserveHost On' },
        { where: 'Berth', code: `berth serve --public-url ${finding.origin}` },
      ];
    case 'forwardedHostWrong':
      return [
        { where: 'nginx', code: 'proxy_set_header X-Forwarded-Host $http_host;' },
        { where: 'Apache httpd', code: `RequestHeader set X-Forwarded-Host "${finding.host}"` },
      ];
    case 'publicUrlOther':
    case 'baseOther':
      return [{ where: 'Berth', code: `berth serve --public-url ${finding.origin}` }];
    case 'clientsMissing':
      return [{ where: 'nginx', code: 'proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;' }];
    case 'headerGone':
      return [
        { where: 'nginx', code: 'proxy_pass_header Docker-Distribution-Api-Version;' },
        { where: 'Apache httpd', code: 'Header set Docker-Distribution-Api-Version "registry/2.0"' },
      ];
    case 'bodyLimit':
    case 'bodyCut':
      return bodyLines(finding.kind === 'bodyLimit' ? finding.by : null);
    case 'bodySlow':
      return [
        { where: 'nginx', code: 'proxy_request_buffering off;\nproxy_send_timeout 900s;\nproxy_read_timeout 900s;' },
      ];
    default:
      return [];
  }
}

function bodyLines(by: ProxyName | null): Line[] {
  const lines: Line[] = [
    { where: 'nginx', code: 'client_max_body_size 0;' },
    { where: 'Apache httpd', code: 'LimitRequestBody 0' },
  ];
  if (by === 'nginx') return lines.slice(0, 1);
  if (by === 'apache') return lines.slice(1);
  return by === 'cloudflare' ? [] : lines;
}
