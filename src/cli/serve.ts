import { networkInterfaces } from 'node:os';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { SETTINGS, type SettingName, type Settings } from '../config/settings.ts';
import { Supervisor } from '../workers/supervisor.ts';
import type { WorkerProcess } from '../workers/worker-process.ts';
import { addSettings, settingsOf } from './usage.ts';

export function register(program: Command, finish: (code: number) => void, firstWorker?: WorkerProcess): void {
  const command = program
    .command('serve')
    .summary('run the registry')
    .description('Run the registry. SIGTERM lets running transfers finish, then ends.');
  addSettings(command, Object.keys(SETTINGS) as SettingName[]).action(async () =>
    finish(await serve(settingsOf(command), firstWorker)),
  );
}

async function serve(settings: Settings, firstWorker: WorkerProcess | undefined): Promise<number> {
  const starting = Supervisor.start({ ...settings, data: resolve(settings.data) }, firstWorker);
  let supervisor: Supervisor | undefined;
  // Before every worker serves there is nothing to wait for but what the first ones began: they end with this process.
  const stop = () => (supervisor === undefined ? process.exit(0) : void supervisor.stop());
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, stop);
  supervisor = await starting;
  process.stdout.write(banner(supervisor.settings, supervisor.setup));
  return supervisor.ended;
}

function banner(settings: Settings, setup: string | undefined): string {
  const { port, host, data, anonymous } = settings;
  const local = host === '::' || host === '0.0.0.0' || host.startsWith('127.') ? 'localhost' : host;
  const address = settings.publicUrl ?? `http://${local}:${port}`;
  const registry = new URL(address).host;
  const push = `  docker tag ubuntu ${registry}/ubuntu\n  docker push ${registry}/ubuntu\n`;
  const others = settings.publicUrl === undefined && local === 'localhost' ? elsewhere(port) : '';
  const link = `Make the first account, an administrator, here (the link works once):\n  ${address}/setup?secret=${setup}\n`;
  const login = `Log in and push:\n  docker login ${registry}\n  docker tag ubuntu ${registry}/USERNAME/ubuntu\n  docker push ${registry}/USERNAME/ubuntu\n`;
  const closed = setup === undefined ? login : link;
  return `Berth serves ${address} with ${settings.workers} worker(s)
Data: ${data}${settings.database === undefined ? '' : ' (blobs), PostgreSQL (everything else)'}

${anonymous === 'push' ? `A first push to try:\n${push}${setup === undefined ? '' : `\n${link}`}` : closed}${others}`;
}

/** Over plain HTTP from another machine Docker wants to be told. */
function elsewhere(port: number): string {
  const address = Object.values(networkInterfaces())
    .flat()
    .find((found) => found !== undefined && found.family === 'IPv4' && !found.internal)?.address;
  if (address === undefined) return '';
  return `\nFrom another machine over plain HTTP, Docker needs this in /etc/docker/daemon.json (then restart it):\n  { "insecure-registries": ["${address}:${port}"] }\n`;
}
