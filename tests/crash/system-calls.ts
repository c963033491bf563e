// What strace wrote (`-f -y`), as calls with a beginning and an end in one order over all threads.

export interface SystemCall {
  name: string;
  /** With `-y` a file descriptor stands as `12</path>`. */
  args: string;
  /** Places in the one order of all beginnings and ends. */
  begun: number;
  ended: number;
}

export function parseCalls(trace: string): SystemCall[] {
  const calls: SystemCall[] = [];
  const open = new Map<string, SystemCall>();
  for (const [at, line] of trace.split('\n').entries()) {
    const [, thread = '', rest = ''] = /^(\d+) +(.*)$/.exec(line) ?? [];
    const resumed = /^<\.\.\. (\w+) resumed>(.*)$/.exec(rest);
    if (resumed !== null) {
      const call = open.get(thread);
      open.delete(thread);
      if (call !== undefined) {
        call.ended = at;
        call.args += resumed[2] ?? '';
      }
      continue;
    }
    const [, name, args = ''] = /^(\w+)\((.*)$/.exec(rest) ?? [];
    if (name === undefined) continue;
    const call: SystemCall = { name, args, begun: at, ended: at };
    calls.push(call);
    if (args.includes('<unfinished ...>')) {
      call.ended = Number.POSITIVE_INFINITY;
      open.set(thread, call);
    }
  }
  return calls;
}

/** The first call that begins after `after` ended and is one of `names` with `pattern` in its arguments. */
export function next(
  calls: readonly SystemCall[],
  after: SystemCall | undefined,
  names: readonly string[],
  pattern: RegExp,
): SystemCall {
  const from = after?.ended ?? -1;
  const found = calls.find((call) => call.begun > from && names.includes(call.name) && pattern.test(call.args));
  if (found !== undefined) return found;
  const seen = calls.filter((call) => names.includes(call.name)).map((call) => `${call.name}(${call.args}`);
  throw new Error(
    `no ${names.join('/')} of ${pattern} after ${after?.name ?? 'the start'}(${after?.args ?? ''}\n${seen.join('\n')}`,
  );
}
