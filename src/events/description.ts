import type { BerthEvent } from './context.ts';
import { referenceOf } from './recording.ts';

/** What an event was about, for readers: the parts of its subject, then what else is known. */
export function describeEvent(event: BerthEvent): Record<string, unknown> {
  const { subject, repository, namespace, stack, detail } = event;
  const about = { subject, ...(namespace === null ? {} : { namespace }) };
  if (stack !== null) return { ...about, stack, ...partsOf(subject.slice(stack.length)), ...detail };
  if (repository === null) return { ...about, ...detail };
  const { tag, digest } = referenceOf(event);
  return {
    ...about,
    repository,
    ...(tag === null ? {} : { tag }),
    ...(digest === null ? {} : { digest }),
    ...detail,
  };
}

/** `#3`: a release; `@test/v7`: a deployment. */
function partsOf(rest: string): Record<string, unknown> {
  const release = /^#(\d+)$/.exec(rest)?.[1];
  if (release !== undefined) return { release: Number(release) };
  const [, environment, number] = /^@([^/]+)(?:\/v(\d+))?$/.exec(rest) ?? [];
  return {
    ...(environment === undefined ? {} : { environment }),
    ...(number === undefined ? {} : { deployment: Number(number) }),
  };
}
