/** For people: what is served, where it comes from, and how getting another one went. Times are ms since 1970. */
export interface CertificateState {
  /** `none`: the port speaks plain HTTP. */
  source: 'none' | 'files' | 'authority';
  served: ServedCertificate | undefined;
  authority: AuthorityState | undefined;
}

export interface ServedCertificate {
  names: readonly string[];
  /** As in `CN=R11, O=Let's Encrypt, C=US`. */
  issuer: string;
  notBefore: number;
  notAfter: number;
  /** Signed by itself, until the authority has given one. */
  standIn: boolean;
}

export interface AuthorityState {
  directory: string;
  /** Those that are asked for. */
  names: readonly string[];
  /** When another certificate is ordered; not later than now when that is due. */
  nextOrderAt: number;
  /** The last order, when it failed. */
  failure: { reason: string; count: number; failedAt: number } | undefined;
}

/** What administrators ask. */
export interface Certificates {
  state(): Promise<CertificateState>;
  /** Orders now what would wait after a failure. @returns false when nothing waits: no authority, or no failure */
  retry(): Promise<boolean>;
}
