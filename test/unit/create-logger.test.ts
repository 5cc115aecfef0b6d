import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { errnoCode } from '../../src/config/read-text-file.ts';
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
  expect(await flush(60_000)).toBe(true);
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line).n)).toEqual(Array.from({ length: 1_000 }, (_, n) => n));
});

test('a reader that takes nothing is waited for no longer than was said', async () => {
  const fifo = join(folder, 'fifo');
  execFileSync('mkfifo', [fifo]);
  // Not to block while it is opened; nothing is ever read.
  const reader = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
  try {
    const { logger, flush } = createLogger('info', reader);
    for (let n = 0; n < 2_000; n += 1) logger.info({ text: 'x'.repeat(100) }, 'more than a pipe holds');
    expect(await flush(50)).toBe(false);
    const taken = Buffer.alloc(1024 * 1024);
    const drained = flush(60_000);
    const drain = setInterval(() => readAll(reader, taken), 10);
    expect(await drained).toBe(true);
    clearInterval(drain);
  } finally {
    closeSync(reader);
  }
});

test('a full disk loses lines and holds nothing up', async () => {
  const full = openSync('/dev/full', 'w');
  try {
    const { logger, flush } = createLogger('info', full);
    logger.info('lost');
    expect(await flush(60_000)).toBe(true);
  } finally {
    closeSync(full);
  }
});

function readAll(descriptor: number, into: Buffer): void {
  try {
    while (readSync(descriptor, into) > 0);
  } catch (error) {
    // Empty for now.
    if (errnoCode(error) !== 'EAGAIN') throw error;
  }
}
