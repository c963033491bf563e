import { expect, test } from 'bun:test';
import { Throttle } from './throttle.ts';

/** A clock that sleeping moves. */
function clock() {
  let now = 1_000;
  const slept: number[] = [];
  return {
    slept,
    now: () => now,
    sleep: async (ms: number) => {
      slept.push(ms);
      now += ms;
    },
    total: () => slept.reduce((sum, ms) => sum + ms, 0),
  };
}

const streamOf = (...sizes: number[]) =>
  new ReadableStream<Uint8Array>({
    start(controller) {
      for (const size of sizes) controller.enqueue(new Uint8Array(size));
      controller.close();
    },
  });
const never = new AbortController().signal;
const sizeOf = async (stream: ReadableStream<Uint8Array>) => (await new Response(stream).arrayBuffer()).byteLength;

test('bytes come no faster than the limit, over all streams that share it', async () => {
  const { now, sleep, total } = clock();
  const throttle = new Throttle(1_000, now, sleep);
  expect(await sizeOf(throttle.slowed(streamOf(500, 1_500), never))).toBe(2_000);
  expect(total()).toBe(2_000);
  expect(await sizeOf(throttle.slowed(streamOf(3_000), never))).toBe(3_000);
  expect(total()).toBe(5_000);
});

test('a long pause ends within a second when nobody wants the bytes any more', async () => {
  const { now, slept } = clock();
  const stop = new AbortController();
  const sleep = async (ms: number) => {
    slept.push(ms);
    stop.abort(new Error('nobody waits'));
  };
  const slowed = new Throttle(10, now, sleep).slowed(streamOf(100_000), stop.signal);
  await expect(new Response(slowed).arrayBuffer()).rejects.toThrow('nobody waits');
  expect(slept).toEqual([1_000]);
});
