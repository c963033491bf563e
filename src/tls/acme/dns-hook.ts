import { AcmeFailure } from './failure.ts';

const WITHIN_MS = 10 * 60_000;
const SAID_MAX = 500;

/**
 * Runs `HOOK set|remove NAME VALUE`: the TXT record NAME is to have VALUE (others may stand beside it), or no longer. `set` returns when the
 * name servers answer with it.
 *
 * @throws AcmeFailure with what the program wrote
 */
export async function runDnsHook(hook: string, action: 'set' | 'remove', name: string, value: string): Promise<void> {
  const record = `_acme-challenge.${name}`;
  try {
    const child = Bun.spawn([hook, action, record, value], {
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'pipe',
      timeout: WITHIN_MS,
    });
    const [code, stdout, stderr] = await Promise.all([
      child.exited,
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    if (code === 0) return;
    const said = `${stderr}${stdout}`.trim().slice(-SAID_MAX) || 'it wrote nothing';
    throw new AcmeFailure('unreachable', `acmeDnsHook: ${hook} ${action} ${record} ended with code ${code}: ${said}`);
  } catch (error) {
    if (error instanceof AcmeFailure) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new AcmeFailure('unreachable', `acmeDnsHook: cannot run ${hook}: ${why}`);
  }
}
