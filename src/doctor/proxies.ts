import type { Line } from './result.ts';

/** A program in front of a registry that has lines to change. */
export type FrontServer = 'nginx' | 'Apache httpd' | 'Caddy' | 'Traefik' | 'Cloudflare';

/** What can be wrong with such a program. docs/how-to/nginx.md explains the lines for nginx. */
export type Fault =
  | 'scheme'
  | 'host'
  | 'client'
  | 'authorization'
  | 'conditions'
  | 'redirect'
  | 'path'
  | 'location'
  | 'body limit'
  | 'request buffering'
  | 'idle upload'
  | 'response buffering'
  | 'slow answer'
  | 'compression'
  | 'range'
  | 'version header'
  | 'certificate'
  | 'to https';

type Lines = Partial<Record<Exclude<FrontServer, 'Cloudflare'>, string>>;

const REMOVE = (what: string) => `# remove: ${what}`;

const LINES: Record<Fault, Lines> = {
  scheme: {
    nginx: 'proxy_set_header X-Forwarded-Proto $scheme;',
    'Apache httpd': 'RequestHeader set X-Forwarded-Proto "https"',
    Caddy: 'servers {\n  trusted_proxies static private_ranges\n}',
    Traefik: 'entryPoints.websecure.forwardedHeaders.trustedIPs: [ADDRESS]',
  },
  host: {
    nginx: 'proxy_set_header Host $http_host;',
    'Apache httpd': 'ProxyPreserveHost On',
    Caddy: 'header_up Host {http.request.hostport}',
    Traefik: 'loadBalancer.passHostHeader: true',
  },
  client: {
    nginx: 'proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;',
    'Apache httpd': 'ProxyAddHeaders On',
  },
  authorization: {
    nginx: 'proxy_set_header Authorization $http_authorization;',
    'Apache httpd': `${REMOVE('RequestHeader unset Authorization, and AuthType in this virtual host')}`,
    Caddy: REMOVE('header_up -Authorization, and basic_auth'),
    Traefik: REMOVE('the middlewares basicAuth and headers that take Authorization away'),
  },
  conditions: {
    nginx:
      'proxy_cache off;\nproxy_set_header If-Match $http_if_match;\nproxy_set_header If-None-Match $http_if_none_match;\nproxy_set_header Range $http_range;\nproxy_set_header If-Range $http_if_range;',
    'Apache httpd': 'CacheDisable /',
    Caddy: REMOVE('header_up lines for these headers'),
    Traefik: REMOVE('the middleware headers that takes them away'),
  },
  redirect: {
    nginx: REMOVE('return and rewrite for /v2/ and /auth/'),
    'Apache httpd': REMOVE('Redirect and RewriteRule for /v2/ and /auth/'),
    Caddy: REMOVE('redir for /v2/ and /auth/'),
    Traefik: REMOVE('the middlewares redirectRegex and redirectScheme of this router'),
  },
  path: {
    nginx: 'proxy_pass http://127.0.0.1:5000; # without a path after the address',
    'Apache httpd':
      'AllowEncodedSlashes NoDecode\nProxyPass / http://127.0.0.1:5000/ nocanon retry=0 ttl=60 flushpackets=on',
  },
  location: {
    nginx: 'proxy_redirect off;',
    'Apache httpd': REMOVE('Header edit Location'),
    Caddy: REMOVE('header_down Location'),
    Traefik: REMOVE('the middleware headers that sets Location'),
  },
  'body limit': {
    nginx: 'client_max_body_size 0;',
    'Apache httpd': 'LimitRequestBody 0',
    Caddy: REMOVE('request_body { max_size … }'),
    Traefik: 'buffering.maxRequestBodyBytes: 0',
  },
  'request buffering': {
    nginx: 'proxy_request_buffering off;',
    'Apache httpd': 'SetEnv proxy-sendchunked 1',
    Caddy: REMOVE('request_buffers of reverse_proxy'),
    Traefik: REMOVE('the middleware buffering of this router'),
  },
  'idle upload': {
    nginx: 'client_body_timeout 900s;\nproxy_send_timeout 900s;\nproxy_read_timeout 900s;',
    'Apache httpd': 'RequestReadTimeout body=0\nProxyTimeout 900',
    Caddy: 'servers {\n  timeouts {\n    read_body 0\n  }\n}',
    Traefik: 'entryPoints.websecure.transport.respondingTimeouts.readTimeout: 0',
  },
  'response buffering': {
    nginx: 'proxy_buffering off;',
    'Apache httpd': 'ProxyPass / http://127.0.0.1:5000/ nocanon retry=0 ttl=60 flushpackets=on',
    Caddy: 'flush_interval -1',
    Traefik: 'loadBalancer.responseForwarding.flushInterval: -1',
  },
  'slow answer': {
    nginx: 'proxy_read_timeout 900s;',
    'Apache httpd': 'ProxyTimeout 900',
    Caddy: 'transport http {\n  read_timeout 900s\n}',
    Traefik: 'entryPoints.websecure.transport.respondingTimeouts.writeTimeout: 0',
  },
  compression: {
    nginx: 'gzip off;',
    'Apache httpd': 'SetEnv no-gzip 1',
    Caddy: '@page not path /v2/*\nencode @page zstd gzip',
    Traefik: 'compress.excludedContentTypes: [application/octet-stream]',
  },
  range: {
    nginx: 'proxy_force_ranges off;\nproxy_cache off;\nproxy_set_header Range $http_range;',
    'Apache httpd': 'MaxRanges default\nCacheDisable /',
    Caddy: REMOVE('header_up -Range'),
    Traefik: REMOVE('the middleware that takes Range away'),
  },
  'version header': {
    nginx: 'proxy_pass_header Docker-Distribution-Api-Version;',
    'Apache httpd': 'Header set Docker-Distribution-Api-Version "registry/2.0"',
    Caddy: REMOVE('header_down -Docker-Distribution-Api-Version'),
  },
  certificate: {
    nginx: 'ssl_certificate     /etc/ssl/NAME.pem;\nssl_certificate_key /etc/ssl/NAME.key;',
    'Apache httpd': 'SSLCertificateFile    /etc/ssl/NAME.pem\nSSLCertificateKeyFile /etc/ssl/NAME.key',
    Caddy: 'tls /etc/ssl/NAME.pem /etc/ssl/NAME.key',
    Traefik: 'tls.certificates:\n  - certFile: /etc/ssl/NAME.pem\n    keyFile: /etc/ssl/NAME.key',
  },
  'to https': {
    nginx: 'server {\n  listen 80;\n  server_name NAME;\n  return 308 https://$host$request_uri;\n}',
    'Apache httpd': 'Redirect permanent / https://NAME/',
    Traefik: 'entryPoints.web.http.redirections.entryPoint.to: websecure',
  },
};

/** The lines for one fault: of the program that is there, or of all when it is not known. */
export function proxyLines(fault: Fault, proxy: FrontServer | undefined, name = 'NAME'): Line[] {
  const all = Object.entries(LINES[fault]).map(([where, code]) => ({ where, code: code.replaceAll('NAME', name) }));
  return ofProxy(all, proxy);
}

const PROXIES: readonly string[] = ['nginx', 'Apache httpd', 'Caddy', 'Traefik', 'Cloudflare'] satisfies FrontServer[];

/** Without the lines of programs that are not there. */
export function ofProxy(lines: readonly Line[], proxy: FrontServer | undefined): Line[] {
  return lines.filter(({ where }) => proxy === undefined || where === proxy || !PROXIES.includes(where));
}

/** What an answer says of who gave it. */
interface Signs {
  /** The `Server` header. */
  server: string | null;
  /** The `Via` header. */
  via: string | null;
  /** The body's beginning, of an answer that is no registry's. */
  text?: string | undefined;
}

/** Which program passed an answer on, or gave it; undefined when nothing tells. */
export function proxyOf({ server, via, text = '' }: Signs): FrontServer | undefined {
  const said = `${server ?? ''} ${via ?? ''}`;
  if (/\b(nginx|openresty|tengine)\b/i.test(said) || /<center>(nginx|openresty)/i.test(text)) return 'nginx';
  if (/\bapache\b/i.test(said) || /<address>Apache/i.test(text)) return 'Apache httpd';
  if (/\bcaddy\b/i.test(said)) return 'Caddy';
  if (/\btraefik\b/i.test(said)) return 'Traefik';
  if (/\bcloudflare\b/i.test(said)) return 'Cloudflare';
  return undefined;
}

/** What web servers answer to plain HTTP on their port for HTTPS. */
export function wantsHttps(text: string): boolean {
  return /plain HTTP request was sent to HTTPS port|speaking plain HTTP to an SSL-enabled|sent an HTTP request to an HTTPS server/i.test(
    text,
  );
}
