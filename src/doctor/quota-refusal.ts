import { type Answer, textOf } from './wire.ts';

/** What Berth says of a quota without room (`registry/quota-shares.ts`); undefined for any other answer. */
export function quotaRefusal({ status, bytes }: Answer): string | undefined {
  if (status !== 403) return undefined;
  return /"message":"(quota: [^"]{1,300})/.exec(textOf(bytes))?.[1];
}
