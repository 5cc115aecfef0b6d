import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import { type Coding, isAuthentic, restoreQuarantined, unpack } from '../../src/authenticate/index.ts';

const TEXT = '{"event_type":"email_sent","text":"ä"}';
const LIMIT = 1_000_000;

const proven = (body: Uint8Array) => restoreQuarantined({ principal: 'instantly:token:1', body, contentType: 'a/b' });
const none = (): void => undefined;

const PACKED: readonly (readonly [string, Coding, Uint8Array])[] = [
  ['gzip', 'gzip', gzipSync(TEXT)],
  ['br', 'br', brotliCompressSync(TEXT)],
  ['deflate by the standard', 'deflate', deflateSync(TEXT)],
  ['deflate without its header', 'deflate', deflateRawSync(TEXT)],
];

describe('a proven body is unpacked', () => {
  test.each(PACKED)('from %s', async (_, coding, body) => {
    const taken: number[] = [];
    const unpacked = await unpack(proven(body), coding, { limitBytes: LIMIT, take: (bytes) => taken.push(bytes) });
    if (!unpacked.ok) throw new Error(unpacked.reason);
    const { delivery } = unpacked;
    expect(isAuthentic(delivery)).toBe(true);
    expect(delivery).toMatchObject({ principal: 'instantly:token:1', contentType: 'a/b' });
    expect(Buffer.from(delivery.body).toString()).toBe(TEXT);
    expect(taken.reduce((sum, bytes) => sum + bytes, 0)).toBe(Buffer.byteLength(TEXT));
  });

  test.each(PACKED)('not from %s that is cut or is another coding', async (_, coding, body) => {
    for (const broken of [body.subarray(0, -6), Buffer.from(TEXT), Buffer.alloc(0)]) {
      expect(await unpack(proven(broken), coding, { limitBytes: LIMIT, take: none })).toEqual({
        ok: false,
        reason: 'not-unpackable',
      });
    }
  });

  test('within its limit, however small it came', async () => {
    const bomb = gzipSync(Buffer.alloc(50 * LIMIT));
    const taken: number[] = [];
    const options = { limitBytes: LIMIT, take: (bytes: number) => taken.push(bytes) };
    expect(await unpack(proven(bomb), 'gzip', options)).toEqual({ ok: false, reason: 'body-too-large' });
    expect(taken.reduce((sum, bytes) => sum + bytes, 0)).toBeLessThanOrEqual(LIMIT);
  });

  test('not where there is no memory for it', async () => {
    const refuse = (): void => {
      throw new Error('no room');
    };
    await expect(unpack(proven(gzipSync(TEXT)), 'gzip', { limitBytes: LIMIT, take: refuse })).rejects.toThrow(
      'no room',
    );
  });
});
