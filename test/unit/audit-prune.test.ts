import { describe, expect, test } from '@jest/globals';
import { chainStartDraft, followsOf } from '../../src/audit/link-chains.ts';
import { carryCuts, collectCuts, cutAt, cutsOf, PRUNE, pruneDraft } from '../../src/audit/prune-chains.ts';
import { AuditLog, uuid } from './audit-log-model.ts';

const key = Buffer.alloc(32, 7);
const [A, B, C, D] = [uuid(1), uuid(2), uuid(3), uuid(4)];
const cut = (writer: string, seq: number) => ({ writer, seq, hash: `${seq % 10}`.repeat(64) });

describe('chainStartDraft', () => {
  test('names heads, and nothing else of them, in order', () => {
    const more = { ...cut(B, 2), lane: 'spill' };
    const made = chainStartDraft({
      follows: [more, cut(A, 9)],
      at: 1_000,
      id: uuid(9),
      metadata: { version: '1.0.0' },
    });
    expect(made).toStrictEqual({
      id: uuid(9),
      timestamp: '1970-01-01T00:00:01.000Z',
      action: 'audit.chain.start',
      userId: 'service',
      resource: 'audit',
      result: 'success',
      metadata: { version: '1.0.0', follows: [cut(A, 9), cut(B, 2)] },
    });
  });

  test('makes an id', () => {
    const [one, two] = [chainStartDraft({ follows: [], at: 0 }), chainStartDraft({ follows: [], at: 0 })];
    expect(one.id).not.toBe(two.id);
    expect(one.metadata).toStrictEqual({ follows: [] });
  });

  test('can be read back', () => {
    const log = new AuditLog(key);
    log.start(A);
    log.start(B);
    expect(log.entries.map(followsOf)).toEqual([[], [expect.objectContaining({ writer: A, seq: 1 })]]);
    expect(followsOf(log.append(A, { follows: [cut(B, 1)] }))).toEqual([]);
    expect(followsOf(log.append(A, { follows: 'x' }, 'audit.chain.start'))).toEqual([]);
  });
});

describe('pruneDraft', () => {
  test('records cuts, and up to when', () => {
    const made = pruneDraft({ cut: [cut(B, 2), cut(A, 9)], before: 5_000, removed: 11, at: 9_000, id: uuid(9) });
    expect(made).toStrictEqual({
      id: uuid(9),
      timestamp: '1970-01-01T00:00:09.000Z',
      action: 'audit.prune',
      userId: 'service',
      resource: 'audit',
      result: 'success',
      metadata: { before: '1970-01-01T00:00:05.000Z', entries: 11, cut: [cut(A, 9), cut(B, 2)] },
    });
    expect(pruneDraft({ cut: [], before: 0, removed: 0, at: 0 }).id).not.toBe(uuid(9));
  });
});

describe('cutAt', () => {
  test('names an entry that is as it was sealed, and no other', () => {
    const log = new AuditLog(key);
    const entry = log.start(A);
    expect(cutAt(entry, key)).toStrictEqual({ writer: A, seq: 1, hash: entry.hash });
    expect(cutAt({ ...entry, timestamp: '2001-01-01T00:00:00.000Z' }, key)).toBeUndefined();
  });
});

describe('collectCuts', () => {
  const log = new AuditLog(key);
  log.start(D);
  const older = log.append(D, { cut: [cut(A, 3), cut(B, 5)] }, PRUNE);
  const newer = log.append(D, { cut: [cut(A, 7)] }, PRUNE);

  test.each([
    ['in order', [older, newer]],
    ['newest first', [newer, older]],
  ])('gives the newest of each chain, %s', (_, entries) => {
    expect(collectCuts(entries, key)).toEqual(expect.arrayContaining([cut(A, 7), cut(B, 5)]));
    expect(collectCuts(entries, key)).toHaveLength(2);
  });

  test('believes no entry that is not as it was sealed', () => {
    const forged = { ...newer, metadata: { cut: [cut(A, 99)] } };
    expect(collectCuts([older, forged], key)).toEqual([cut(A, 3), cut(B, 5)]);
  });

  test('reads prune entries only', () => {
    expect(cutsOf(log.append(D, { cut: [cut(A, 3)] }))).toEqual([]);
    expect(cutsOf(log.append(D, { cut: [{ writer: A }] }, PRUNE))).toEqual([]);
    expect(cutsOf(older)).toEqual([cut(A, 3), cut(B, 5)]);
  });
});

describe('carryCuts', () => {
  const base = { previous: [], made: [], live: new Set<string>(), named: [] };

  test('lists what this step cut, whether anything is left of it or not', () => {
    expect(carryCuts({ ...base, made: [cut(B, 2), cut(A, 1)] })).toEqual([cut(A, 1), cut(B, 2)]);
  });

  test('carries older cuts of chains with entries left or named by a first entry left, and no others', () => {
    const previous = [cut(A, 1), cut(B, 2), cut(C, 3)];
    expect(carryCuts({ ...base, previous, live: new Set([A]), named: [cut(C, 2)] })).toEqual([cut(A, 1), cut(C, 3)]);
  });

  test('keeps the newest cut of each chain', () => {
    const previous = [cut(A, 5), cut(A, 3), cut(B, 9)];
    expect(carryCuts({ ...base, previous, made: [cut(A, 8), cut(B, 4)], live: new Set([A, B]) })).toEqual([
      cut(A, 8),
      cut(B, 9),
    ]);
  });
});
