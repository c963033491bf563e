import { OciError } from '../oci/errors.ts';
import type { Rows } from './directory.ts';

/** Stacks of a namespace that servers run: `alice/shop@production on server-1, server-2`, in the order of the names. */
export async function runningStacks(rows: Rows, namespace: string): Promise<string[]> {
  const found = await rows
    .selectFrom('targets as t')
    .innerJoin('environments as e', 'e.id', 't.environment_id')
    .innerJoin('stacks as s', 's.id', 'e.stack_id')
    .innerJoin('namespaces as n', 'n.id', 's.namespace_id')
    .select(['s.name as stack', 'e.name as environment', 't.name as target'])
    .where('n.name', '=', namespace)
    .where('t.revoked_at', 'is', null)
    .orderBy('s.name')
    .orderBy('e.position')
    .orderBy('t.name')
    .execute();
  const targets = new Map<string, string[]>();
  for (const { stack, environment, target } of found) {
    const place = `${namespace}/${stack}@${environment}`;
    targets.set(place, [...(targets.get(place) ?? []), target]);
  }
  return [...targets].map(([place, names]) => `${place} on ${names.join(', ')}`);
}

/**
 * Its stacks go with an account: refused while servers run them, before anything else of it is gone.
 *
 * @throws OciError CONFLICT
 */
export async function requireNoRunningStacks(rows: Rows, namespace: string): Promise<void> {
  const running = await runningStacks(rows, namespace);
  if (running.length === 0) return;
  const shown = running.slice(0, 5).join('; ') + (running.length > 5 ? '; …' : '');
  throw new OciError(
    'CONFLICT',
    `stacks: ${namespace} has stacks that servers run (${shown}); take them down and revoke these targets first`,
  );
}
