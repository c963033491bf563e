import type { Command } from 'commander';
import { addServerOptions, type Connected, connect, type ServerOptions } from './connect.ts';

/** What a subcommand works with: the server, whether it answers in JSON, and its flags. */
export type Call<Options = unknown> = Connected & { options: Options };

type Run<Options> = (call: Call<Options>, ...args: string[]) => Promise<void>;

/** Adds a subcommand that talks to a server; `flags` adds what is its own. */
export type AddSubcommand = <Options>(
  usage: string,
  description: string,
  run: Run<Options>,
  flags?: (command: Command) => Command,
) => void;

/** A command that has subcommands, such as `berth user`. */
export function commandGroup(
  program: Command,
  finish: (code: number) => void,
  { name, summary, description }: { name: string; summary: string; description: string },
): AddSubcommand {
  const group = program.command(name).summary(summary).description(description);
  return <Options>(usage: string, text: string, run: Run<Options>, flags = (command: Command) => command) => {
    const command = addServerOptions(flags(group.command(usage).description(text)));
    command.action(async () => {
      const options = command.opts<Options & ServerOptions>();
      await run({ ...connect(options), options }, ...command.args);
      finish(0);
    });
  };
}

/** A command of its own that talks to a server, such as `berth deploy`; what `run` returns is its exit code. */
export function singleCommand<Options>(
  program: Command,
  finish: (code: number) => void,
  { usage, summary, description }: { usage: string; summary: string; description: string },
  run: (call: Call<Options>, args: string[]) => Promise<number>,
  flags: (command: Command) => Command,
): void {
  const command = addServerOptions(flags(program.command(usage).summary(summary).description(description)));
  command.action(async () => {
    const options = command.opts<Options & ServerOptions>();
    finish(await run({ ...connect(options), options }, command.args));
  });
}
