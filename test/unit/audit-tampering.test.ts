import { createSecretKey } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { AuditEntry } from '../../src/audit/entry.ts';
import type { AnchorHead } from '../../src/audit/parse-anchor.ts';
import { cutsOf, PRUNE } from '../../src/audit/prune-chains.ts';
import { verifyAudit } from '../../src/audit/verify.ts';
import { type AuditLog, type Dice, dice, isNamed, randomLog, resealed } from './audit-log-model.ts';

const LOGS = 250;
const TAMPERINGS_PER_LOG = 40;

const key = createSecretKey(Buffer.alloc(32, 7));
const otherKey = createSecretKey(Buffer.alloc(32, 8));

interface Tampered {
  readonly entries: AuditEntry[];
  /** Whether it can be found by the stored entries alone. */
  readonly needsAnchor?: boolean;
}

/** What someone with the database but without the key can do; `undefined` where this log gives no occasion. */
type Tampering = (log: AuditLog, roll: Dice) => Tampered | undefined;

const pick = <Item>(items: readonly Item[], roll: Dice): Item | undefined => items[roll(Math.max(items.length, 1))];

const withoutEntries = (entries: readonly AuditEntry[], gone: ReadonlySet<AuditEntry>) =>
  entries.filter((entry) => !gone.has(entry));

/** As a store reads: chain by chain, each by seq. */
function inOrder(entries: readonly AuditEntry[]): AuditEntry[] {
  const writers = [...new Set(entries.map(({ writer }) => writer))];
  return writers.flatMap((writer) => entries.filter((entry) => entry.writer === writer).sort((a, b) => a.seq - b.seq));
}

function replace(log: AuditLog, old: AuditEntry, changed: AuditEntry): Tampered {
  return { entries: log.entries.map((entry) => (entry === old ? changed : entry)) };
}

const flipped = (hex: string, roll: Dice) => {
  const at = roll(hex.length);
  return `${hex.slice(0, at)}${hex[at] === 'f' ? '0' : 'f'}${hex.slice(at + 1)}`;
};

const tamperings: Record<string, Tampering> = {
  'edit a field': (log, roll) => {
    const entry = pick(log.entries, roll);
    const changes: ((entry: AuditEntry) => Partial<AuditEntry>)[] = [
      ({ id }) => ({ id: flipped(id, roll) }),
      ({ timestamp }) => ({ timestamp: timestamp.replace('2026', '2025') }),
      ({ action }) => ({ action: `${action}d` }),
      () => ({ userId: 'admin' }),
      () => ({ resource: '/metrics' }),
      ({ result }) => ({ result: result === 'success' ? 'failure' : 'success' }),
      ({ prevHash }) => ({ prevHash: flipped(prevHash, roll) }),
      ({ hash }) => ({ hash: flipped(hash, roll) }),
      ({ seq }) => ({ seq: seq + 1 + roll(3) }),
      ({ writer }) => ({ writer: flipped(writer, roll) }),
    ];
    return entry && replace(log, entry, { ...entry, ...pick(changes, roll)?.(entry) });
  },
  'edit metadata': (log, roll) => {
    const entry = pick(log.entries, roll);
    if (entry === undefined) return undefined;
    const { metadata } = entry;
    const name = pick(Object.keys(metadata), roll) ?? 'status';
    const { [name]: _, ...rest } = metadata;
    const changed = [{ ...metadata, [name]: 'x' }, { ...metadata, more: 1 }, { ...rest, [`${name}s`]: 1 }, rest, {}];
    return replace(log, entry, { ...entry, metadata: changed[roll(name in metadata ? 5 : 3)] ?? {} });
  },
  'remove an entry that is not the last of its chain': (log, roll) => {
    const entry = pick(
      [...log.chains.values()].flatMap((chain) => chain.slice(0, -1)),
      roll,
    );
    return entry && { entries: withoutEntries(log.entries, new Set([entry])) };
  },
  'remove a range that ends before the last of its chain': (log, roll) => {
    const chain = pick(
      [...log.chains.values()].filter(({ length }) => length > 1),
      roll,
    );
    if (chain === undefined) return undefined;
    const from = roll(chain.length - 1);
    const to = from + 1 + roll(chain.length - 1 - from);
    return { entries: withoutEntries(log.entries, new Set(chain.slice(from, to))) };
  },
  'swap two rows': (log, roll) => {
    const chain = pick(
      [...log.chains.values()].filter(({ length }) => length > 1),
      roll,
    );
    if (chain === undefined) return undefined;
    const from = roll(chain.length - 1);
    const [a, b] = [chain[from], chain[from + 1 + roll(chain.length - 1 - from)]];
    return { entries: log.entries.map((entry) => (entry === a ? (b ?? a) : entry === b ? (a ?? b) : entry)) };
  },
  'swap the places of two entries': (log, roll) => {
    const chain = pick(
      [...log.chains.values()].filter(({ length }) => length > 1),
      roll,
    );
    const [a, b] = [pick(chain ?? [], roll), pick(chain ?? [], roll)];
    if (a === undefined || b === undefined || a === b) return undefined;
    const put = (entry: AuditEntry, { seq, prevHash }: AuditEntry) => ({ ...entry, seq, prevHash });
    const swapped = log.entries.map((entry) => (entry === a ? put(b, a) : entry === b ? put(a, b) : entry));
    return { entries: inOrder(swapped) };
  },
  'write an entry twice': (log, roll) => {
    const entry = pick(log.entries, roll);
    if (entry === undefined) return undefined;
    const entries = log.entries.toSpliced(roll(log.entries.length + 1), 0, entry);
    return { entries: roll(2) === 0 ? entries : inOrder(entries) };
  },
  'insert a forged entry': (log, roll) => {
    const entry = pick(log.entries, roll);
    if (entry === undefined) return undefined;
    const forged = { ...entry, seq: entry.seq + 1, prevHash: entry.hash, id: flipped(entry.id, roll) };
    const hashed = roll(2) === 0 ? { ...forged, hash: flipped(entry.hash, roll) } : resealed(forged, otherKey);
    const place = log.entries.indexOf(entry) + 1;
    return { entries: log.entries.toSpliced(place, 0, hashed) };
  },
  'insert a forged chain': (log, roll) => {
    const entry = pick(log.entries, roll);
    if (entry === undefined) return undefined;
    const forged = { ...entry, writer: flipped(entry.writer, roll), seq: 1, prevHash: '0'.repeat(64) };
    return { entries: [...log.entries, resealed({ ...forged, action: 'audit.chain.start' }, otherKey)] };
  },
  'move an entry to the end of another chain': (log, roll) => {
    const entry = pick(log.entries, roll);
    const end = pick(
      [...log.chains].filter(([writer, { length }]) => writer !== entry?.writer && length > 0),
      roll,
    )?.[1].at(-1);
    if (entry === undefined || end === undefined) return undefined;
    const moved = { ...entry, writer: end.writer, seq: end.seq + 1, prevHash: end.hash };
    return { entries: inOrder([...withoutEntries(log.entries, new Set([entry])), moved]) };
  },
  'write a chain anew from an entry on, without the key': (log, roll) => {
    const chain = pick([...log.chains.values()], roll) ?? [];
    const from = roll(chain.length);
    let prevHash = chain[from]?.prevHash ?? '';
    const written = chain.slice(from).map((entry) => {
      const again = resealed({ ...entry, prevHash, userId: 'admin' }, otherKey);
      prevHash = again.hash;
      return again;
    });
    const kept = withoutEntries(log.entries, new Set(chain.slice(from)));
    return written.length === 0 ? undefined : { entries: inOrder([...kept, ...written]) };
  },
  'remove a chain that another names': (log, roll) => {
    const chain = pick(
      [...log.chains.values()].filter((entries) => entries.some((entry) => isNamed(log.entries, entry))),
      roll,
    );
    return chain && { entries: withoutEntries(log.entries, new Set(chain)) };
  },
  'cut off a chain before an entry that another names': (log, roll) => {
    const named = pick(
      log.entries.filter((entry) => isNamed(log.entries, entry)),
      roll,
    );
    const chain = log.chains.get(named?.writer ?? '') ?? [];
    const from = (named === undefined ? 0 : chain.indexOf(named)) - roll(3);
    return named && { entries: withoutEntries(log.entries, new Set(chain.slice(Math.max(from, 0)))) };
  },
  'cut off a chain before the pruning of another': (log, roll) => {
    const newest = new Map<string, AuditEntry>();
    for (const entry of log.entries.filter(({ action }) => action === PRUNE).sort(byTime)) {
      for (const cut of cutsOf(entry)) if (isRecordedFirst(log, entry, cut.hash)) newest.set(cut.writer, entry);
    }
    const victim = pick(
      [...newest].filter(([writer, { writer: pruner }]) => writer !== pruner && log.chains.has(writer)),
      roll,
    );
    if (victim === undefined) return undefined;
    const [, prune] = victim;
    const gone = log.entries.filter(({ writer, seq }) => writer === prune.writer && seq >= prune.seq);
    const left = withoutEntries(log.entries, new Set(gone));
    // Elsewhere the same cut may be carried: then nothing of what is left is wrong.
    const carried = left.some((entry) =>
      cutsOf(entry).some(({ writer, hash }) => writer === victim[0] && startsAfter(log, writer, hash)),
    );
    return carried ? undefined : { entries: left };
  },
  'bring back what was pruned': (log, roll) => {
    const first = pick(
      [...log.chains.values()].flatMap(([entry]) => (entry !== undefined && entry.seq > 1 ? [entry] : [])),
      roll,
    );
    const back = log.removed.filter(({ writer }) => writer === first?.writer).slice(-1 - roll(4));
    return back.length === 0 ? undefined : { entries: inOrder([...log.entries, ...back]) };
  },
  'cut off the end': (log, roll) => {
    const chain = pick(
      [...log.chains.values()].filter(({ length }) => length > 0),
      roll,
    );
    return (
      chain && { entries: withoutEntries(log.entries, new Set(chain.slice(roll(chain.length)))), needsAnchor: true }
    );
  },
  'remove the newest chains': (log, roll) => {
    const chains = [...log.chains.values()].filter(({ length }) => length > 0);
    const gone = chains.slice(roll(chains.length)).flat();
    return gone.length === 0 ? undefined : { entries: withoutEntries(log.entries, new Set(gone)), needsAnchor: true };
  },
};

const byTime = (a: AuditEntry, b: AuditEntry) => (a.timestamp < b.timestamp ? -1 : 1);

function isRecordedFirst(log: AuditLog, prune: AuditEntry, hash: string): boolean {
  return !log.entries.some((entry) => byTime(entry, prune) < 0 && cutsOf(entry).some((cut) => cut.hash === hash));
}

function startsAfter(log: AuditLog, writer: string, hash: string): boolean {
  return log.chains.get(writer)?.[0]?.prevHash === hash;
}

const check = (entries: readonly AuditEntry[], anchor?: readonly AnchorHead[]) =>
  verifyAudit(() => entries, key, anchor === undefined ? {} : { anchor });

describe('10,000 random tamperings', () => {
  const tried = new Map<string, number>();

  async function tamper(log: AuditLog, roll: Dice): Promise<void> {
    const names = Object.keys(tamperings);
    for (let round = 0; round < TAMPERINGS_PER_LOG; ) {
      const name = names[roll(names.length)] ?? '';
      const tampered = tamperings[name]?.(log, roll);
      if (tampered === undefined) continue;
      round += 1;
      tried.set(name, (tried.get(name) ?? 0) + 1);
      const verdict = await check(tampered.entries, tampered.needsAnchor ? log.heads : undefined);
      if (verdict.ok) throw new Error(`not found: ${name}`);
    }
  }

  test('are all found, and what nobody touched holds', async () => {
    await fc.assert(
      fc.asyncProperty(fc.noShrink(fc.nat()), async (seed) => {
        const roll = dice(seed);
        const pruning = roll(2) === 0 ? 'by age' : 'anyhow';
        const log = randomLog(key, roll, 12 + roll(40), pruning);
        const chains = [...log.chains.values()].filter(({ length }) => length > 0).length;
        const expected = { ok: true, entries: log.entries.length, chains };
        expect(await check(log.entries)).toMatchObject(expected);
        expect(await check(log.entries, log.heads)).toMatchObject(expected);
        // Every head that ever went to the log, those long pruned included.
        if (pruning === 'by age') expect(await check(log.entries, log.noted)).toMatchObject(expected);
        await tamper(log, roll);
      }),
      { numRuns: LOGS },
    );
    expect([...tried.values()].reduce((sum, count) => sum + count, 0)).toBe(10_000);
    // None of them may fall out of use unseen.
    expect(Object.keys(tamperings).filter((name) => (tried.get(name) ?? 0) < 100)).toEqual([]);
  });
});
