import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { ChainHead } from '../../src/audit/entry.ts';
import { HeadsFile } from '../../src/audit/heads-file.ts';
import { parseAnchor } from '../../src/audit/parse-anchor.ts';

const AT = Date.parse('2026-11-30T12:00:00.000Z');
const head = (writer: string, seq: number): ChainHead => ({ writer, seq, hash: String(seq % 10).repeat(64) });

let folder: string;
let file: string;
let faults: unknown[];
let heads: HeadsFile;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'receiver-heads-'));
  file = join(folder, 'audit-heads.jsonl');
  faults = [];
  heads = new HeadsFile({ file, onFault: (error) => faults.push(error), maxBytes: 400 });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const text = (): string => readFileSync(file, 'utf8');
const lines = (): { heads: ChainHead[] }[] =>
  text()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { heads: ChainHead[] });

test('writes what has changed, a line each time, for its owner alone, as an anchor that verify takes', async () => {
  await heads.write([head('a', 1), head('b', 1)], AT);
  await heads.write([head('a', 1), head('b', 1)], AT + 60_000);
  await heads.write([head('a', 1), head('b', 2)], AT + 120_000);
  expect(lines().map((line) => line.heads)).toEqual([[head('a', 1), head('b', 1)], [head('b', 2)]]);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(parseAnchor(text())).toEqual([
    { ...head('a', 1), time: AT },
    { ...head('b', 1), time: AT },
    { ...head('b', 2), time: AT + 120_000 },
  ]);
});

test('a new process writes all of them once', async () => {
  await heads.write([head('a', 1)], AT);
  await new HeadsFile({ file, onFault: (error) => faults.push(error) }).write([head('a', 1)], AT);
  expect(lines()).toHaveLength(2);
});

test('a line that a kill has cut off does not spoil the next', async () => {
  await heads.write([head('a', 1)], AT);
  appendFileSync(file, text().slice(0, 50));
  await heads.write([head('a', 2)], AT);
  expect(parseAnchor(text()).map(({ seq }) => seq)).toEqual([1, 2]);
});

test('is bounded: an older half is kept, and a new file begins with all heads', async () => {
  for (let seq = 1; seq <= 50; seq += 1) await heads.write([head('a', 1), head('b', seq)], AT);
  expect(statSync(file).size).toBeLessThan(800);
  expect(statSync(`${file}.1`).size).toBeLessThan(800);
  expect(lines()[0]?.heads).toHaveLength(2);
  expect(parseAnchor(text()).at(-1)?.seq).toBe(50);
  expect(faults).toEqual([]);
});

test('a file that was taken away is made again, whole', async () => {
  await heads.write([head('a', 1), head('b', 1)], AT);
  rmSync(file);
  await heads.write([head('a', 1), head('b', 1)], AT);
  expect(lines()[0]?.heads).toHaveLength(2);
});

test('a fault is told once and keeps nothing back: it is tried again', async () => {
  mkdirSync(file);
  await heads.write([head('a', 1)], AT);
  await heads.write([head('a', 2)], AT);
  expect(faults).toHaveLength(1);
  rmSync(file, { recursive: true });
  await heads.write([head('a', 2)], AT);
  expect(lines()).toHaveLength(1);
  rmSync(folder, { recursive: true });
  await heads.write([head('a', 3)], AT);
  expect(faults).toHaveLength(2);
});

test('does not wait in line behind a write that hangs', async () => {
  await Promise.all([heads.write([head('a', 1)], AT), heads.write([head('a', 2)], AT)]);
  expect(lines()).toHaveLength(1);
  expect(existsSync(`${file}.1`)).toBe(false);
});
