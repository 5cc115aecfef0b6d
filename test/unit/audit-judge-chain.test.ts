import { describe, expect, test } from '@jest/globals';
import { ChainMemory, isOfStranger, kindOf } from '../../src/audit/chain-memory.ts';
import type { ChainHead } from '../../src/audit/entry.ts';
import { pruneDraft } from '../../src/audit/prune-chains.ts';
import { explainsAbsence, judgeChain, TAMPERED, tamperedDraft } from '../../src/audit/tampering.ts';
import { verifyAudit } from '../../src/audit/verify.ts';
import { AuditLog, uuid } from './audit-log-model.ts';

const key = Buffer.alloc(32, 7);
const [A, B] = [uuid(1), uuid(2)];
const X = 'a'.repeat(64);

function makeLog() {
  const log = new AuditLog(key);
  const [first, second, third] = [log.start(A), log.append(A), log.append(A)];
  return { log, first, second, third };
}

const headOf = ({ writer, seq, hash }: ChainHead): ChainHead => ({ writer, seq, hash });

describe('what a lane finds of its chain', () => {
  const { second, third } = makeLog();
  const [known, head, next] = [second, headOf(second), headOf(third)];
  const own = { key, mayLeave: false };
  const spill = { key, mayLeave: true };

  test.each([
    ['is as it was left', head, { head, known, newest: known }, own, undefined],
    ['was continued by a commit of unknown outcome', head, { head: next, known, newest: third }, own, undefined],
    ['is found for the first time', undefined, { head, known: undefined, newest: known }, own, undefined],
    ['has no row', head, { head: undefined, known, newest: known }, own, 'chain-missing'],
    ['was set back', next, { head, known: undefined, newest: known }, own, 'head-changed'],
    ['names another newest entry', head, { head: { ...head, hash: X }, known, newest: known }, own, 'head-changed'],
    ['lacks its newest entry', head, { head, known: undefined, newest: undefined }, own, 'entry-missing'],
    ['has another newest entry', head, { head, known: { ...known, hash: X }, newest: known }, own, 'entry-missing'],
    [
      'goes on with an entry not sealed',
      head,
      { head: next, known, newest: { ...third, userId: 'x' } },
      own,
      'head-changed',
    ],
    ['goes on with nothing', head, { head: next, known, newest: undefined }, own, 'head-changed'],
    ['was moved out of a spill', head, { head, known: undefined, newest: undefined }, spill, undefined],
    ['was moved out behind a commit', head, { head: next, known: undefined, newest: undefined }, spill, undefined],
  ])('%s', (_case, remembered, found, options, expected) => {
    expect(judgeChain(remembered, found, options)).toBe(expected);
  });
});

describe('a chain that is gone', () => {
  const { log, second } = makeLog();
  const head = headOf(second);
  const since = Date.parse(second.timestamp);
  const prune = (before: number, cut: readonly ChainHead[], at = log.now) => {
    const other = new AuditLog(key);
    other.start(B);
    return other.seal(B, pruneDraft({ before, cut, removed: 1, at, id: uuid(99) }));
  };
  const options = { key, since };

  const unreadable = (() => {
    const other = new AuditLog(key);
    other.start(B);
    return other.append(B, { before: 'long ago', cut: 'none' }, 'audit.prune');
  })();

  test.each([
    ['a prune entry that cannot be read', { ...unreadable, timestamp: second.timestamp }, undefined],
    ['the cut of this very entry', prune(0, [head]), true],
    ['a cut behind it', prune(0, [{ ...head, seq: head.seq + 1, hash: X }]), true],
    ['an age beyond it', prune(since + 1, []), true],
    ['a cut before it', prune(0, [{ ...head, seq: 1 }]), undefined],
    ['a cut of another entry in its place', prune(0, [{ ...head, hash: X }]), undefined],
    ['a cut of another chain', prune(0, [{ ...head, writer: B }]), undefined],
    ['a prune entry that was not sealed', { ...prune(0, [head]), hash: X }, undefined],
    ['a prune entry from long before', prune(0, [head], since - 2 * 86_400_000), false],
  ])('is explained or not by %s', (_case, entry, expected) => {
    expect(explainsAbsence(entry, head, options)).toBe(expected);
  });
});

test('the entry of a tampering names what was expected and what was found, and fails the log', async () => {
  const { log, second, third } = makeLog();
  const tampering = { reason: 'head-changed', writer: A, expected: headOf(third), found: headOf(second) } as const;
  const draft = tamperedDraft(tampering, log.now);
  expect(draft).toMatchObject({
    action: TAMPERED,
    userId: 'service',
    result: 'failure',
    metadata: {
      reason: 'head-changed',
      writer: A,
      expectedSeq: 3,
      expectedHash: third.hash,
      foundSeq: 2,
      foundHash: second.hash,
    },
  });
  const nothing = tamperedDraft({ reason: 'log-empty', writer: '', expected: null, found: null }, log.now);
  expect(nothing.metadata).toMatchObject({ expectedSeq: null, expectedHash: null, foundSeq: null, foundHash: null });
  log.seal(A, draft);
  expect(await verifyAudit(() => log.entries, key)).toMatchObject({ ok: false, fault: { kind: 'tampered', seq: 4 } });
});

describe('what the store says beside its entries', () => {
  const { log, second, third } = makeLog();
  const check = (heads: readonly ChainHead[], isUsed = true, entries = log.entries) =>
    verifyAudit(() => entries, key, { described: { heads, isUsed } });

  test('holds where it agrees', async () => {
    expect(await check([headOf(third)])).toMatchObject({ ok: true });
    expect(await check([], false, [])).toMatchObject({ ok: true });
  });

  test.each([
    ['a head before the end', [headOf(second)], 'and the chain ends at 3.'],
    ['a head behind the end', [{ ...headOf(third), seq: 9 }], 'and the chain ends at 3.'],
    ['another head', [{ ...headOf(third), hash: X }], 'and the chain ends with another.'],
    ['a chain that is missing', [headOf(third), { writer: B, seq: 1, hash: X }], 'and the chain is missing.'],
  ])('does not hold with %s', async (_case, heads, detail) => {
    const verdict = await check(heads);
    expect(verdict).toMatchObject({ ok: false, fault: { kind: 'head', detail: expect.stringContaining(detail) } });
  });

  test('does not hold where a store with events has an empty log', async () => {
    expect(await check([], true, [])).toMatchObject({ ok: false, fault: { kind: 'empty' } });
  });

  test('a chain that was pruned whole may still be named', async () => {
    const pruned = new AuditLog(key);
    pruned.start(B);
    const last = pruned.append(B);
    pruned.start(A);
    pruned.prune(A, ({ writer }) => writer === B, pruned.now);
    const heads = [headOf(last), ...pruned.heads.filter(({ writer }) => writer === A)];
    expect(await check(heads, true, pruned.entries)).toMatchObject({ ok: true });
  });
});

test('the names of a chain tell its kind, and none begins twice', () => {
  for (const kind of ['proven', 'strangers'] as const) {
    const memory = new ChainMemory(kind, A);
    expect([kindOf(memory.writer), memory.writer.endsWith(A), memory.nextWriter()]).toEqual([
      kind,
      true,
      memory.writer,
    ]);
    const head = { writer: memory.writer, seq: 1, hash: X };
    memory.committed(head);
    expect([memory.head, memory.started]).toEqual([head, true]);
    memory.leave();
    expect([memory.head, memory.started, kindOf(memory.writer)]).toEqual([undefined, false, kind]);
    expect(memory.writer).not.toBe(head.writer);
    expect(new ChainMemory(kind, A, true).nextWriter()).not.toBe(head.writer);
  }
  expect([isOfStranger({ userId: 'anonymous' }), isOfStranger({ userId: 'admin' })]).toEqual([true, false]);
});

test('a prune entry names the age of strangers where it is another', () => {
  const prune = { before: 0, removed: 1, cut: [], at: 1_000 };
  expect(pruneDraft(prune).metadata['anonymousBefore']).toBeUndefined();
  expect(pruneDraft({ ...prune, anonymousBefore: 5_000 }).metadata['anonymousBefore']).toBe('1970-01-01T00:00:05.000Z');
});
