// Images of real use for deployments: a web service in versions good and bad, a reverse proxy to stand before it, and a
// database that must never be replaced by accident. Their programs are this machine's nginx and busybox.
import { copyFileSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { cached, type TestImage } from './images.ts';
import type { Layer, OciLayout } from './oci-layout.ts';
import { findTool, run } from './tools.ts';

/** What the images are made of, for `requireTools`. */
export const webImageTools = ['nginx', '/bin/busybox', 'skopeo', 'ldd'];

export interface WebVersion {
  /** What it answers at `/`. */
  version: string;
  /**
   * `good`: `/` answers the version, and it is healthy a second after its start. `unhealthy`: `/` and `/health` answer an error
   * from the start. `exits`: says so and ends at once. `sickens`: good, and 3 s after its start its `/health` fails while `/`
   * goes on. `ruins`: leaves in the volume at `/data` what keeps every version from starting, and ends. Good unless told.
   */
  behaviour?: 'good' | 'unhealthy' | 'exits' | 'sickens' | 'ruins';
}

/** Raise it when a recipe below changes. */
const RECIPE = 3;

/** The HEALTHCHECK of all of them: healthy 1 s after the start, unhealthy 2 s after it. */
const everySecond = (...command: string[]) => ({
  Test: ['CMD', ...command],
  Interval: 1_000_000_000,
  Timeout: 2_000_000_000,
  Retries: 2,
});
const askHealth = ['busybox', 'wget', '-q', '-O', '/dev/null', 'http://127.0.0.1/health'];

/** An nginx that ends what it answers before it ends itself. */
const nginxConfig = {
  ExposedPorts: { '80/tcp': {} },
  StopSignal: 'SIGQUIT',
  Healthcheck: everySecond(...askHealth),
};

/** The web service, about 8 MB; one version differs from another in its last layer alone, of a few hundred bytes. */
export function webImage(version: WebVersion): Promise<TestImage> {
  const name = `web-${version.version}-${version.behaviour ?? 'good'}-r${RECIPE}`;
  return cached(name, async (layout, work) => {
    const layers = [await nginxLayer(layout, work), await filesLayer(layout, work, webFiles(version))];
    const annotations = { 'org.opencontainers.image.version': version.version };
    const manifest = layout.addImage(layers, { command: ['/start'], config: nginxConfig, annotations });
    return { layers, manifest, prints: version.version };
  })();
}

/** What the web image is without its version: for a Dockerfile's FROM. */
export const webBaseImage = cached(`web-base-r${RECIPE}`, async (layout, work) => {
  const layers = [await nginxLayer(layout, work)];
  return { layers, manifest: layout.addImage(layers, { command: ['/start'] }), prints: '' };
});

/** Writes what `docker build` needs to make a version from the base image, which the engine knows as `base`. */
export function writeBuildContext(folder: string, base: string, version: WebVersion): void {
  mkdirSync(folder, { recursive: true });
  for (const [path, { content, mode }] of Object.entries(webFiles(version))) {
    writeFileSync(join(folder, path.slice(1).replaceAll('/', '-')), content, { mode });
  }
  writeFileSync(
    join(folder, 'Dockerfile'),
    `FROM ${base}
COPY nginx.conf /nginx.conf
COPY start /start
EXPOSE 80
STOPSIGNAL SIGQUIT
HEALTHCHECK --interval=1s --timeout=2s --retries=2 CMD ["${askHealth.join('", "')}"]
CMD ["/start"]
`,
  );
}

/**
 * nginx before the service `web`, whose name it asks for again every second. What the service's containers cannot answer, it
 * asks the next one of them.
 */
export const frontImage = cached(`front-r${RECIPE}`, async (layout, work) => {
  const proxy = `
    location = /health { return 200 "ok\\n"; }
    location / {
      set $service http://web:80;
      proxy_pass $service$request_uri;
      proxy_connect_timeout 300ms;
      proxy_read_timeout 5s;
      proxy_next_upstream error timeout http_500 http_502 http_503 http_504;
      proxy_next_upstream_tries 4;
      add_header X-Upstream $upstream_addr always;
    }`;
  const layers = [
    await nginxLayer(layout, work),
    await filesLayer(layout, work, {
      '/nginx.conf': { content: nginxFile('resolver 127.0.0.11 valid=1s ipv6=off; resolver_timeout 1s;', proxy) },
      '/start': { content: '#!/bin/sh\nexec nginx -c /nginx.conf\n', mode: 0o755 },
    }),
  ];
  return { layers, manifest: layout.addImage(layers, { command: ['/start'], config: nginxConfig }), prints: '' };
});

/** Keeps a line for each of its starts in `/data/starts`, where a volume belongs. */
export const databaseImage = cached(`database-r${RECIPE}`, async (layout, work) => {
  const start = `#!/bin/sh
trap 'exit 0' TERM
mkdir -p /data
echo started >> /data/starts
while :; do sleep 1000 & wait $!; done
`;
  const layers = [
    await busyboxOnly(layout, work),
    await filesLayer(layout, work, { '/start': { content: start, mode: 0o755 } }),
  ];
  const config = { Healthcheck: everySecond('busybox', 'test', '-s', '/data/starts') };
  return { layers, manifest: layout.addImage(layers, { command: ['/start'], config }), prints: '' };
});

/** Pushes an image as `HOST/alice/web:1.0`, over plain HTTP, through skopeo. */
export async function pushImage(image: TestImage, name: string, login?: { username: string; secret: string }) {
  const creds = login === undefined ? [] : ['--dest-creds', `${login.username}:${login.secret}`];
  await run(['skopeo', 'copy', '--quiet', '--dest-tls-verify=false', ...creds, image.source, `docker://${name}`]);
}

/** Gives an engine the image without a registry. */
export async function loadImage(
  engine: { root: string; docker: (args: string[]) => Promise<string> },
  image: TestImage,
  name: string,
): Promise<void> {
  const archive = join(engine.root, `load-${crypto.randomUUID()}.tar`);
  await run(['skopeo', 'copy', '--quiet', image.source, `docker-archive:${archive}:${name}`]);
  await engine.docker(['load', '--quiet', '--input', archive]);
  await run(['rm', archive]);
}

type Files = Record<string, { content: string; mode?: number }>;

function webFiles({ version, behaviour = 'good' }: WebVersion): Files {
  const answers = {
    good: `location = /health { return 200 "ok\\n"; } location / { return 200 "${version}\\n"; }`,
    unhealthy: `location / { return 503 "${version} is broken\\n"; }`,
    exits: '',
    ruins: '',
    sickens: `location = /health { if (-f /tmp/sick) { return 500 "sick\\n"; } return 200 "ok\\n"; } location / { return 200 "${version}\\n"; }`,
  };
  const unruined = `if [ -e /data/ruined ]; then echo "${version} cannot read /data" >&2; exit 1; fi`;
  const before = {
    good: `echo "${version} starts"`,
    unhealthy: `echo "${version} cannot reach its database" >&2`,
    exits: `echo "${version} cannot read its settings" >&2; exit 1`,
    ruins: `: > /data/ruined; echo "${version} half migrated /data" >&2; exit 1`,
    sickens: `echo "${version} starts"; (sleep 3; : > /tmp/sick; echo "${version} sickens" >&2) &`,
  };
  return {
    '/nginx.conf': { content: nginxFile('', answers[behaviour]) },
    '/start': { content: `#!/bin/sh\n${unruined}\n${before[behaviour]}\nexec nginx -c /nginx.conf\n`, mode: 0o755 },
  };
}

function nginxFile(http: string, server: string): string {
  return `user root;
daemon off;
worker_processes 1;
pid /run/nginx.pid;
error_log /dev/stderr warn;
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path /tmp/body; proxy_temp_path /tmp/proxy; fastcgi_temp_path /tmp/fastcgi;
  uwsgi_temp_path /tmp/uwsgi; scgi_temp_path /tmp/scgi;
  ${http}
  server {
    listen 80 default_server;
    ${server}
  }
}
`;
}

async function filesLayer(layout: OciLayout, work: string, files: Files): Promise<Layer> {
  const root = join(work, `files-${crypto.randomUUID()}`);
  for (const [path, { content, mode = 0o644 }] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content, { mode });
  }
  return await layout.addDirectory(root);
}

function putBusybox(root: string): void {
  for (const folder of ['bin', 'tmp', 'run']) mkdirSync(join(root, folder), { recursive: true });
  copyFileSync('/bin/busybox', join(root, 'bin/busybox'));
  for (const applet of ['sh', 'cat', 'echo', 'ls', 'sleep', 'mkdir', 'rm'])
    symlinkSync('busybox', join(root, 'bin', applet));
}

async function busyboxOnly(layout: OciLayout, work: string): Promise<Layer> {
  const root = join(work, 'busybox-root');
  putBusybox(root);
  return await layout.addDirectory(root);
}

/** nginx with the libraries it is linked to, and busybox for a shell and wget. */
async function nginxLayer(layout: OciLayout, work: string): Promise<Layer> {
  const root = join(work, 'nginx-root');
  putBusybox(root);
  const nginx = findTool('nginx');
  if (nginx === undefined) throw new Error('nginx is not here');
  const linked = await run(['ldd', nginx]);
  const libraries = [...linked.matchAll(/(?:=> )?(\/\S+) \(0x/g)].map((found) => found[1] ?? '');
  for (const file of [nginx, ...libraries]) {
    const place = join(root, file);
    mkdirSync(dirname(place), { recursive: true });
    copyFileSync(realpathSync(file), place);
  }
  mkdirSync(join(root, 'etc'));
  for (const folder of ['var/lib/nginx', 'var/log/nginx', 'var/lock'])
    mkdirSync(join(root, folder), { recursive: true });
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n');
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\nnogroup:x:65534:\n');
  return await layout.addDirectory(root);
}
