import { UsageError } from './usage.ts';

/**
 * `http://localhost:5000` as it is, `localhost:5000` as Docker reads it: plain HTTP on this machine, HTTPS elsewhere.
 *
 * @throws UsageError naming `flag`
 */
export function parseServer(flag: string, text: string): string {
  const refuse = (why: string) => new UsageError(`${flag}: ${JSON.stringify(withoutUser(text))} ${why}`);
  const given = text.includes('://') ? text : `${isLocal(text) ? 'http' : 'https'}://${text}`;
  if (!/^https?:\/\//i.test(given) || !URL.canParse(given)) {
    throw refuse('is not an address such as https://berth.example.com or http://localhost:5000');
  }
  const url = new URL(given);
  if (url.username !== '' || url.password !== '') throw refuse('holds a username; give it with berth login -u');
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') {
    throw refuse(`has more than a host and a port; give ${url.origin}`);
  }
  return url.origin;
}

/** Whether what is sent there stays on this machine or is encrypted. */
export function isPrivate(server: string): boolean {
  const { protocol, host } = new URL(server);
  return protocol === 'https:' || isLocal(host);
}

function isLocal(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?\/?$/i.test(host);
}

/** A password may stand there. */
function withoutUser(text: string): string {
  return text.replace(/^([a-z]+:\/\/)?.*@/i, '$1…@');
}
