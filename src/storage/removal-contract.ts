import { expect, test } from 'bun:test';
import { digestOf } from '../oci/digest.ts';
import type { Current } from './contract.ts';
import { all, bytes, content, put } from './testing.ts';

/** What every driver must do when it is asked to remove, and asks whether it may. */
export function removals(current: Current): void {
  const yes = async () => true;
  const no = async () => false;

  test('bytes that may go are out of reach when that is asked, and gone after', async () => {
    const { store, place } = current();
    const digest = await put(store, bytes('x'));
    let seen: number | undefined = -1;
    await store.remove(digest, async () => {
      seen = await place.reopen().stat(digest);
      return true;
    });
    expect([seen, await store.stat(digest)]).toEqual([undefined, undefined]);
    await store.finishRemovals(no);
    expect(await all(store.list())).toEqual([]);
  });

  test('of what is not there it is not asked whether it may go', async () => {
    const { store } = current();
    const absent = digestOf(bytes('never stored'));
    await store.remove(absent, () => Promise.reject(new Error('asked')));
    expect(await store.stat(absent)).toBeUndefined();
  });

  test('bytes that may not go are put back as they were', async () => {
    const { store } = current();
    const digest = await put(store, bytes('stays'), 'sha512');
    const [before] = await all(store.list());
    await store.remove(digest, no);
    expect(await content(store, digest)).toBe('stays');
    expect(await all(store.list())).toEqual([before as NonNullable<typeof before>]);
  });

  test('bytes of which it cannot be said whether they may go are put back, and the reason is thrown', async () => {
    const { store } = current();
    const digest = await put(store, bytes('stays'));
    await expect(store.remove(digest, () => Promise.reject(new RangeError('nobody knows')))).rejects.toThrow(
      'nobody knows',
    );
    expect(await content(store, digest)).toBe('stays');
  });

  for (const [answer, mayGo] of Object.entries({ yes, no })) {
    test(`bytes that are stored anew while it is asked stay, also when the answer is ${answer}`, async () => {
      const { store, place } = current();
      const digest = await put(store, bytes('anew'));
      await store.remove(digest, async () => {
        await put(place.reopen(), bytes('anew'));
        return mayGo();
      });
      expect(await content(store, digest)).toBe('anew');
      await store.finishRemovals(yes);
      expect(await content(store, digest)).toBe('anew');
    });
  }

  test('a removal that another process ended as well takes nothing of what was put back', async () => {
    const { store, place } = current();
    const digest = await put(store, bytes('kept'));
    await store.remove(digest, async () => {
      await place.reopen().finishRemovals(async (of) => {
        expect(of).toBe(digest);
        return false;
      });
      return true;
    });
    expect(await content(store, digest)).toBe('kept');
  });
}
