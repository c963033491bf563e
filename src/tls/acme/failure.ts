/** `unreachable`: no answer, or a fault of the authority; `refused`: it says no; `limited`: it wants to be left alone for a while. */
export type FailureKind = 'unreachable' | 'refused' | 'limited';

/** Why there is no certificate: for people, with what to do. */
export class AcmeFailure extends Error {
  override readonly name = 'AcmeFailure';
  /** What the authority asked for. */
  readonly retryAfterMs: number | undefined;
  /** As in `AcmeProblem`; undefined when it is not the authority's. */
  readonly type: string | undefined;

  constructor(
    readonly kind: FailureKind,
    message: string,
    details: ErrorOptions & { problem?: AcmeProblem } = {},
  ) {
    super(message, details);
    this.retryAfterMs = details.problem?.retryAfterMs;
    this.type = details.problem?.type;
  }
}

/** An authority's error: RFC 7807, RFC 8555 section 6.7. */
export interface AcmeProblem {
  /** Without `urn:ietf:params:acme:error:`. */
  type: string;
  /** The authority's own words. */
  detail: string;
  status: number;
  retryAfterMs?: number | undefined;
}

const PREFIX = 'urn:ietf:params:acme:error:';

/** The error in an answer: of the request, or of a challenge that failed. */
export function problemIn(status: number, body: string, retryAfter: string | null): AcmeProblem | undefined {
  const document = parsedOrUndefined(body);
  const found = status >= 400 ? document : document?.error;
  if (status < 400 && found === undefined) return undefined;
  return {
    type: textOf(found?.type)?.replace(PREFIX, '') ?? '',
    detail: textOf(found?.detail) ?? `HTTP status ${status}`,
    status: typeof found?.status === 'number' ? found.status : status,
    retryAfterMs: retryAfter === null ? undefined : millisecondsOf(retryAfter),
  };
}

/** @param name whose challenge it was; undefined for another step */
export function failureOf(problem: AcmeProblem, name: string | undefined): AcmeFailure {
  const { type, detail, status } = problem;
  const said = `${name === undefined ? '' : `${name}: `}the authority says: ${detail}`;
  if (status === 429 || type === 'rateLimited') return new AcmeFailure('limited', said, { problem });
  if (status >= 500) return new AcmeFailure('unreachable', said, { problem });
  const advice = adviceFor(type, name ?? 'each name of acmeDomains');
  return new AcmeFailure('refused', advice === undefined ? said : `${said}; ${advice}`, { problem });
}

function adviceFor(type: string, name: string): string | undefined {
  switch (type) {
    case 'connection':
    case 'tls':
      return `the authority must reach http://${name}/ on port 80: open it, and let it lead to httpPort of this server`;
    case 'dns':
      return `give ${name} a DNS record (A or AAAA) with the address of this server`;
    case 'unauthorized':
    case 'incorrectResponse':
      return `${name} leads to another server than this one, or something before it answers /.well-known/acme-challenge/ itself`;
    case 'caa':
      return `the CAA record of ${name} allows other authorities only`;
    case 'externalAccountRequired':
      return 'this authority wants its customers’ keys: set acmeEabKid and acmeEabKeyFile';
    case 'invalidContact':
    case 'unsupportedContact':
      return 'set acmeEmail to an address that takes mail';
    case 'rejectedIdentifier':
    case 'unsupportedIdentifier':
      return 'take the name out of acmeDomains, or use an authority that gives certificates for it';
    default:
      return undefined;
  }
}

function parsedOrUndefined(text: string) {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null
      ? (value as {
          type?: unknown;
          detail?: unknown;
          status?: unknown;
          error?: { type?: unknown; detail?: unknown; status?: unknown };
        })
      : undefined;
  } catch {
    return undefined;
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** RFC 9110, section 10.2.3: seconds, or a date. */
function millisecondsOf(retryAfter: string): number | undefined {
  const ms = /^\d{1,9}$/.test(retryAfter) ? Number(retryAfter) * 1000 : Date.parse(retryAfter) - Date.now();
  return Number.isFinite(ms) && ms > 0 ? ms : undefined;
}
