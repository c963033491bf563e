#!/usr/bin/env bun
import { WorkerProcess } from './workers/worker-process.ts';

async function main(args: string[]): Promise<void> {
  // `berth … | head` reads no more than it wants.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  const serves = args[0] === 'serve' && !args.includes('--help') && !args.includes('-h');
  // Loads while the rest of this file's work is done.
  const firstWorker = serves ? new WorkerProcess() : undefined;
  const { run } = await import('./cli/run.ts');
  process.exitCode = await run(args, firstWorker).finally(() => firstWorker?.kill());
}

void main(process.argv.slice(2));
