// packaging/compose.postgres.yaml, in a real Docker Engine, as docs/how-to/postgresql.md says. The image of PostgreSQL is made from Debian's package.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { requirePostgres } from '../support/postgres.ts';
import { eventually } from '../support/processes.ts';
import type { ServerEngine } from '../support/server-engine.ts';
import { type RunOptions, requireTools, run } from '../support/tools.ts';
import { type Place, testImage } from './place.ts';
import { loadPostgres } from './postgres-image.ts';

const canRun =
  requireTools('compose with PostgreSQL', ['openssl', 'ldd']) && requirePostgres('compose with PostgreSQL');
const root = new URL('../../', import.meta.url).pathname;
const FILES = ['compose.yaml', 'compose.postgres.yaml'];
const NAME = 'localhost:5000/anna/shop';
const PASSWORD = 'a long pass phrase';

const page = readFileSync(`${root}docs/how-to/postgresql.md`, 'utf8');
/** The commands of the page's last section, as somebody types them. */
const commands = (page.split('\n## With Docker Compose\n')[1]?.match(/^ {4}.*$/gm) ?? []).map((line) => line.trim());

export function composeWithPostgres(place: Place): void {
  describe.if(canRun)('compose with PostgreSQL', () => {
    let folder: string;
    const docker: ServerEngine['docker'] = (args, options) => place.engine.docker(args, options);
    const files = () => ['compose', ...FILES.flatMap((file) => ['-f', join(folder, file)])];
    const compose = (args: string[], options?: RunOptions) => docker([...files(), ...args], options);
    const sql = (statement: string) =>
      compose(['exec', '-T', 'database', 'psql', '-U', 'berth', '--no-psqlrc', '-At', '-c', statement]);
    const pullAndRun = async () => {
      await docker(['rmi', '--force', NAME]);
      return docker(['run', '--rm', '--network', 'none', NAME]);
    };

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'berth-compose-'));
      for (const file of FILES) copyFileSync(`${root}packaging/${file}`, join(folder, file));
      const service = z.object({ services: z.object({ database: z.looseObject({ image: z.string() }) }) });
      const { services } = service.parse(parse(readFileSync(join(folder, 'compose.postgres.yaml'), 'utf8')));
      await loadPostgres(place.engine, services.database.image);
      await docker(['rm', '--force', 'registry']);
    });
    afterAll(async () => {
      await compose(['down', '--volumes']);
      rmSync(folder, { recursive: true, force: true });
    });

    test('comes up healthy with the commands of the page', async () => {
      expect(commands.at(-1)).toStartWith('docker compose ');
      await run([...place.engine.nsenter, 'sh', '-ec', commands.join('\n')], {
        cwd: folder,
        env: place.engine.env,
        within: 170_000,
      });
      expect(statSync(join(folder, 'secrets')).mode & 0o777).toBe(0o700);
      const states = await compose(['ps', '--format', '{{.Service}} {{.Health}}']);
      expect(states.split('\n').sort()).toEqual(['database healthy', 'registry healthy']);
    });

    test('shows its password to nobody who looks at the containers', async () => {
      const password = readFileSync(join(folder, 'secrets/postgres-password'), 'utf8').trim();
      expect(password).toHaveLength(48);
      for (const name of ['berth-registry-1', 'berth-database-1'])
        expect(await docker(['inspect', name])).not.toContain(password);
      expect(await compose(['logs'])).not.toContain(password);
    });

    test('takes an account and a push, which are in PostgreSQL', async () => {
      const setup = ['exec', '-T', 'registry', 'berth', 'setup', '--username', 'anna', '--password-stdin'];
      await compose(setup, { stdin: PASSWORD });
      await docker(['login', '--username', 'anna', '--password-stdin', 'localhost:5000'], { stdin: PASSWORD });
      await docker(['tag', testImage, NAME]);
      await docker(['push', NAME]);
      await docker(['rmi', testImage]);
      expect(await pullAndRun()).toBe(place.prints);
      expect(await sql('select count(*) from tags')).toBe('1');
    });

    test('keeps what was pushed when the containers are removed and made anew', async () => {
      await compose(['down']);
      expect(await docker(['ps', '--all', '--quiet'])).toBe('');
      await compose(['up', '-d', '--wait']);
      expect(await pullAndRun()).toBe(place.prints);
      expect(await compose(['exec', '-T', 'registry', 'berth', 'verify', '--output', 'json'])).toContain('"blobs"');
    });

    test('is unhealthy without the database, and goes on by itself when that is back', async () => {
      await compose(['stop', 'database']);
      const check = await place.engine.tryDocker(['exec', 'berth-registry-1', 'berth', 'healthcheck']);
      expect(check.code).toBe(1);
      expect(check.stderr).toContain('/readyz: 503 ');
      await compose(['up', '-d', '--wait']);
      // A look-up of the name that began while there was none takes some seconds to fail, in each process.
      const answers = async (args: string[], wanted: string) =>
        (await place.engine.tryDocker(args)).stdout.trim() === wanted;
      const healthcheck = ['exec', 'berth-registry-1', 'berth', 'healthcheck'];
      await eventually('the registry is ready', 60_000, () => answers(healthcheck, 'ready'));
      await docker(['rmi', '--force', NAME]);
      const container = ['run', '--rm', '--network', 'none', NAME];
      await eventually('the image is pulled and runs', 60_000, () => answers(container, place.prints));
    });
  });
}
