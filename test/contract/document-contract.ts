import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Store } from '../../src/inbox/store.ts';
import { anyPrefix, anyStep, DocumentModel, takeStep } from './document-model.ts';

const KIB = 1024;

interface Stores {
  readonly store: () => Store;
  /** Another process's view of the same data. */
  readonly open: () => Promise<Store>;
}

/** The part of the contract that is about documents. */
export function testDocuments({ store, open }: Stores): void {
  const read = async (name: string) => {
    const document = await store().readDocument(name);
    return document && [document.text, document.version];
  };
  const list = async (prefix: string, limit = 100) =>
    (await store().listDocuments(prefix, limit)).map(({ name }) => name);

  test('are written at 0 once, at their version, or over whatever is there, and count it up', async () => {
    expect(await store().readDocument('cursor')).toBeUndefined();
    expect(await store().writeDocument('cursor', 'none', 1)).toBe(false);
    expect(await store().writeDocument('cursor', 'one', 0)).toBe(true);
    expect(await store().writeDocument('cursor', 'again', 0)).toBe(false);
    expect(await read('cursor')).toEqual(['one', 1]);
    const other = await open();
    expect(await other.writeDocument('cursor', 'two', 1)).toBe(true);
    expect(await store().writeDocument('cursor', 'stale', 1)).toBe(false);
    expect(await store().writeDocument('cursor', 'ahead', 3)).toBe(false);
    expect(await read('cursor')).toEqual(['two', 2]);
    expect(await store().writeDocument('cursor', 'three', null)).toBe(true);
    expect(await store().writeDocument('another', '', null)).toBe(true);
    expect([await read('cursor'), await read('another')]).toEqual([
      ['three', 3],
      ['', 1],
    ]);
  });

  test.each([0, 1, null])(
    'of twenty writers at once over version %s, in two processes, as many do as may',
    async (version) => {
      const stores = [store(), await open()];
      if (version === 1) await store().writeDocument('cursor', 'first', 0);
      const written = await Promise.all(
        Array.from({ length: 20 }, (_, n) => stores[n % 2]?.writeDocument('cursor', `${n}`, version)),
      );
      const winners = written.flatMap((won, n) => (won === true ? [`${n}`] : []));
      const document = await store().readDocument('cursor');
      expect(winners).toHaveLength(version === null ? 20 : 1);
      expect(winners).toContain(document?.text);
      expect(document?.version).toBe(version === null ? 20 : version + 1);
    },
  );

  test('are listed by the text their names begin with, in order of bytes', async () => {
    // Sorted by UTF-16 units the last two change places.
    const names = ['', 'a', 'a%', 'a%b', 'aXb', 'a\\b', 'a_', 'a_b', 'b', 'Ärger', 'ärger', '\uffee', '\u{1f600}'];
    for (const name of [...names].reverse()) await store().writeDocument(name, `text of ${name}`, 0);
    const sorted = [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    expect(await list('')).toEqual(sorted);
    expect(await list('', 3)).toEqual(sorted.slice(0, 3));
    expect(await list('', 0)).toEqual([]);
    for (const prefix of ['a', 'a%', 'a_', 'a\\', 'A', 'ä', '%', '_', '\u{1f600}', 'a%b']) {
      expect([prefix, await list(prefix)]).toEqual([prefix, sorted.filter((name) => name.startsWith(prefix))]);
    }
    expect(await store().listDocuments('a_b', 5)).toMatchObject([{ text: 'text of a_b', version: 1 }]);
  });

  test('are gone once they are dropped, and begin anew', async () => {
    await store().writeDocument('cursor', 'one', 0);
    await store().writeDocument('cursor', 'two', 1);
    await store().dropDocument('cursor');
    await store().dropDocument('never there');
    expect([await read('cursor'), await list('')]).toEqual([undefined, []]);
    expect(await store().writeDocument('cursor', 'late', 2)).toBe(false);
    expect(await store().writeDocument('cursor', 'anew', 0)).toBe(true);
    expect(await read('cursor')).toEqual(['anew', 1]);
  });

  test('say how long ago they were written', async () => {
    const age = async () => (await store().readDocument('cursor'))?.ageMs ?? Number.NaN;
    for (const version of [0, 1, null]) {
      const began = performance.now();
      await store().writeDocument('cursor', 'text', version);
      const asked = performance.now();
      const first = await age();
      // Each clock has cut off less than a millisecond.
      expect(first).toBeLessThanOrEqual(performance.now() - began + 2);
      expect(Number.isInteger(first) && first >= 0).toBe(true);
      while ((await age()) < first + 20) expect(performance.now() - asked).toBeLessThan(10_000);
      expect(performance.now() - asked).toBeGreaterThan(18);
      const [listed] = await store().listDocuments('', 1);
      expect(listed?.ageMs).toBeGreaterThanOrEqual(first + 20);
    }
  });

  test('take 64 KiB of UTF-8 and no more', async () => {
    const full = 'ü'.repeat(32 * KIB);
    expect(await store().writeDocument('full', full, 0)).toBe(true);
    expect(await read('full')).toEqual([full, 1]);
    for (const version of [0, 1, null])
      await expect(store().writeDocument('full', `${full}x`, version)).rejects.toThrow(RangeError);
    expect(await read('full')).toEqual([full, 1]);
  });

  test.each([
    ['a NUL', 'NUL \0'],
    ['nothing but NUL', '\0'],
    ['the first half of a character', 'half \ud83d'],
    ['the second half of one', '\udc00'],
    ['more than is kept', 'x'.repeat(64 * KIB + 1)],
  ])('refuse what not every store can keep: %s', async (_name, text) => {
    await expect(store().writeDocument('name', text, null)).rejects.toThrow(RangeError);
    await expect(store().writeDocument(text, 'text', null)).rejects.toThrow(RangeError);
    await expect(store().readDocument(text)).rejects.toThrow(RangeError);
    await expect(store().listDocuments(text, 1)).rejects.toThrow(RangeError);
    await expect(store().dropDocument(text)).rejects.toThrow(RangeError);
    expect(await list('')).toEqual([]);
  });

  test('take names of 255 bytes and no more', async () => {
    const name = `${'ü'.repeat(127)}x`;
    expect(await store().writeDocument(name, 'text', 0)).toBe(true);
    expect(await list(name)).toEqual([name]);
    await expect(store().writeDocument(`${name}x`, 'text', 0)).rejects.toThrow(RangeError);
  });

  test('whatever is done in whatever order, they are what a map would be', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyStep, { maxLength: 12 }), anyPrefix, fc.nat(6), async (steps, prefix, limit) => {
        for (const left of await list('')) await store().dropDocument(left);
        const model = new DocumentModel();
        for (const step of steps)
          expect(await takeStep(store(), step, model.versionOf(step.name))).toBe(model.take(step));
        expect(await store().listDocuments(prefix, limit)).toMatchObject(model.list(prefix, limit));
        expect(await read('a_')).toEqual(model.read('a_'));
      }),
      { numRuns: 40 },
    );
  });
}
