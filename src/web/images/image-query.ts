import { useQuery } from '@tanstack/react-query';
import { shortDigest } from '../kit/copy.tsx';
import { server } from '../server.ts';

/** What a tag or a digest names; undefined: nothing is asked. */
export function useImage(repository: string, reference: string | undefined) {
  return useQuery({
    queryKey: ['image', repository, reference],
    queryFn: () => server.images.get(repository, reference ?? ''),
    enabled: reference !== undefined,
  });
}

/** A tag as it is, a digest in short. */
export function shortReference(reference: string): string {
  return reference.includes(':') ? shortDigest(reference) : reference;
}

/** `alice/app:1.0`, `alice/app@sha256:0123456789ab` */
export function imageName(repository: string, reference: string): string {
  return `${repository}${reference.includes(':') ? '@' : ':'}${shortReference(reference)}`;
}
