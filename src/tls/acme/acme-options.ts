/** What an authority is asked for, and how. */
export interface AcmeOptions {
  /** The authority's directory, an https address. */
  directory: string;
  /** Sorted, lower-case, each once; `*.example.com` and addresses among them. */
  domains: readonly string[];
  email: string | undefined;
  /** A file with the root of the authority's own HTTPS, besides the public ones. */
  authorityFile: string | undefined;
  /** RFC 8555, section 7.3.4; `keyFile` holds the key in base64url. */
  externalAccount: { kid: string; keyFile: string } | undefined;
  /** A program that sets and removes TXT records. */
  dnsHook: string | undefined;
}

/** Encrypts for the database: `context` is what it belongs to, the same for `open`, which throws when it is not what was sealed. */
export interface Seal {
  seal(plain: string, context: string): string;
  open(sealed: string, context: string): string;
}

/** How certificates are told apart in the database. */
export function namesKey(domains: readonly string[]): string {
  return [...domains].sort().join(',');
}

/** The context of a sealed key: the directory of an account, the names of a certificate. */
export function sealedAs(owner: string): string {
  return `acme:${owner}`;
}
