import type { Command } from 'commander';
import { addServerOptions, connect, type ServerOptions } from './connect.ts';
import { note, report, safe } from './terminal.ts';

export function register(program: Command, finish: (code: number) => void): void {
  const command = program
    .command('whoami')
    .summary('say who you are on the server')
    .description('Say who you are on the server, and what your token allows. Exit code 1 when you are not logged in.');
  addServerOptions(command).action(async (options: ServerOptions) => finish(await whoami(options)));
}

async function whoami(options: ServerOptions): Promise<number> {
  const { client, json } = connect(options);
  const caller = await client.instance.caller();
  const loggedIn = caller.kind !== 'anonymous';
  report(json, { server: client.server, ...caller }, safe(caller.name));
  if (!loggedIn) note(`not logged in at ${client.server}: berth login ${client.server}`);
  else if (!json) {
    note(
      `${caller.administrator ? 'administrator' : caller.kind} at ${client.server}, with a token of level ${caller.level}`,
    );
  }
  return loggedIn ? 0 : 1;
}
