import { z } from 'zod';
import { OciError } from '../../oci/errors.ts';

/** A log-in provider that speaks OpenID Connect. */
export interface OidcProvider {
  /** In the path of its callback: `/api/v1/auth/callback/<id>`. */
  id: string;
  /** On the log-in page. */
  name: string;
  /** `https://login.example.com`; its configuration is at `/.well-known/openid-configuration` below. */
  issuer: string;
  clientId: string;
  clientSecret: string;
  scopes: string[];
  /** Whether who comes for the first time gets an account. */
  signUp: boolean;
}

export interface Discovery {
  url: string;
  /** Whether the client's secret goes into `Authorization` (RFC 6749 §2.3.1); else into the body. */
  clientSecretBasic: boolean;
}

const TIMEOUT_MS = 10_000;

const document = z.object({
  issuer: z.string(),
  authorization_endpoint: z.url(),
  token_endpoint: z.url(),
  jwks_uri: z.url(),
  id_token_signing_alg_values_supported: z.array(z.string()).min(1),
  token_endpoint_auth_methods_supported: z.array(z.string()).default(['client_secret_basic']),
});

/**
 * Asks a provider for its configuration (OpenID Connect Discovery 1.0 §4), before better-auth does: it would wait for ever, and
 * does not compare the issuer.
 *
 * @throws OciError UNAVAILABLE saying what is wrong with the provider
 */
export async function discover(provider: OidcProvider): Promise<Discovery> {
  const url = `${provider.issuer.replace(/\/+$/, '')}/.well-known/openid-configuration`;
  const failure = (reason: string, cause?: unknown) =>
    new OciError('UNAVAILABLE', `the log-in provider ${provider.name} ${reason}`, {}, { cause });
  let answer: unknown;
  try {
    const response = await fetch(url, {
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: { Accept: 'application/json' },
    });
    if (!response.ok) throw new Error(`${url} answers ${response.status}`);
    answer = await response.json();
  } catch (error) {
    throw failure('does not answer', error);
  }
  const parsed = document.safeParse(answer);
  if (!parsed.success) throw failure('has a configuration that is not OpenID Connect', parsed.error);
  if (parsed.data.issuer !== provider.issuer) {
    throw failure(`calls itself ${parsed.data.issuer}, not ${provider.issuer}`);
  }
  const methods = parsed.data.token_endpoint_auth_methods_supported;
  return { url, clientSecretBasic: methods.includes('client_secret_basic') };
}
