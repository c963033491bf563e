import { spawnSync } from 'node:child_process';

/** Runs a program to its end and returns its standard output. @throws with what it said when it fails */
export function runProgram(command: string[], cwd?: string): string {
  const [program = '', ...args] = command;
  const { error, status, stdout, stderr } = spawnSync(program, args, {
    encoding: 'utf8',
    maxBuffer: 64 << 20,
    ...(cwd === undefined ? {} : { cwd }),
  });
  if (error !== undefined) throw new Error(`${program} can not be run (${error.message})`);
  if (status !== 0) throw new Error(`${command.join(' ')}: exit code ${status}\n${stderr}`);
  return stdout;
}
