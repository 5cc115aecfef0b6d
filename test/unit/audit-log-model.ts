import { type AuditKey, hashOf, sealEntry } from '../../src/audit/chain.ts';
import type { AuditDraft, AuditEntry, AuditMetadata, ChainHead } from '../../src/audit/entry.ts';
import { CHAIN_START, chainStartDraft, followsOf } from '../../src/audit/link-chains.ts';
import { draft } from '../../src/audit/make-draft.ts';
import type { AnchorHead } from '../../src/audit/parse-anchor.ts';
import { carryCuts, collectCuts, cutAt, PRUNE, pruneDraft } from '../../src/audit/prune-chains.ts';

/** Whole numbers from 0 up to a bound, the same for the same seed (mulberry32). */
export type Dice = (bound: number) => number;

export function dice(seed: number): Dice {
  let state = seed >>> 0;
  return (bound) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  };
}

export function uuid(number: number): string {
  return `00000000-0000-4000-8000-${number.toString(16).padStart(12, '0')}`;
}

/** A log kept in memory by the rules that a store keeps: chains that start, grow, end, are linked and are pruned. */
export class AuditLog {
  readonly key: AuditKey;
  /** Chain by chain in order of their start, each in order of seq. */
  chains = new Map<string, AuditEntry[]>();
  removed: AuditEntry[] = [];
  /** Every head that ever stood at the time of a `note`. */
  readonly noted: AnchorHead[] = [];
  now = Date.UTC(2026, 7, 1);
  readonly #heads = new Map<string, ChainHead>();
  readonly #named = new Map<string, number>();
  #ids = 0;

  constructor(key: AuditKey) {
    this.key = key;
  }

  get entries(): AuditEntry[] {
    return [...this.chains.values()].flat();
  }

  get heads(): ChainHead[] {
    return [...this.chains.keys()].flatMap((writer) => this.#heads.get(writer) ?? []);
  }

  start(writer: string): AuditEntry {
    const follows = this.heads.filter((head) => head.seq > (this.#named.get(head.writer) ?? 0));
    for (const head of follows) this.#named.set(head.writer, head.seq);
    this.chains.set(writer, []);
    return this.seal(writer, chainStartDraft({ follows, at: this.#tick(), id: this.#nextId() }));
  }

  append(writer: string, metadata: AuditMetadata = {}, action = 'webhook.receive'): AuditEntry {
    const at = this.#tick();
    const fields = { action, userId: 'instantly:token:1', resource: '/webhooks/instantly', result: 'success' } as const;
    return this.seal(writer, draft({ ...fields, metadata, at, id: this.#nextId() }));
  }

  seal(writer: string, unsealed: AuditDraft): AuditEntry {
    const { metadataText, ...entry } = sealEntry(unsealed, this.#heads.get(writer), writer, this.key);
    const stored = { ...entry, metadata: JSON.parse(metadataText) as AuditMetadata };
    this.#heads.set(writer, { writer, seq: entry.seq, hash: entry.hash });
    this.chains.get(writer)?.push(stored);
    return stored;
  }

  /** Everything older than `before` goes. */
  pruneByAge(writer: string, before: number): void {
    this.prune(writer, (entry) => Date.parse(entry.timestamp) < before, before);
  }

  /** What is due must be a start of each chain. Its record goes into `writer`'s chain. */
  prune(writer: string, due: (entry: AuditEntry) => boolean, before: number): void {
    const previous = collectCuts(
      this.entries.filter(({ action }) => action === PRUNE),
      this.key,
    );
    const made = [...this.chains.values()].flatMap((entries) => {
      const last = entries.filter(due).at(-1);
      return last === undefined ? [] : (cutAt(last, this.key) ?? []);
    });
    const kept = [...this.chains].map(([name, entries]) => [name, entries.filter((entry) => !due(entry))] as const);
    const left = kept.filter(([name, entries]) => entries.length > 0 || name === writer);
    const named = left.flatMap(([, entries]) => entries.slice(0, 1).flatMap(followsOf));
    const live = new Set(left.map(([name]) => name));
    const removed = this.entries.filter(due);
    this.removed.push(...removed);
    this.chains = new Map(left);
    const cut = carryCuts({ previous, made, live, named });
    this.seal(writer, pruneDraft({ cut, before, removed: removed.length, at: this.#tick(), id: this.#nextId() }));
  }

  /** The heads go to the service's log. */
  note(): void {
    this.noted.push(...this.heads.map((head) => ({ ...head, time: this.now })));
  }

  #tick(): number {
    this.now += 1_000;
    return this.now;
  }

  #nextId(): string {
    this.#ids += 1;
    return uuid(this.#ids);
  }
}

/** A log of up to `steps` events, with several chains at once, ends, starts and prunings: by age, as the service
 * prunes, or anyhow, so that a record of pruning may go before what it is needed for. */
export function randomLog(key: AuditKey, roll: Dice, steps: number, pruning: 'by age' | 'anyhow'): AuditLog {
  const log = new AuditLog(key);
  const names = Array.from({ length: 16 }, (_, index) => uuid(0xf000 + ((index * 7) % 16)));
  let live: string[] = [];
  const one = () => live[roll(live.length)] ?? '';
  for (let step = 0; step < steps; step += 1) {
    const throwOf = roll(12);
    if (live.length === 0 || (throwOf === 0 && names.length > 2)) {
      const next = names.shift();
      if (next === undefined) break;
      live.push(next);
      log.start(next);
    } else if (throwOf === 1) live.splice(roll(live.length), 1);
    else if (throwOf === 2) {
      if (pruning === 'by age') log.pruneByAge(one(), log.now - roll(20) * 1_000);
      else pruneAnyhow(log, one(), roll);
      // A chain that was pruned whole goes on under another name.
      live = live.filter((writer) => log.chains.has(writer));
    } else log.append(one(), { status: [200, 401][roll(2)] ?? 0, bytes: roll(9), requestId: `r${roll(99)}` });
    if (throwOf > 7) log.note();
  }
  return log;
}

function pruneAnyhow(log: AuditLog, writer: string, roll: Dice): void {
  const due = new Set([...log.chains.values()].flatMap((chain) => chain.slice(0, roll(3) * roll(chain.length + 1))));
  log.prune(writer, (entry) => due.has(entry), 0);
}

export function isNamed(entries: readonly AuditEntry[], entry: AuditEntry): boolean {
  return entries.some(
    (other) =>
      other.action === CHAIN_START &&
      followsOf(other).some(({ writer, hash }) => writer === entry.writer && hash === entry.hash),
  );
}

/** What an honest service would have given an entry as its hash. */
export function resealed(entry: AuditEntry, key: AuditKey): AuditEntry {
  return { ...entry, hash: hashOf(entry, key) };
}
