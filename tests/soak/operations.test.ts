// Everything that an instance does in years, at once for a minute (BERTH_SOAK_MINUTES=60: for an hour), with workers that are killed.
import { expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ManagementClient } from '../../src/client/management.ts';
import { berth, type RunningBerth, startBerth } from '../support/berth.ts';
import { eventually, isAlive, started, workersOf } from '../support/processes.ts';
import { Random, seedOf } from '../support/random.ts';
import { Receiver } from '../webhooks/receiver.ts';
import { Operations } from './operations.ts';
import { Operator } from './operator.ts';
import { type Figures, figuresOf, thirds } from './process-figures.ts';

const MINUTES = Number(process.env.BERTH_SOAK_MINUTES ?? 1.25);
const MS = MINUTES * 60_000;
const PASSWORD = 'correct horse battery';
/** What a process may have more in the last third than in the first: the first includes what it takes to get warm. */
const MORE_MEGABYTES = 150;
const MORE_DESCRIPTORS = 20;

/** A server with an account, and an operator that acts for it with a token. */
async function begin(data: string): Promise<{ server: RunningBerth; operator: Operator }> {
  const setup = ['setup', '--data', data, '--username', 'alice', '--password-stdin'];
  const made = await berth(setup, { stdin: PASSWORD });
  if (made.code !== 0) throw new Error(made.stderr);
  const flags = ['--gc-interval', '0s', '--log-level', 'warn', ...Operations.windows];
  const server = await startBerth({ data, args: ['--anonymous', 'none', '--workers', '2', ...flags] });
  await started(server);
  const client = new ManagementClient(server.url, { kind: 'password', username: 'alice', password: PASSWORD });
  const { secret } = await client.tokens.create({ name: 'soak', level: 'admin' });
  return { server, operator: new Operator(server.url, secret) };
}

async function expectVerified(data: string): Promise<void> {
  const { code, stdout, stderr } = await berth(['verify', '--data', data, '--output', 'json']);
  expect([code, (JSON.parse(stdout) as { faults: unknown[] }).faults, stderr]).toEqual([0, [], '']);
}

test(
  'a server that does everything at once, and whose workers are killed, fails nobody and grows in nothing',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'berth-operations-'));
    const data = join(folder, 'data');
    const receiver = await Receiver.start();
    const random = new Random(seedOf('operations'));
    let server: RunningBerth | undefined;
    try {
      const begun = await begin(data);
      server = begun.server;
      const { operator } = begun;
      const operations = new Operations({ operator, receiver, random, data, backups: join(folder, 'backups') });
      await operations.prepare();

      // One worker is never killed: what a process grows by is seen in it and in the supervisor.
      const [survivor = 0] = workersOf(server.pid);
      const supervisor = server.pid;
      const samples: Record<'worker' | 'supervisor', Figures[]> = { worker: [], supervisor: [] };
      let kills = 0;
      const beside = {
        sample: async () => {
          samples.worker.push(figuresOf(survivor));
          samples.supervisor.push(figuresOf(supervisor));
          await Bun.sleep(1_000);
        },
        kill: async () => {
          await Bun.sleep(7_000);
          const victims = workersOf(supervisor).filter((pid) => pid !== survivor);
          for (const pid of victims) process.kill(pid, 'SIGKILL');
          kills += victims.length;
        },
      };
      await operations.run(MS, Object.values(beside));
      await eventually('two workers serve', 60_000, () => workersOf(supervisor).length === 2);

      const figures = { worker: thirds(samples.worker), supervisor: thirds(samples.supervisor) };
      const { counts } = operations;
      const { requests, cutOff } = operator;
      console.error(`operations: ${JSON.stringify({ requests, cutOff, kills, ...counts, figures })}`);
      expect(isAlive(survivor)).toBe(true);
      for (const { first, last } of Object.values(figures)) {
        expect(last.megabytes).toBeLessThan(first.megabytes + MORE_MEGABYTES);
        expect(last.descriptors).toBeLessThan(first.descriptors + MORE_DESCRIPTORS);
      }
      // Or nothing was shown.
      expect(kills).toBeGreaterThan(MINUTES);
      for (const [what, count] of Object.entries(counts)) expect([what, count > 0]).toEqual([what, true]);

      await operations.expectAcknowledged(operator);
      await operations.expectDelivered();
      await expectVerified(data);

      const restored = join(folder, 'restored');
      const backup = operations.lastBackup;
      const done = await berth(['restore', operations.backups, '--backup', backup.id, '--data', restored]);
      expect([done.code, done.stdout]).toEqual([0, expect.stringContaining('all is well')]);
      await server.stop();
      server = await startBerth({ data: restored, port: server.port, args: ['--anonymous', 'none'] });
      for (const [name, image] of backup.kept) await operator.pull(...splitName(name), image);
      expect(backup.kept.size).toBeGreaterThan(0);
    } catch (error) {
      console.error(`operations: the server last said:\n${server?.output().slice(-3_000)}`);
      throw error;
    } finally {
      await server?.stop();
      await receiver.down();
      rmSync(folder, { recursive: true, force: true });
    }
  },
  MS * 2 + 240_000,
);

function splitName(name: string): [string, string] {
  const colon = name.lastIndexOf(':');
  return [name.slice(0, colon), name.slice(colon + 1)];
}
