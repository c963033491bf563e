// Certificates from Caddy's private authority (smallstep's ACME server), which looks at port 80: in a network of its own, which has nothing but loopback.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findTool, requireTools, tryRun } from '../support/tools.ts';

const root = new URL('../..', import.meta.url).pathname;
const here = requireTools("Caddy's private authority", ['root', 'caddy', 'curl', 'unshare', 'ip']);

describe.skipIf(!here)('a private authority', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'berth-acme-caddy-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('gives a certificate for a name of the network, which its root vouches for', async () => {
    const caddyfile = join(folder, 'Caddyfile');
    const store = join(folder, 'store');
    writeFileSync(
      caddyfile,
      `{
	admin off
	auto_https disable_redirects
	skip_install_trust
	storage file_system ${store}
	http_port 8180
	https_port 9443
}
https://127.0.0.1:9443 {
	tls internal
	acme_server
}
`,
    );
    const authority = join(store, 'pki/authorities/local/root.crt');
    const directory = 'https://127.0.0.1:9443/acme/local/directory';
    const script = `set -eu
ip link set lo up
export HOME='${folder}' XDG_DATA_HOME='${folder}/data' XDG_CONFIG_HOME='${folder}/config'
'${findTool('caddy')}' run --config '${caddyfile}' >'${folder}/caddy.log' 2>&1 &
caddy=$!
berth=
trap 'kill $caddy $berth; wait' EXIT
ask() { curl --silent --fail --noproxy '*' --max-time 5 --cacert '${authority}' "$@"; }
until ask --output /dev/null '${directory}'; do sleep 0.1; done
'${root}/bin/berth' serve --data '${folder}/berth' --host 127.0.0.1 --port 5443 --http-port 80 --workers 2 \\
  --acme-domains localhost --acme-directory '${directory}' --acme-ca '${authority}' >'${folder}/berth.log' 2>&1 &
berth=$!
until ask https://localhost:5443/livez; do sleep 0.1; done
echo
ask --output /dev/null --write-out '%{redirect_url}' http://localhost/setup
`;
    const { stdout, stderr, code } = await tryRun(['unshare', '--net', 'sh', '-c', script], { within: 60_000 });
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stdout.split('\n')).toEqual(['{"status":"ok"}', 'https://localhost:5443/setup']);
    expect(await Bun.file(join(folder, 'berth.log')).text()).toContain('a certificate was issued');
  }, 90_000);
});
