import { createHash } from 'node:crypto';
import { expect, test } from '@jest/globals';
import type { EventKey, Store } from '../../src/inbox/store.ts';
import { makeAccept, makeBatch } from './make-parts.ts';

interface Stores {
  readonly store: () => Store;
  /** Another process's view of the same data. */
  readonly open: () => Promise<Store>;
}

const TIMESTAMP = 1_700_000_000_000;

function keyOf(content: string, timestamp: number | null = TIMESTAMP): EventKey {
  return { timestamp, dedupKey: createHash('sha256').update(content).digest() };
}

/** The part of the contract that is about events by their deduplication keys. */
export function testKeys({ store, open }: Stores): void {
  const accept = async (...accepts: ReturnType<typeof makeAccept>[]) =>
    (await store().commit(makeBatch({ accepts }))).accepted.map(({ id }) => id);

  test('lead to the events that hold them, in the order asked for', async () => {
    const [a, b, c] = await accept(
      makeAccept({ content: 'a' }),
      makeAccept({ content: 'b', timestamp: null }),
      makeAccept({ content: 'c', timestamp: TIMESTAMP + 1 }),
    );
    const other = await open();
    await other.commit(makeBatch({ accepts: [makeAccept({ content: 'a' })] }));
    const now = Date.now();
    expect(await store().findByKeys([], now)).toEqual([]);
    const keys = [keyOf('none'), keyOf('c', TIMESTAMP + 1), keyOf('a'), keyOf('none'), keyOf('b', null), keyOf('a')];
    expect(await other.findByKeys(keys, now)).toEqual([undefined, c, a, undefined, b, a]);
    // By the event itself; and like content at another time is none.
    expect(await store().findByKeys([makeAccept({ content: 'a' }).event, keyOf('a', TIMESTAMP + 1)], now)).toEqual([
      a,
      undefined,
    ]);
  });

  test('count until their time is over, and then lead to who came after, as a duplicate is told', async () => {
    const receivedAt = 1_000_000;
    const until = receivedAt + 3_600_000;
    const old = { content: 'same', timestamp: null, receivedAt, dedupUntil: until };
    const keys = [keyOf('same', null)];
    const [first] = await accept(makeAccept(old));
    expect(await store().findByKeys(keys, until - 1)).toEqual([first]);
    expect(await store().findByKeys(keys, until)).toEqual([undefined]);
    expect(await accept(makeAccept({ ...old, receivedAt: until - 1 }))).toEqual([first]);
    const [second] = await accept(makeAccept({ ...old, receivedAt: until, dedupUntil: until + 1 }));
    expect(second).not.toBe(first);
    expect(await store().findByKeys(keys, until)).toEqual([second]);
    expect(await store().findByKeys(keys, until + 1)).toEqual([undefined]);
  });

  test('may be thousands', async () => {
    const contents = Array.from({ length: 2_100 }, (_, n) => `content ${n} of many`);
    // Where one page ends and the next begins, and some in between.
    const there = [0, 1, 500, 998, 999, 1_000, 1_001, 1_999, 2_000, 2_099];
    const ids = await accept(
      ...there.map((n) => makeAccept({ content: contents[n] ?? '', timestamp: n % 2 === 0 ? null : n })),
    );
    const found = await store().findByKeys(
      contents.map((content, n) => keyOf(content, n % 2 === 0 ? null : n)),
      Date.now(),
    );
    expect(found).toEqual(contents.map((_, n) => (there.includes(n) ? ids[there.indexOf(n)] : undefined)));
  });

  test.each([0, 31, 33, 64])('of %s bytes are refused', async (size) => {
    const key = { timestamp: null, dedupKey: new Uint8Array(size) };
    await expect(store().findByKeys([keyOf('a'), key], Date.now())).rejects.toThrow(RangeError);
  });
}
