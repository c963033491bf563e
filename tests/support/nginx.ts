// A real nginx on loopback in front of a server, with a site for each way to configure it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CertificateOptions, makeCertificate } from './certificates.ts';
import { freePort } from './ports.ts';
import { eventually } from './processes.ts';
import { findTool } from './tools.ts';

export interface Site {
  /** Over HTTPS, with a certificate that nobody has signed; with another one than for this address when it is told. */
  tls?: boolean | CertificateOptions;
  /** Lines of the `server` block. */
  server?: readonly string[];
  /** Lines of its `location /`. */
  location: readonly string[];
}

export interface RunningNginx<Name extends string> {
  /** Where each site is: `https://127.0.0.1:40001`. */
  url: Record<Name, string>;
  /** The file of the certificate that a site has unless it has another one. */
  certificate: string;
  stop: () => Promise<void>;
}

/** @param upstream `127.0.0.1:5000` */
export async function startNginx<Name extends string>(
  upstream: string,
  sites: Record<Name, Site>,
): Promise<RunningNginx<Name>> {
  const root = mkdtempSync(join(tmpdir(), 'berth-nginx-'));
  const certificate = join(root, 'certificate.pem');
  await makeCertificate(certificate, join(root, 'certificate.key'));

  const url = {} as Record<Name, string>;
  const blocks: string[] = [];
  for (const [name, site] of Object.entries(sites) as [Name, Site][]) {
    const port = await freePort();
    url[name] = `${site.tls ? 'https' : 'http'}://127.0.0.1:${port}`;
    const own = typeof site.tls === 'object' ? name : 'certificate';
    if (typeof site.tls === 'object')
      await makeCertificate(join(root, `${own}.pem`), join(root, `${own}.key`), site.tls);
    const tls = [`ssl_certificate ${own}.pem;`, `ssl_certificate_key ${own}.key;`];
    blocks.push(
      [
        'server {',
        `listen 127.0.0.1:${port}${site.tls ? ' ssl' : ''};`,
        ...(site.tls ? tls : []),
        ...(site.server ?? []),
        'location / {',
        `proxy_pass http://${upstream};`,
        'proxy_http_version 1.1;',
        ...site.location,
        '}',
        '}',
      ].join('\n'),
    );
  }
  const folders = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${kind};`);
  const configuration = [
    ...(process.getuid?.() === 0 ? ['user root;'] : []),
    'daemon off;',
    'worker_processes 1;',
    'pid nginx.pid;',
    'events {}',
    `http { access_log off; ${folders.join(' ')}`,
    ...blocks,
    '}',
  ].join('\n');
  writeFileSync(join(root, 'nginx.conf'), configuration);
  const child = Bun.spawn([findTool('nginx') ?? 'nginx', '-p', root, '-c', 'nginx.conf', '-e', 'errors.log'], {
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: Bun.file(join(root, 'stderr')),
  });
  const stop = async () => {
    child.kill('SIGTERM');
    await child.exited;
    rmSync(root, { recursive: true, force: true });
  };
  const [anyone] = Object.values<string>(url);
  try {
    await eventually('nginx answers', 30_000, async () => {
      if (child.exitCode !== null) throw new Error(`nginx ended: ${await Bun.file(join(root, 'stderr')).text()}`);
      const answer = await fetch(anyone ?? '', { tls: { rejectUnauthorized: false } }).catch(() => undefined);
      return answer?.ok ?? false;
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, certificate, stop };
}
