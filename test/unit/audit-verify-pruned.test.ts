import { describe, expect, test } from '@jest/globals';
import type { AuditEntry, AuditMetadata, ChainHead } from '../../src/audit/entry.ts';
import { plainHeads } from '../../src/audit/heads.ts';
import { CHAIN_START } from '../../src/audit/link-chains.ts';
import type { AnchorHead } from '../../src/audit/parse-anchor.ts';
import { PRUNE } from '../../src/audit/prune-chains.ts';
import { verifyAudit } from '../../src/audit/verify.ts';
import { AuditLog, uuid } from './audit-log-model.ts';
import { A, at, B, C, resealAt, threeChains, without } from './audit-three-chains.ts';

const key = Buffer.alloc(32, 7);
const [X, Y] = ['a'.repeat(64), 'b'.repeat(64)];

const check = (entries: readonly AuditEntry[], anchor?: readonly AnchorHead[]) =>
  verifyAudit(() => entries, key, anchor === undefined ? {} : { anchor });

describe('pruning', () => {
  /** A is gone, B begins at 4, and C holds the record of it. */
  function pruned(): AuditLog {
    const log = threeChains(key);
    log.pruneByAge(C, Date.parse(at(log, B, 4).timestamp));
    // C's first entry, which named B@3, is older than B's fourth.
    expect(log.entries.map(({ writer, seq }) => [writer, seq])).toEqual([
      [B, 4],
      [B, 5],
      [C, 2],
      [C, 3],
    ]);
    return log;
  }
  const recut = (log: AuditLog, cut: unknown) => resealAt(log, C, 3, { metadata: { before: 'never', cut } });
  const cuts = (log: AuditLog) => at(log, C, 3).metadata['cut'] as unknown as ChainHead[];

  test('leaves a log that holds', async () => {
    expect(await check(pruned().entries)).toMatchObject({ ok: true, entries: 4, chains: 2 });
  });

  test('an anchor from before it holds', async () => {
    const before = threeChains(key).entries.map(({ writer, seq, hash }) => ({ writer, seq, hash }));
    expect(await check(pruned().entries, before)).toMatchObject({ ok: true });
  });

  test.each<[string, (log: AuditLog) => AuditEntry[], object]>([
    [
      'more removed than recorded',
      (log) => without(log, [B, 4]),
      {
        kind: 'start',
        writer: B,
        seq: 5,
        detail: 'Before it, entry 4 is missing, and no pruning of them is recorded.',
      },
    ],
    [
      'brought back in part',
      (log) => [...log.removed.filter(({ writer, seq }) => writer === B && seq === 3), ...log.entries],
      { kind: 'cut', writer: B, seq: 3 },
    ],
    [
      'brought back whole',
      (log) => [...log.removed.filter(({ writer }) => writer === A), ...log.entries],
      { kind: 'cut', writer: A, seq: 1, detail: `By entry 3 of chain ${C} it was removed, and yet it is here.` },
    ],
    [
      'another entry before the start',
      (log) => resealAt(log, B, 4, { prevHash: X }),
      { kind: 'cut', writer: B, seq: 4 },
    ],
    ['its record removed', (log) => without(log, [C, 3]), { kind: 'start', writer: B, seq: 4 }],
    ['a record that cannot be read', (log) => recut(log, [{ writer: B }]), { kind: 'start', writer: B, seq: 4 }],
  ])('%s', async (_, tamper, fault) => {
    expect(await check(tamper(pruned()))).toMatchObject({ ok: false, fault });
  });

  test('a record that cannot be read is a fault by itself', async () => {
    const log = new AuditLog(key);
    log.start(A);
    log.append(A, { cut: 'none' }, PRUNE);
    expect(await check(log.entries)).toMatchObject({ ok: false, fault: { kind: 'cut', writer: A, seq: 2 } });
  });

  test('two records that contradict each other', async () => {
    const log = new AuditLog(key);
    log.start(A);
    for (const hash of [X, X, Y]) log.append(A, { cut: [{ writer: B, seq: 7, hash }] }, PRUNE);
    const detail = `It contradicts the cut of chain ${B} by entry 2 of chain ${A}.`;
    expect(await check(log.entries)).toMatchObject({ ok: false, fault: { kind: 'cut', writer: A, seq: 4, detail } });
  });

  test('the newest of several records counts, whichever is read first', async () => {
    for (const order of [
      [4, 7],
      [7, 4],
    ]) {
      const log = new AuditLog(key);
      log.start(A);
      for (const seq of order)
        log.append(A, { cut: [{ writer: B, seq, hash: X }], before: new Date(seq).toISOString() }, PRUNE);
      expect(await check(log.entries, [{ writer: B, seq: 7, hash: X }])).toMatchObject({ ok: true });
      expect(await check(log.entries, [{ writer: B, seq: 7, hash: Y }])).toMatchObject({
        ok: false,
        fault: { kind: 'anchor', writer: B, seq: 7, id: null },
      });
      expect(await check(log.entries, [{ writer: B, seq: 8, hash: X }])).toMatchObject({ ok: false });
      expect(await check(log.entries, [{ writer: C, seq: 1, hash: X, time: 6 }])).toMatchObject({ ok: true });
      expect(await check(log.entries, [{ writer: C, seq: 1, hash: X, time: 7 }])).toMatchObject({ ok: false });
    }
  });

  test('links into what was pruned must agree with each other', async () => {
    const log = new AuditLog(key);
    const seal = (writer: string, metadata: AuditMetadata) => {
      log.chains.set(writer, []);
      log.append(writer, metadata, CHAIN_START);
    };
    seal(A, { follows: [{ writer: uuid(1), seq: 5, hash: X }] });
    seal(B, { follows: [{ writer: uuid(1), seq: 5, hash: Y }] });
    log.append(B, { cut: [{ writer: uuid(1), seq: 9, hash: X }] }, PRUNE);
    const fault = {
      kind: 'link',
      writer: uuid(1),
      seq: 5,
      detail: expect.stringMatching(/^Different ones are named by entry 1 of/),
    };
    expect(await check(log.entries)).toMatchObject({ ok: false, fault });
  });

  test('a head in the anchor whose chain is gone is excused by nothing but its age', async () => {
    const log = pruned();
    const { before } = at(log, C, 3).metadata;
    const time = Date.parse(String(before));
    const gone = { writer: uuid(1), seq: 5, hash: X };
    expect(await check(log.entries, [{ ...gone, time: time - 1 }])).toMatchObject({ ok: true });
    expect(await check(log.entries, [{ ...gone, time }])).toMatchObject({
      ok: false,
      fault: { kind: 'anchor', writer: uuid(1) },
    });
    expect(await check(log.entries, [gone])).toMatchObject({ ok: false });
    expect(await check(threeChains(key).entries, [{ ...gone, time: 0 }])).toMatchObject({ ok: false });
    // Its chain is not gone: then its end is.
    expect(await check(log.entries, [{ writer: B, seq: 9, hash: X, time: 0 }])).toMatchObject({ ok: false });
  });

  test('a forged record excuses nothing', async () => {
    const log = pruned();
    const gone = without(log, [B, 4]);
    const forged = [...cuts(log).filter(({ writer }) => writer !== B), { writer: B, seq: 4, hash: at(log, B, 4).hash }];
    const entries = gone.map((entry) =>
      entry.writer === C && entry.seq === 3
        ? { ...entry, metadata: { ...entry.metadata, cut: plainHeads(forged) } }
        : entry,
    );
    expect(await check(entries)).toMatchObject({ ok: false, fault: { kind: 'start', writer: B, seq: 5 } });
  });
});
