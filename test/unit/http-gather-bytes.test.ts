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
  test('are those of the pieces, in memory of their own', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), fc.nat(200), (pieces, expected) => {
        const gathered = new GatheredBytes(expected);
        for (const piece of pieces) gathered.add(piece);
        const bytes = gathered.take();
        expect(Buffer.concat(pieces).equals(bytes)).toBe(true);
        expect([bytes.byteOffset, bytes.buffer.byteLength]).toEqual([0, bytes.byteLength]);
        expect(gathered.size).toBe(bytes.byteLength);
      }),
    );
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
