/** The tables of certificates from an ACME authority. Times are ms since 1970; `names` are sorted and joined by commas. */
export interface CertificatesSchema {
  acme_accounts: AcmeAccountTable;
  acme_certificates: AcmeCertificateTable;
  acme_failures: AcmeFailureTable;
  acme_challenges: AcmeChallengeTable;
}

/** An account at an authority, by the address of its directory. */
interface AcmeAccountTable {
  directory: string;
  /** PEM, encrypted with the instance's secret key. */
  sealed_key: string;
  /** What the authority calls it; null until it is registered. */
  url: string | null;
  /** A digest of what it was registered with: contact and external account. */
  registration: string | null;
  created_at: number;
}

/** The newest certificate for these names. */
interface AcmeCertificateTable {
  directory: string;
  names: string;
  /** SHA-256 of the certificate, in hex. */
  fingerprint: string;
  /** PEM: the certificate and those above it. */
  chain: string;
  /** PEM, encrypted with the instance's secret key. */
  sealed_key: string;
  not_before: number;
  not_after: number;
  ordered_at: number;
}

/** Orders that failed since the last one that did not. */
interface AcmeFailureTable {
  directory: string;
  names: string;
  /** A digest of the settings it failed with: with others there is nothing to wait for. */
  settings: string;
  count: number;
  /** For people: what went wrong and what to do. */
  reason: string;
  failed_at: number;
  /** Not tried again before. */
  next_at: number;
}

/** What `/.well-known/acme-challenge/<token>` answers, of any process. */
interface AcmeChallengeTable {
  token: string;
  answer: string;
  expires_at: number;
}
