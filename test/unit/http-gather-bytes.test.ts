import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { GatheredBytes } from '../../src/http/gather-bytes.ts';

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  gc();
}

describe('gathered bytes', () => {
  test('are those of the pieces, in memory of their own where there is more than one', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), fc.nat(200), (pieces, expected) => {
        const gathered = new GatheredBytes(expected);
        for (const piece of pieces) gathered.add(piece);
        const bytes = gathered.take();
        expect(Buffer.concat(pieces).equals(bytes)).toBe(true);
        const isWhole = pieces.some((piece) => piece.byteLength === expected) && bytes.byteLength === expected;
        if (!isWhole) expect([bytes.byteOffset, bytes.buffer.byteLength]).toEqual([0, bytes.byteLength]);
        expect(gathered.size).toBe(bytes.byteLength);
      }),
    );
  });

  test('one piece that is the whole is not copied, unless it would hold a far larger block', () => {
    const block = new Uint8Array(1_000);
    const take = (piece: Uint8Array): Uint8Array => {
      const gathered = new GatheredBytes(piece.byteLength);
      gathered.add(piece);
      return gathered.take();
    };
    const large = block.subarray(0, 250);
    expect(take(large)).toBe(large);
    const small = block.subarray(0, 249);
    expect(take(small)).not.toBe(small);
    expect(take(small)).toEqual(small);
    expect(take(small).buffer.byteLength).toBe(249);
  });

  test('take about their own size, however small the pieces', () => {
    const count = 1_000_000;
    const gathered = new GatheredBytes(count);
    collectGarbage();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    for (let index = 0; index < count; index += 1) gathered.add(Uint8Array.of(index));
    collectGarbage();
    const after = process.memoryUsage();
    expect(after.heapUsed + after.arrayBuffers - heapUsed - arrayBuffers).toBeLessThan(10 * count);
    expect(gathered.take().byteLength).toBe(count);
  });
});
