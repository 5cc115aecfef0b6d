import { describe, expect, test } from '@jest/globals';
import { GENESIS_HASH } from '../../src/audit/chain.ts';
import type { AuditEntry, AuditMetadata, ChainHead } from '../../src/audit/entry.ts';
import { CHAIN_START } from '../../src/audit/link-chains.ts';
import type { AnchorHead } from '../../src/audit/parse-anchor.ts';
import { verifyAudit } from '../../src/audit/verify.ts';
import { AuditLog, resealed } from './audit-log-model.ts';
import { A, at, B, C, change, resealAt, threeChains, without } from './audit-three-chains.ts';

const key = Buffer.alloc(32, 7);
const X = 'a'.repeat(64);

const check = (entries: readonly AuditEntry[], anchor?: readonly AnchorHead[]) =>
  verifyAudit(() => entries, key, anchor === undefined ? {} : { anchor });

describe('an untouched log', () => {
  test('holds, and its heads are an anchor for the next time', async () => {
    const log = threeChains(key);
    const heads = [C, B, A].map((writer) => log.heads.find((head) => head.writer === writer));
    expect(await check(log.entries)).toEqual({ ok: true, entries: 12, chains: 3, heads });
    expect(await check(log.entries, log.heads)).toMatchObject({ ok: true });
  });

  test('holds in whichever order its chains are read, and from a stream', async () => {
    const log = threeChains(key);
    const entries = [C, A, B].flatMap((writer) => log.chains.get(writer) ?? []);
    async function* stream() {
      yield* entries;
    }
    expect(await verifyAudit(stream, key)).toMatchObject({ ok: true, entries: 12, chains: 3 });
  });

  test('holds where it is empty', async () => {
    expect(await check([])).toEqual({ ok: true, entries: 0, chains: 0, heads: [] });
  });

  test('does not hold under another key', async () => {
    const verdict = await verifyAudit(() => threeChains(key).entries, Buffer.alloc(32, 8));
    expect(verdict).toMatchObject({ ok: false, faultyChains: 3, fault: { kind: 'edited', writer: A, seq: 1 } });
  });
});

describe('the first entry that does not hold is named', () => {
  const log = threeChains(key);
  const [a2, a3, b3] = [at(log, A, 2), at(log, A, 3), at(log, B, 3)];

  test.each<[string, AuditEntry[], object]>([
    ['edited', change(log, A, 3, { userId: 'admin' }), { kind: 'edited', writer: A, seq: 3, id: a3.id }],
    ['edited twice', change({ entries: change(log, B, 2, { id: 'x' }) }, A, 3, { id: 'y' }), { seq: 3, id: 'y' }],
    ['metadata edited', change(log, A, 3, { metadata: { status: 401 } }), { kind: 'edited', writer: A, seq: 3 }],
    [
      'metadata that JSON cannot write',
      change(log, A, 3, { metadata: { n: 1n } }),
      { kind: 'edited', writer: A, seq: 3 },
    ],
    ['the newest hash edited', change(log, C, 2, { hash: X }), { kind: 'edited', writer: C, seq: 2 }],
    ['one removed', without(log, [A, 2]), { kind: 'gap', seq: 3, detail: 'Before it, entry 2 is missing.' }],
    [
      'two removed',
      without(log, [A, 2], [A, 3]),
      { kind: 'gap', seq: 4, detail: 'Before it, entries 2 to 3 are missing.' },
    ],
    [
      'the first removed',
      without(log, [A, 1]),
      { kind: 'start', writer: A, seq: 2, detail: expect.stringContaining('entry 1 is missing') },
    ],
    [
      'written twice',
      log.entries.toSpliced(2, 0, a2),
      { kind: 'order', writer: A, seq: 2, detail: 'It stands after entry 2 of its chain.' },
    ],
    ['out of order', log.entries.with(1, a3).with(2, a2), { kind: 'gap', writer: A, seq: 3 }],
    ['apart from its chain', [...without(log, [B, 3]), b3], { kind: 'gap', writer: B, seq: 4 }],
    [
      'at the end of all',
      [...log.entries, a2],
      { kind: 'order', writer: A, seq: 2, detail: 'It stands apart from the rest of its chain.' },
    ],
    [
      'a chain removed',
      without(log, ...[1, 2, 3, 4, 5].map((seq) => [A, seq] as const)),
      { kind: 'link', writer: A, seq: 5, id: null },
    ],
    [
      'the end of a chain removed',
      without(log, [A, 5]),
      {
        kind: 'link',
        writer: A,
        seq: 5,
        id: null,
        detail: `It is named by entry 1 of chain ${B}, and its chain ends at 4.`,
      },
    ],
    ['more of it removed', without(log, [B, 3], [B, 4], [B, 5]), { kind: 'link', writer: B, seq: 3, id: null }],
    ['id missing', change(log, A, 2, { id: null }), { kind: 'malformed', writer: A, seq: 2 }],
    ['seq a text', change(log, A, 2, { seq: '2' }), { kind: 'malformed' }],
    ['seq 0', change(log, A, 2, { seq: 0 }), { kind: 'malformed' }],
    ['metadata missing', change(log, A, 2, { metadata: null }), { kind: 'malformed' }],
    ['metadata a text', change(log, A, 2, { metadata: '{}' }), { kind: 'malformed' }],
  ])('%s', async (_, entries, fault) => {
    expect(await check(entries)).toMatchObject({ ok: false, fault });
  });

  test('one fault spoils one chain', async () => {
    expect(await check(without(log, [A, 3]))).toMatchObject({ entries: 11, chains: 3, faultyChains: 1 });
  });

  test('an edited first entry accuses no other chain', async () => {
    const entries = change(log, C, 1, { metadata: { follows: [{ writer: A, seq: 99, hash: X }] } });
    expect(await check(entries)).toMatchObject({ fault: { kind: 'edited', writer: C, seq: 1 }, faultyChains: 1 });
  });

  test('a fault that shows only at the end still comes before a later one', async () => {
    const entries = change(log, B, 2, { userId: 'admin' }).filter(({ writer, seq }) => writer !== A || seq < 4);
    expect(await check(entries)).toMatchObject({ fault: { kind: 'link', writer: A, seq: 5 }, faultyChains: 2 });
  });

  test('a chain that is gone comes after every entry that is there', async () => {
    const entries = change(log, C, 2, { userId: 'admin' }).filter(({ writer }) => writer !== A);
    expect(await check(entries)).toMatchObject({ fault: { kind: 'edited', writer: C, seq: 2 }, faultyChains: 2 });
  });
});

describe('what the key itself has sealed must make sense', () => {
  const log = threeChains(key);
  const first = at(log, A, 1);
  const loose = (entries: readonly AuditEntry[]) => entries.filter(({ writer, seq }) => writer === A && seq === 1);
  const follow = (follows: unknown) => [resealed({ ...first, metadata: { follows } as AuditMetadata }, key)];

  test.each<[string, AuditEntry[], object]>([
    ['an entry before the first', loose(resealAt(log, A, 1, { prevHash: X })), { kind: 'start', seq: 1 }],
    [
      'another action at the start',
      loose(resealAt(log, A, 1, { action: 'webhook.receive' })),
      { kind: 'start', seq: 1 },
    ],
    [
      'another entry before the second',
      resealAt(log, A, 2, { prevHash: X }),
      { kind: 'discontinued', writer: A, seq: 2 },
    ],
    ['heads that cannot be read', follow('none'), { kind: 'link', seq: 1 }],
    ['a head that cannot be read', follow([{ writer: B, seq: 1.5, hash: X }]), { kind: 'link', seq: 1 }],
    [
      'its own chain followed',
      follow([{ writer: A, seq: 1, hash: X }]),
      { kind: 'link', writer: A, seq: 1, id: first.id },
    ],
  ])('%s', async (_, entries, fault) => {
    expect(await check(entries)).toMatchObject({ ok: false, fault });
  });

  test('a link to another entry at the end of a chain', async () => {
    const entries = resealAt(log, B, 1, { metadata: { follows: [{ writer: A, seq: 5, hash: X }] } });
    const fault = { kind: 'link', writer: A, seq: 5, id: at(log, A, 5).id };
    expect(await check(entries.filter(({ writer, seq }) => writer === A || (writer === B && seq === 1)))).toMatchObject(
      { fault },
    );
  });

  test.each([
    ['after', [A, B]],
    ['before', [B, A]],
  ])('a link to another entry amid a chain read %s it', async (_, order) => {
    const entries = resealAt(log, B, 1, { metadata: { follows: [{ writer: A, seq: 3, hash: X }] } });
    const read = order.flatMap((name) =>
      entries.filter(({ writer, seq }) => writer === name && (name === A || seq === 1)),
    );
    const fault = {
      kind: 'link',
      writer: A,
      seq: 3,
      id: at(log, A, 3).id,
      detail: `It is not the entry named by entry 1 of chain ${B}.`,
    };
    expect(await check(read)).toMatchObject({ ok: false, fault });
  });

  test('a link to a head by a wrong seq', async () => {
    const { hash } = at(log, A, 5);
    const entries = resealAt(log, B, 1, { metadata: { follows: [{ writer: A, seq: 3, hash }] } });
    const read = entries.filter(({ writer, seq }) => writer === A || (writer === B && seq === 1));
    expect(await check(read)).toMatchObject({ ok: false, fault: { kind: 'link', writer: A, seq: 3 } });
  });

  test('a start in the midst of a chain names nothing', async () => {
    const odd = new AuditLog(key);
    odd.start(A);
    odd.append(A, { follows: [{ writer: B, seq: 9, hash: X }] }, CHAIN_START);
    expect(await check(odd.entries)).toMatchObject({ ok: true });
  });
});

test('a chain forked by an older copy of the database put back under the running service is found', async () => {
  const log = threeChains(key);
  // C was started over B@3; then the copy with B@2 came back, B went on from there, and C's rows were put back too.
  const fork = new AuditLog(key);
  fork.start(A);
  for (let count = 0; count < 4; count += 1) fork.append(A, { status: 200 });
  fork.start(B);
  fork.append(B);
  for (let count = 0; count < 3; count += 1) fork.append(B, { status: 503 });
  expect(await check(fork.entries)).toMatchObject({ ok: true });
  const entries = [...fork.entries, ...(log.chains.get(C) ?? [])];
  expect(await check(entries)).toMatchObject({ ok: false, fault: { kind: 'link', writer: B, seq: 3 } });
});

describe('an anchor', () => {
  const log = threeChains(key);
  const head = (writer: string, seq: number): ChainHead => {
    const { hash } = at(log, writer, seq);
    return { writer, seq, hash };
  };

  test('of any age holds', async () => {
    const heads = log.entries.map(({ writer, seq, hash }) => ({ writer, seq, hash, time: 0 }));
    expect(await check(log.entries, heads)).toMatchObject({ ok: true });
  });

  test.each<[string, AuditEntry[], ChainHead[], object]>([
    ['the newest entry cut off', without(log, [C, 2]), [head(C, 2)], { kind: 'anchor', writer: C, seq: 2, id: null }],
    [
      'the newest chain removed',
      without(log, [C, 1], [C, 2]),
      [head(C, 1)],
      { kind: 'anchor', writer: C, seq: 1, id: null },
    ],
    [
      'another entry in its place',
      log.entries,
      [{ ...head(B, 5), hash: X }],
      { kind: 'anchor', seq: 5, id: at(log, B, 5).id },
    ],
    [
      'an older head not met',
      log.entries,
      [{ ...head(B, 2), hash: X }, head(B, 5)],
      { kind: 'anchor', writer: B, seq: 2 },
    ],
    [
      'two heads for one entry',
      without(log, [C, 2]),
      [head(C, 2), { ...head(C, 2), hash: X }],
      { kind: 'anchor', detail: 'Different ones are named by the anchor and the anchor.' },
    ],
  ])('%s', async (_, entries, anchor, fault) => {
    expect(await check(entries, anchor)).toMatchObject({ ok: false, fault });
  });

  test('without which the end can be cut off unseen', async () => {
    expect(await check(without(log, [C, 2]))).toMatchObject({ ok: true });
  });
});

describe('reading', () => {
  test('an entry that is gone when it is looked for is missing', async () => {
    const log = threeChains(key);
    let calls = 0;
    const read = () => {
      calls += 1;
      return calls === 1 ? log.entries : without(log, [B, 3]);
    };
    const fault = {
      kind: 'link',
      writer: B,
      seq: 3,
      id: null,
      detail: `It is named by entry 1 of chain ${C}, and missing.`,
    };
    expect(await verifyAudit(read, key)).toMatchObject({ ok: false, fault });
    expect(calls).toBe(2);
  });

  test('happens once where no chain was named in its midst', async () => {
    const log = new AuditLog(key);
    log.start(A);
    log.start(B);
    let calls = 0;
    await verifyAudit(() => {
      calls += 1;
      return log.entries;
    }, key);
    expect(calls).toBe(1);
  });

  test.each([1, 2])('ends with the signal in pass %i', async (pass) => {
    const log = threeChains(key);
    const stop = new AbortController();
    let calls = 0;
    const read = () => {
      calls += 1;
      if (calls === pass) stop.abort(new Error('enough'));
      return log.entries;
    };
    await expect(verifyAudit(read, key, { signal: stop.signal })).rejects.toThrow('enough');
  });

  test('the genesis hash is 64 zeros', () => {
    expect(GENESIS_HASH).toMatch(/^0{64}$/);
  });
});
