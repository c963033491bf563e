import type { Finding, ProxyName } from './address.ts';

type Of<Kind extends Finding['kind']> = Extract<Finding, { kind: Kind }>;

/** A sentence for each kind of finding, in one language. */
export type Sentences = { [Kind in Finding['kind']]: (finding: Of<Kind>) => string };

export const PROXIES: Record<ProxyName, string> = { nginx: 'nginx', apache: 'Apache httpd', cloudflare: 'Cloudflare' };

export const mib = (bytes: number) => `${Math.round(bytes / 1024 / 1024)} MiB`;

export function said<Kind extends Finding['kind']>(sentences: Sentences, finding: Of<Kind>): string {
  return sentences[finding.kind as Kind](finding);
}

/** In English: what `berth doctor` and the page say. */
export const SENTENCES: Sentences = {
  addressRight: ({ origin }: Of<'addressRight'>) => `The server knows its address as ${origin}, as you do.`,
  publicUrlOther: ({ publicUrl, origin }: Of<'publicUrlOther'>) =>
    `You opened ${origin}, but the server was told that its address is ${publicUrl}. Clients of this address are sent to that one to log in. Open ${publicUrl}, or change the setting:`,
  untrusted: ({ peer, base, origin }: Of<'untrusted'>) =>
    `You opened ${origin}, but the server takes it for ${base}. A proxy at ${peer} says how it was reached, but the server does not trust it. If that is your proxy, name it:`,
  clientsUntrusted: ({ peer }: Of<'clientsUntrusted'>) =>
    `A proxy at ${peer} says who the clients are, but the server does not trust it: logs show the proxy's address, and whoever guesses passwords locks out everyone. If that is your proxy, name it:`,
  clientsMissing: (_: Of<'clientsMissing'>) =>
    "The proxy does not say who the clients are: logs show the proxy's address, and whoever guesses passwords locks out everyone. Add:",
  schemeMissing: ({ scheme, base }: Of<'schemeMissing'>) =>
    `You opened it with ${scheme}, but the server takes it for ${base}. The proxy does not say the scheme. Clients are sent there with their passwords. Add to the proxy's configuration (Caddy and Traefik do it by themselves):`,
  schemeWrong: ({ scheme, said }: Of<'schemeWrong'>) =>
    `You opened it with ${scheme}, but the proxy says ${said}: another one before it speaks ${scheme}. Let it say:`,
  hostRewritten: ({ host, arrived }: Of<'hostRewritten'>) =>
    `You opened ${host}, but the proxy asks the server for ${arrived}. Log-in on this page is refused, and clients are sent to an address that they can't reach. Pass the host on, or tell the server its address:`,
  portDropped: ({ host, arrived }: Of<'portDropped'>) =>
    `You opened ${host}, but the proxy says ${arrived}, without the port: nginx's $host has none. Pass it on as it came, or tell the server its address:`,
  forwardedHostWrong: ({ host, said }: Of<'forwardedHostWrong'>) =>
    `You opened ${host}, but the proxy says ${said} in X-Forwarded-Host. Let it say what the client asked for:`,
  baseOther: ({ base, origin }: Of<'baseOther'>) =>
    `You opened ${origin}, but the server takes it for ${base}. Tell it its address:`,
  loginRight: (_: Of<'loginRight'>) => 'docker login is answered by Berth, and sent to this address.',
  open: (_: Of<'open'>) => 'Berth answers clients, without a log-in.',
  realmOther: ({ realm }: Of<'realmOther'>) =>
    `Berth answers, but sends clients to ${realm} to log in. Put the address right, as said above.`,
  ownPassword: (_: Of<'ownPassword'>) =>
    'Something in front asks for a password of its own. Clients can give only one: let it pass /v2/ and /auth/ without.',
  noChallenge: (_: Of<'noChallenge'>) =>
    'Clients are refused without being told where to log in. Let the proxy pass the header WWW-Authenticate.',
  redirected: (_: Of<'redirected'>) =>
    'Something in front sends clients from /v2/ elsewhere. Let it pass /v2/ and /auth/ to Berth as they are.',
  notBerth: ({ status }: Of<'notBerth'>) =>
    `Something other than Berth answers at /v2/ (status ${status}). Let the proxy pass all paths to Berth as they are.`,
  headerGone: (_: Of<'headerGone'>) =>
    'The header Docker-Distribution-Api-Version is taken away on the way. Older clients need it:',
  noAnswer: (_: Of<'noAnswer'>) =>
    'Nothing answers at /v2/. Check that the proxy passes it to Berth, and that Berth runs.',
  bodyRight: ({ bytes }: Of<'bodyRight'>) => `A body of ${mib(bytes)} came through.`,
  bodyLimit: ({ bytes, by }: Of<'bodyLimit'>) =>
    by === 'cloudflare'
      ? `Cloudflare refuses a body of ${mib(bytes)}; it takes 100 MB on most plans. Push by an address that does not go through it.`
      : `${by === null ? 'A proxy' : PROXIES[by]} refuses a body of ${mib(bytes)} (413). Layers have no upper size; take the limit away:`,
  bodyCut: ({ bytes }: Of<'bodyCut'>) =>
    `A body of ${mib(bytes)} was cut off on the way. Mostly it is a proxy's limit; take it away. (Cloudflare takes 100 MB on most plans.)`,
  bodySlow: ({ bytes }: Of<'bodySlow'>) =>
    `A body of ${mib(bytes)} took longer than 15 minutes. If the line is faster than that, the proxy holds it back:`,
  bodyRefused: ({ bytes, status }: Of<'bodyRefused'>) =>
    `A body of ${mib(bytes)} was answered with status ${status}. Put right what is said above, log in again, and check again.`,
};
