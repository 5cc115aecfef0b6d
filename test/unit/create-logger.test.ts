import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createLogger, GatheredLines } from '../../src/create-logger.ts';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'receiver-log-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('gathered lines', () => {
  test('come out in order and whole, whatever their lengths', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(40_000), { maxLength: 20 }), (lengths) => {
        const written: string[] = [];
        const lines = new GatheredLines({ write: (text) => written.push(text) });
        const all = lengths.map((length, index) => `${index}${'x'.repeat(length)}\n`);
        for (const line of all) lines.write(line);
        // Nothing waits that is long enough for a write of its own.
        const waiting = all.join('').length - written.join('').length;
        expect(waiting).toBeLessThan(32 * 1024);
        lines.flush();
        expect(written.join('')).toBe(all.join(''));
        lines.flush();
        expect(written.every((text) => text !== '')).toBe(true);
      }),
    );
  });

  test('wait for no others for long', async () => {
    const target = new PassThrough();
    new GatheredLines(target).write('one line\n');
    const [chunk] = await once(target, 'data');
    expect(String(chunk)).toBe('one line\n');
  });
});

test('the logger leaves nothing behind when it is flushed', async () => {
  const file = join(folder, 'log');
  const { logger, flush } = createLogger('info', file);
  for (let n = 0; n < 1_000; n += 1) logger.info({ n }, 'counted');
  // The file is opened by the way.
  while (readFileSync(file, { encoding: 'utf8', flag: 'a+' }) === '') {
    flush();
    await new Promise((resolve) => setImmediate(resolve));
  }
  flush();
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line).n)).toEqual(Array.from({ length: 1_000 }, (_, n) => n));
});
