import { resolve } from 'node:path';
import type { Command } from 'commander';
import { checkHttps, servesHttps } from '../config/https.ts';
import { SETTINGS, type SettingName, type Settings } from '../config/settings.ts';
import { tracingOptions } from '../config/tracing.ts';
import { daemonJson } from '../doctor/plain-http.ts';
import { createLog } from '../log.ts';
import { backupPlan } from '../workers/backup-plan.ts';
import { checkFileTls } from '../workers/https.ts';
import { Supervisor } from '../workers/supervisor.ts';
import type { WorkerProcess } from '../workers/worker-process.ts';
import { plainRegistry } from './plain-registry.ts';
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
  checkHttps(settings);
  backupPlan(settings, process.env);
  const tls = await checkFileTls(settings);
  tracingOptions(settings, process.env);
  const starting = Supervisor.start({ ...settings, data: resolve(settings.data) }, firstWorker);
  let supervisor: Supervisor | undefined;
  // Before every worker serves there is nothing to wait for but what the first ones began: they end with this process.
  const stop = () => (supervisor === undefined ? process.exit(0) : void supervisor.stop());
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, stop);
  supervisor = await starting;
  process.stdout.write(banner(supervisor.settings, supervisor.setup, tls?.material.names ?? settings.acmeDomains));
  const plain = plainRegistry(supervisor.settings);
  if (plain !== undefined) {
    const log = createLog(settings.logLevel, { worker: 0 });
    log.info(
      { registry: plain, daemonJson: daemonJson(plain) },
      'plain http: docker on other machines needs this in its daemon.json',
    );
  }
  return supervisor.ended;
}

/** @param names of the certificate */
function banner(settings: Settings, setup: string | undefined, names: readonly string[] = []): string {
  const { port, host, data, anonymous } = settings;
  const local = host === '::' || host === '0.0.0.0' || host.startsWith('127.') ? 'localhost' : host;
  const https = servesHttps(settings);
  const address = settings.publicUrl ?? (https ? httpsAddress(names, local, port) : `http://${local}:${port}`);
  const registry = new URL(address).host;
  const push = `  docker tag ubuntu ${registry}/ubuntu\n  docker push ${registry}/ubuntu\n`;
  const plain = plainRegistry(settings);
  const others = plain === undefined ? '' : elsewhere(plain);
  const link = `Make the first account, an administrator, here (the link works once):\n  ${address}/setup?secret=${setup}\n`;
  const login = `Log in and push:\n  docker login ${registry}\n  docker tag ubuntu ${registry}/USERNAME/ubuntu\n  docker push ${registry}/USERNAME/ubuntu\n`;
  const closed = setup === undefined ? login : link;
  return `Berth serves ${address} with ${settings.workers} worker(s)
Data: ${data}${settings.database === undefined ? '' : ' (blobs), PostgreSQL (everything else)'}

${anonymous === 'push' ? `A first push to try:\n${push}${setup === undefined ? '' : `\n${link}`}` : closed}${others}`;
}

/** By a name that the certificate is for, so that clients take it. */
function httpsAddress(names: readonly string[], local: string, port: number): string {
  const name = names.find((candidate) => !candidate.startsWith('*') && !candidate.includes(':')) ?? local;
  return `https://${name}${port === 443 ? '' : `:${port}`}`;
}

/** Over plain HTTP from another machine Docker wants to be told. */
function elsewhere(registry: string): string {
  const json = daemonJson(registry).replaceAll(/^/gm, '  ');
  return `\nFrom another machine over plain HTTP, Docker needs this in /etc/docker/daemon.json (then reload it: sudo systemctl reload docker):\n${json}\n`;
}
