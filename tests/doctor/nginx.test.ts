// berth doctor through a real nginx that is configured wrong in one way each: it names the fault, and the line that mends it.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { type RunningNginx, type Site, startNginx } from '../support/nginx.ts';
import { requireTools } from '../support/tools.ts';
import { checkOf, codesOf, type DoctorRig, faultsOf, type Report, startDoctorRig } from './rig.ts';

const RIGHT = {
  host: 'proxy_set_header Host $http_host;',
  scheme: 'proxy_set_header X-Forwarded-Proto $scheme;',
  client: 'proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;',
  streamed: 'proxy_request_buffering off;',
  answers: 'proxy_buffering off;',
};
const UNLIMITED = 'client_max_body_size 0;';

/** All lines of a good site but one, and others besides. */
function site(
  without: (keyof typeof RIGHT)[],
  more: { server?: string[]; location?: string[]; tls?: Site['tls'] } = {},
) {
  const kept = Object.entries(RIGHT).flatMap(([name, line]) => (without.some((gone) => gone === name) ? [] : [line]));
  return {
    tls: more.tls ?? true,
    server: more.server ?? [UNLIMITED],
    location: [...kept, ...(more.location ?? [])],
  };
}

const SITES = {
  right: site([]),
  limited: site([], { server: ['client_max_body_size 1500k;'] }),
  noScheme: site(['scheme']),
  otherHost: site(['host']),
  noClient: site(['client']),
  buffered: site(['streamed']),
  heldAnswers: site(['answers']),
  impatient: site([], { location: ['proxy_read_timeout 1s;'] }),
  impatientUploads: site([], { server: [UNLIMITED, 'client_body_timeout 1s;'] }),
  gzip: site([], {
    server: [UNLIMITED, 'gzip on;', 'gzip_proxied any;', 'gzip_types application/octet-stream;'],
  }),
  noAuthorization: site([], { location: ['proxy_set_header Authorization "";'] }),
  ownPassword: site([], { server: [UNLIMITED, 'auth_basic "Staff";', 'auth_basic_user_file /dev/null;'] }),
  noConditions: site([], { location: ['proxy_set_header If-Match "";'] }),
  noRange: site([], { location: ['proxy_set_header Range "";'] }),
  redirects: site([], { server: [UNLIMITED, 'location = /v2/ { return 301 /registry/v2/; }'] }),
  locationElsewhere: site([], { location: ['proxy_redirect ~^/(.*)$ http://$host:$server_port/$1;'] }),
  locationMangled: site([], { location: ['proxy_redirect /v2/ /registry/v2/;'] }),
  decodes: site([], { server: [UNLIMITED, 'location ~ ^/v2/berth/doctor/ { return 404; }'] }),
  down: site([], { server: [UNLIMITED, 'location /v2/ { return 502; }'] }),
  expired: site([], { tls: { valid: { from: '20240101000000Z', until: '20240201000000Z' } } }),
  otherName: site([], { tls: { names: 'DNS:other.test' } }),
};

describe.skipIf(!requireTools('doctor: nginx', ['nginx', 'openssl']))('berth doctor, through nginx', () => {
  let rig: DoctorRig;
  let nginx: RunningNginx<keyof typeof SITES>;
  beforeAll(async () => {
    rig = await startDoctorRig();
    nginx = await startNginx(rig.berth.host, SITES);
  }, 90_000);
  afterAll(async () => {
    await nginx?.stop();
    await rig?.stop();
  }, 60_000);

  const examine = (name: keyof typeof SITES, ...more: string[]): Promise<Report> =>
    rig.examine([nginx.url[name], '--ca', nginx.certificate, ...more]);

  test('finds nothing wrong when every line is there', async () => {
    const report = await examine('right', '--body-limit', '20MiB');
    expect(faultsOf(report)).toEqual([]);
    expect(checkOf(report, 'certificate').seen).toContain('DNS:registry.test, IP Address:127.0.0.1');
    expect(checkOf(report, 'body').seen).toBe('A body of 20 MiB came through.');
    expect(report.code).toBe(0);
  });

  const faults: [keyof typeof SITES, string, string, ...string[]][] = [
    ['limited', 'body failed', UNLIMITED],
    ['noScheme', 'address failed', RIGHT.scheme],
    ['otherHost', 'address failed', RIGHT.host],
    ['noClient', 'address warning', RIGHT.client],
    ['buffered', 'request buffering warning', RIGHT.streamed],
    ['heldAnswers', 'response buffering warning', RIGHT.answers],
    ['impatient', 'slow answer failed', 'proxy_read_timeout 900s;', '--idle', '4'],
    [
      'impatientUploads',
      'idle upload failed',
      'client_body_timeout 900s;\nproxy_send_timeout 900s;\nproxy_read_timeout 900s;',
      '--idle',
      '4',
    ],
    ['gzip', 'compression failed', 'gzip off;'],
    ['noAuthorization', 'credential failed', 'proxy_set_header Authorization $http_authorization;'],
    ['decodes', 'path warning', 'proxy_pass http://127.0.0.1:5000; # without a path after the address'],
    ['locationElsewhere', 'location failed', 'proxy_redirect off;'],
    ['locationMangled', 'location failed', 'proxy_redirect off;'],
  ];
  for (const [name, fault, line, ...more] of faults) {
    test(`${name}: says ${fault}, and the line for nginx alone`, async () => {
      const report = await examine(name, ...more);
      expect(faultsOf(report)).toContain(fault);
      const lines = report.checks.flatMap((check) => (`${check.name} ${check.state}` === fault ? check.lines : []));
      expect(lines.map(({ code }) => code)).toContain(line);
      expect(lines.filter(({ where }) => !['nginx', 'Berth'].includes(where))).toEqual([]);
      expect(report.code).toBe(fault.endsWith('failed') ? 1 : 0);
    });
  }

  test('names the headers that are taken away', async () => {
    const report = await examine('noConditions');
    expect(faultsOf(report)).toEqual(['headers failed']);
    expect(checkOf(report, 'headers').seen).toStartWith('if-match taken away on the way');
    expect(codesOf(report, 'headers')[0]).toContain('proxy_set_header If-Match $http_if_match;');
    const range = await examine('noRange');
    expect(faultsOf(range)).toEqual(['headers failed', 'range failed']);
  });

  test('says where /v2/ is redirected to, and that a proxy has a password of its own', async () => {
    const redirects = await examine('redirects');
    expect(faultsOf(redirects)).toEqual(['v2 failed']);
    expect(checkOf(redirects, 'v2').seen).toContain('/registry/v2/');
    const own = await examine('ownPassword');
    expect(faultsOf(own)).toContain('challenge failed');
  });

  test('says that the proxy does not reach Berth', async () => {
    const report = await examine('down');
    expect(faultsOf(report)).toEqual(['v2 failed']);
    expect(checkOf(report, 'v2').seen).toContain('a proxy answers with status 502: it does not reach Berth');
  });

  test('says what is wrong with a certificate, sends no token there, and still looks at the rest', async () => {
    const expired = await examine('expired');
    expect(faultsOf(expired)).toEqual(['certificate failed']);
    expect(checkOf(expired, 'certificate').seen).toStartWith('expired on 2024-02-01');
    expect(codesOf(expired, 'certificate')[0]).toContain('ssl_certificate ');
    expect(checkOf(expired, 'location')).toMatchObject({ state: 'skipped' });
    expect(checkOf(expired, 'location').seen).toContain(
      'no token is sent to who shows a certificate that is not trusted',
    );

    const otherName = await examine('otherName');
    expect(checkOf(otherName, 'certificate').seen).toStartWith('is not for 127.0.0.1, but for DNS:other.test');

    const unknown = await rig.examine([nginx.url.right]);
    const { host } = new URL(nginx.url.right);
    expect(checkOf(unknown, 'certificate').seen).toContain('which this machine does not know');
    expect(codesOf(unknown, 'certificate')[0]).toBe(`sudo install -D ca.crt /etc/docker/certs.d/${host}/ca.crt`);
  });

  test('says that plain HTTP was asked for where HTTPS is spoken', async () => {
    const report = await rig.examine([nginx.url.right.replace('https:', 'http:')]);
    expect(faultsOf(report)).toEqual(['scheme failed']);
    expect(checkOf(report, 'scheme').seen).toBe(`this port speaks HTTPS: use ${nginx.url.right}`);
  });
});
