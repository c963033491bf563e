import { UsageError } from './usage.ts';

const MOST_BYTES = 4_096;

/**
 * A password or token: from standard input without its line end, or typed on the terminal without being shown.
 *
 * @param option the flag that says to read standard input, for the message
 * @throws UsageError when there is neither
 */
export async function readSecret(prompt: string, fromInput: boolean, option = '--password-stdin'): Promise<string> {
  if (fromInput) return readInput();
  if (!process.stdin.isTTY) throw new UsageError(`there is no terminal to ask on: pipe it in with ${option}`);
  return readTyped(prompt);
}

async function readInput(): Promise<string> {
  let text = '';
  for await (const chunk of process.stdin) {
    text += String(chunk);
    if (text.length > MOST_BYTES) throw new UsageError('standard input: longer than any password');
  }
  const secret = text.replace(/\r?\n$/, '');
  if (secret === '') throw new UsageError('standard input: empty');
  return secret;
}

function readTyped(prompt: string): Promise<string> {
  const { stdin } = process;
  stdin.setRawMode(true);
  // Only now: what is typed after it is not shown.
  process.stderr.write(prompt);
  stdin.resume();
  let text = '';
  return new Promise((resolve, reject) => {
    const end = (work: () => void) => {
      stdin.setRawMode(false);
      stdin.pause();
      stdin.off('data', take);
      process.stderr.write('\n');
      work();
    };
    const take = (chunk: Buffer) => {
      for (const character of chunk.toString('utf8')) {
        if (character === '\r' || character === '\n') return end(() => resolve(text));
        if (character === '\u0003' || character === '\u0004') return end(() => reject(new UsageError('given up')));
        if (character === '\u007f' || character === '\b') text = text.slice(0, -1);
        else text += character;
      }
      return undefined;
    };
    stdin.on('data', take);
  });
}
