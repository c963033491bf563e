// Getting started: the commands for this address, plain HTTP from elsewhere, and what it says about a proxy in front.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import type { Locator } from 'playwright-core';
import { type RunningNginx, startNginx } from '../support/nginx.ts';
import { requireTools, run } from '../support/tools.ts';
import { canBrowse, PageRig, type Person, type Visit } from './rig.ts';

const canProxy = requireTools('page: getting started', ['nginx', 'openssl', 'skopeo']);

const HOST = 'proxy_set_header Host $http_host;';
const SCHEME = 'proxy_set_header X-Forwarded-Proto $scheme;';
const CLIENT = 'proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;';
const UNLIMITED = 'client_max_body_size 0;';
const STREAMED = 'proxy_request_buffering off;';

describe.skipIf(!canBrowse)('getting started', () => {
  let rig: PageRig;
  let alice: Person;
  beforeAll(async () => {
    rig = await PageRig.start();
    alice = await rig.join('alice');
  }, 60_000);
  afterAll(() => rig?.stop(), 30_000);

  /** The line of the check about one thing. */
  const line = ({ page }: Visit, name: string): Locator => page.getByRole('listitem').filter({ hasText: name });
  const code = (within: Locator | Visit['page'], text: string) =>
    within.locator('pre').getByText(text, { exact: true });

  test('has the commands for this address and this person, and finds the address right', async () => {
    const visit = await rig.visit({ as: alice });
    const { page } = visit;
    await visit.open('/getting-started');
    const image = `${rig.host}/alice/my-app:1.0`;
    for (const command of [
      `docker login -u alice ${rig.host}`,
      `docker tag my-app ${image}`,
      `docker push ${image}`,
      `docker pull ${image}`,
      `berth agent --server ${rig.url} --token berth_agent_…`,
    ]) {
      await code(page, command).waitFor();
    }
    await line(visit, 'Address').getByText(`Right. The server knows its address as ${rig.url}, as you do.`).waitFor();
    await line(visit, 'Log-in of clients').getByText('Right.').waitFor();
    await line(visit, 'Large layers').getByText('A body of 2 MiB came through.').waitFor();
    expect(await page.getByText('insecure-registries').count()).toBe(0);
    expect(await visit.audit()).toEqual([]);

    await page.getByRole('link', { name: 'Make a robot' }).click();
    await page.getByRole('heading', { name: 'alice', level: 1 }).waitFor();
    expect(visit.complaints).toEqual([]);
    await visit.close();
  });

  test.skipIf(!canProxy)('its log-in and push are what a client takes', async () => {
    const visit = await rig.visit({ as: alice, language: 'ko', phone: true, dark: true });
    await visit.open('/getting-started');
    const commands = await visit.page.locator('pre').allTextContents();
    const push = commands.find((command) => command.startsWith('docker push '))?.slice('docker push '.length);
    await alice.pusher.image('alice/my-app', '1.0');
    const skopeo = [
      'skopeo',
      'inspect',
      '--tls-verify=false',
      '--creds',
      `alice:${alice.password}`,
      '--format',
      '{{.Name}}',
    ];
    expect(await run([...skopeo, `docker://${push}`])).toBe(`${rig.host}/alice/my-app`);
    await visit.page.getByText(`서버도 자신의 주소를 ${rig.url}(으)로 알고 있습니다.`).waitFor();
    expect(await visit.sideways()).toBe(0);
    expect(await visit.audit()).toEqual([]);
    await visit.close();
  });

  test('over plain HTTP from elsewhere it has the daemon.json to write', async () => {
    const url = `http://registry.test:${rig.berth.port}`;
    const visit = await rig.visit({ url, phone: true });
    const { page } = visit;
    await visit.open('/getting-started');
    await page.getByRole('heading', { name: 'Before Docker can use this address' }).waitFor();
    const written = await page.getByRole('figure', { name: 'daemon.json', exact: true }).locator('pre').textContent();
    expect(JSON.parse(written ?? '')).toEqual({ 'insecure-registries': [`registry.test:${rig.berth.port}`] });
    await code(page, 'sudo systemctl reload docker').waitFor();
    await page.getByText('Podman, Buildah and Skopeo').click();
    await page.getByText(`location = "registry.test:${rig.berth.port}"`).waitFor();
    await code(page, `docker login -u USERNAME registry.test:${rig.berth.port}`).waitFor();
    await page.getByText('Log in, and this page tries how large a body may be.').waitFor();
    expect(await visit.sideways()).toBe(0);
    expect(await visit.audit()).toEqual([]);
    // Chromium itself says that it does not heed one of the headers there.
    expect(visit.complaints.filter((line) => !line.includes('Cross-Origin-Opener-Policy'))).toEqual([]);
    await visit.close();
  });

  describe.skipIf(!canProxy)('behind nginx', () => {
    let nginx: RunningNginx<'right' | 'noScheme' | 'otherHost' | 'noPort' | 'small' | 'middling' | 'gate'>;
    beforeAll(async () => {
      nginx = await startNginx(rig.host, {
        right: { tls: true, server: [UNLIMITED], location: [HOST, SCHEME, CLIENT, STREAMED] },
        noScheme: { tls: true, server: [UNLIMITED], location: [HOST, CLIENT] },
        otherHost: { tls: true, server: [UNLIMITED], location: [SCHEME, CLIENT] },
        noPort: { tls: true, server: [UNLIMITED], location: ['proxy_set_header Host $host;', SCHEME, CLIENT] },
        small: { tls: true, server: ['client_max_body_size 1m;'], location: [HOST, SCHEME, CLIENT] },
        middling: { tls: true, server: ['client_max_body_size 10m;'], location: [HOST, SCHEME, CLIENT] },
        gate: {
          tls: true,
          server: [UNLIMITED, 'location /v2/ { return 200 "<h1>Welcome</h1>"; }'],
          location: [HOST, SCHEME, CLIENT],
        },
      });
    }, 60_000);
    afterAll(() => nginx?.stop(), 30_000);

    const visitAt = async (url: string, as?: Person) => {
      const visit = await rig.visit({ url, anyCertificate: true, ...(as === undefined ? {} : { as }) });
      await visit.open('/getting-started');
      return visit;
    };

    test('that is configured right, all is right, also for 200 MiB', async () => {
      const visit = await visitAt(nginx.url.right, alice);
      await line(visit, 'Address').getByText(`The server knows its address as ${nginx.url.right}`).waitFor();
      await line(visit, 'Log-in of clients').getByText('Right.').waitFor();
      await visit.page.getByRole('button', { name: 'Try it with 200 MiB' }).click();
      await line(visit, 'Large layers').getByText('A body of 200 MiB came through.').waitFor({ timeout: 60_000 });
      expect(await visit.page.getByText(/^(Wrong|Look at this)\.$/).count()).toBe(0);
      expect(visit.complaints).toEqual([]);
      await visit.close();
    }, 90_000);

    test('that does not say the scheme, it names the line', async () => {
      const visit = await visitAt(nginx.url.noScheme);
      const address = line(visit, 'Address');
      await address.getByText(/^Wrong\. You opened it with https/).waitFor();
      await code(address, SCHEME).waitFor();
      await code(address, 'RequestHeader set X-Forwarded-Proto "https"').waitFor();
      const realm = `${nginx.url.noScheme.replace('https:', 'http:')}/auth/token`;
      await line(visit, 'Log-in of clients').getByText(`sends clients to ${realm}`).waitFor();
      expect(await visit.audit()).toEqual([]);
      await visit.close();
    });

    test('that rewrites the host, it names the line', async () => {
      const visit = await visitAt(nginx.url.otherHost);
      const address = line(visit, 'Address');
      await address.getByText(`the proxy asks the server for ${rig.host}`).waitFor();
      await code(address, HOST).waitFor();
      await code(address, `berth serve --public-url ${nginx.url.otherHost}`).waitFor();
      await visit.close();
    });

    test('that drops the port, it says that $host does', async () => {
      const visit = await visitAt(nginx.url.noPort);
      const address = line(visit, 'Address');
      await address.getByText("without the port: nginx's $host has none").waitFor();
      await code(address, HOST).waitFor();
      await visit.close();
    });

    test('that limits bodies, it names the limit, whichever body meets it', async () => {
      const small = await visitAt(nginx.url.small, alice);
      const body = line(small, 'Large layers');
      await body.getByText(/^Wrong\./).waitFor();
      await code(body, UNLIMITED).waitFor();
      expect(await small.page.getByRole('button', { name: 'Try it with 200 MiB' }).count()).toBe(0);
      await small.close();

      const middling = await visitAt(nginx.url.middling, alice);
      await line(middling, 'Large layers').getByText('A body of 2 MiB came through.').waitFor();
      await middling.page.getByRole('button', { name: 'Try it with 200 MiB' }).click();
      await code(line(middling, 'Large layers'), UNLIMITED).waitFor();
      await middling.close();
    }, 60_000);

    test('that keeps /v2/ for itself, it says that Berth is not reached', async () => {
      const visit = await visitAt(nginx.url.gate);
      await line(visit, 'Log-in of clients')
        .getByText('Something other than Berth answers at /v2/ (status 200)')
        .waitFor();
      await visit.close();
    });
  });
});
