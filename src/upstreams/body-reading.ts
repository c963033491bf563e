import { unavailable } from './upstream-error.ts';

/** The pieces of an answer's body. @throws UpstreamError when nothing comes for `idleMs`, or the connection is cut */
export async function* reading(
  body: ReadableStream<Uint8Array> | null,
  idleMs: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  if (body === null) return;
  const reader = body.getReader();
  const cancel = () => void reader.cancel(signal?.reason).catch(() => {});
  signal?.addEventListener('abort', cancel, { once: true });
  try {
    for (;;) {
      const silence = Promise.withResolvers<never>();
      const timer = setTimeout(() => silence.reject(unavailable(`nothing came for ${idleMs / 1_000} s`)), idleMs);
      const read = reader.read().catch((error: unknown) => {
        throw unavailable('the connection was cut', error);
      });
      const { done, value } = await Promise.race([read, silence.promise]).finally(() => clearTimeout(timer));
      signal?.throwIfAborted();
      if (done) return;
      yield value;
    }
  } finally {
    signal?.removeEventListener('abort', cancel);
    cancel();
  }
}
