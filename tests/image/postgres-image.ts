// An image that stands for `postgres` of Docker Hub, which cannot be had here: Debian's PostgreSQL, begun by the same variables.
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { postgresTool } from '../support/postgres.ts';
import type { ServerEngine } from '../support/server-engine.ts';
import { run } from '../support/tools.ts';

/** As the official image's: makes the database once, without the network, then serves. */
const ENTRYPOINT = `#!/bin/sh
set -e
export PGDATA=/var/lib/postgresql/data
if [ "$(id -u)" = 0 ]; then
  mkdir -p "$PGDATA" /run/postgresql
  chown -R postgres "$PGDATA" /run/postgresql
  chmod 700 "$PGDATA"
  exec /usr/bin/setpriv --reuid=999 --regid=999 --clear-groups "$0"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  cat "$POSTGRES_PASSWORD_FILE" > /tmp/password
  initdb --no-sync --username "$POSTGRES_USER" --pwfile /tmp/password --auth-local trust --auth-host scram-sha-256 --no-locale --encoding UTF8
  rm /tmp/password
  echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
  pg_ctl --wait --options "-c listen_addresses=''" start
  createdb --username "$POSTGRES_USER" "$POSTGRES_USER"
  pg_ctl --wait --mode fast stop
fi
exec postgres -c 'listen_addresses=*'
`;

/** Gives an engine the image under `name`. */
export async function loadPostgres(engine: ServerEngine, name: string): Promise<void> {
  const bin = dirname(postgresTool('postgres') ?? '');
  const version = dirname(bin);
  const root = mkdtempSync(join(tmpdir(), 'berth-postgres-image-'));
  try {
    const copy = (path: string) => {
      if (existsSync(path)) cpSync(path, join(root, path), { recursive: true, dereference: true });
    };
    for (const folder of ['bin', 'tmp', 'usr/bin', 'run', 'var']) mkdirSync(join(root, folder), { recursive: true });
    chmodSync(join(root, 'tmp'), 0o1777);
    symlinkSync('/run', join(root, 'var/run'));
    const programs = ['postgres', 'initdb', 'pg_ctl', 'pg_isready', 'psql', 'createdb'].map((each) => join(bin, each));
    // Debian's links of the programs lead to scripts that choose a version.
    const setpriv = '/usr/bin/setpriv';
    const links = await run(['ldd', ...programs, setpriv, join(version, 'lib/dict_snowball.so')]);
    const libraries = new Set([...links.matchAll(/(\/\S+\.so\S*) \(0x/g)].map(([, path = '']) => path));
    for (const path of [...programs, setpriv, ...libraries]) copy(path);
    for (const path of [join(version, 'lib'), version.replace('/lib/', '/share/'), '/usr/share/zoneinfo']) copy(path);
    copy('/bin/busybox');
    for (const applet of ['sh', 'cat', 'id', 'mkdir', 'chown', 'chmod', 'rm'])
      symlinkSync('busybox', join(root, 'bin', applet));
    mkdirSync(join(root, 'etc'), { recursive: true });
    writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0::/:/bin/sh\npostgres:x:999:999::/var/lib/postgresql:/bin/sh\n');
    writeFileSync(join(root, 'entrypoint'), ENTRYPOINT, { mode: 0o755 });
    const archive = `${root}.tar`;
    await run(['tar', '--create', '--numeric-owner', `--file=${archive}`, `--directory=${root}`, '.']);
    const changes = [`ENV PATH=${bin}:/usr/bin:/bin`, 'ENTRYPOINT ["/entrypoint"]', 'STOPSIGNAL SIGINT'];
    await engine.docker(['import', ...changes.flatMap((change) => ['--change', change]), archive, name]);
    rmSync(archive);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
