import type { KeyObject } from 'node:crypto';
import { type ChainKind, ChainMemory } from '../../audit/chain-memory.ts';
import type { AuditEntry, ChainHead } from '../../audit/entry.ts';
import { isHead } from '../../audit/heads.ts';
import { chainStartDraft } from '../../audit/link-chains.ts';
import { collectCuts, cutAt } from '../../audit/prune-chains.ts';
import { explainsAbsence, judgeChain, type Tampering, tamperedDraft } from '../../audit/tampering.ts';
import { SQL } from './audit-statements.ts';
import type { LogWatch } from './log-watch.ts';
import { OpenChain, type Place, Strand } from './open-chain.ts';
import { newestPrunes, readEntries } from './read-audit.ts';
import type { Runner } from './transaction.ts';

interface ChainRow {
  readonly chain: number;
  readonly seq: number;
  readonly hash: Buffer;
}

export interface LaneOptions {
  readonly writer: string;
  readonly key: KeyObject;
  /** Told of what is found once the entry that says so is committed. */
  readonly log?: LogWatch;
}

interface Known {
  readonly memory: ChainMemory;
  place: Place | undefined;
}

/** What a transaction leaves once it is committed. */
export interface Left {
  readonly places: readonly { readonly kind: ChainKind; readonly place: Place }[];
  readonly found: readonly Tampering[];
  readonly findings: readonly Tampering[];
}

/**
 * The chains of one connection: one for entries of strangers, which is begun with the first of them, and one for all others.
 * The heads are kept between transactions, and a transaction commits only where they are still those in the table; after a
 * transaction that failed or whose outcome is unknown they are read anew, and held against what was committed last.
 */
export class AuditLane {
  readonly #options: LaneOptions;
  readonly #chains: Readonly<Record<ChainKind, Known>>;

  constructor(options: LaneOptions) {
    this.#options = options;
    const known = (kind: ChainKind): Known => ({ memory: new ChainMemory(kind, options.writer), place: undefined });
    this.#chains = { proven: known('proven'), strangers: known('strangers') };
  }

  /** See `cutAt` and `collectCuts` in the audit room. */
  cutAt = (last: AuditEntry): ChainHead | undefined => cutAt(last, this.#options.key);
  collectCuts = (entries: Iterable<AuditEntry>): ChainHead[] => collectCuts(entries, this.#options.key);

  /** To be called inside a transaction; starts the chain where it does not exist yet. */
  async open(runner: Runner, now: number): Promise<OpenChain> {
    const found: Tampering[] = [];
    const findings = this.#options.log?.findings ?? [];
    const strand = (kind: ChainKind): Promise<Strand> => this.#openStrand(runner, now, this.#chains[kind], found);
    return new OpenChain(await strand('proven'), {
      openStrangers: () => strand('strangers'),
      lastWords: () => [...findings, ...found].map((one) => tamperedDraft(one, now)),
      left: (places) => ({ places, found, findings }),
    });
  }

  /** To be called once the transaction is committed. */
  committed({ places, found, findings }: Left): void {
    for (const { kind, place } of places) {
      this.#chains[kind].memory.committed(place.head);
      this.#chains[kind].place = place;
    }
    const { log } = this.#options;
    if (log === undefined) return;
    log.findings = log.findings.filter((one) => !findings.includes(one));
    for (const one of found) log.add(one);
  }

  /** To be called when it is not, or when nobody knows. */
  forget(): void {
    for (const known of Object.values(this.#chains)) known.place = undefined;
  }

  /** After an unknown outcome, in a new transaction: whether the one that was to leave these heads was committed. Waits for it
   * to end where it is still under way. */
  async hasCommitted(runner: Runner, { places }: Left): Promise<boolean> {
    const [first] = places;
    if (first === undefined) return true;
    const { head } = first.place;
    const found = (await readRow(runner, head.writer))?.head;
    return found?.seq === head.seq && found.hash === head.hash;
  }

  async #openStrand(runner: Runner, now: number, { memory, place }: Known, found: Tampering[]): Promise<Strand> {
    const { key } = this.#options;
    if (place !== undefined) return new Strand(memory.kind, key, memory.writer, place);
    const { head, writer } = memory;
    const row = await readRow(runner, writer);
    if (row === undefined && head === undefined) return this.#start(runner, now, memory);
    const reason = await this.#judge(runner, head, row);
    if (reason === undefined && row !== undefined) return new Strand(memory.kind, key, writer, row);
    memory.started = true;
    const last = head ?? row?.head;
    if (last !== undefined && (await this.#wasPruned(runner, last, memory.committedAt))) {
      if (row?.head.hash !== last.hash) return this.#start(runner, now, memory);
      return new Strand(memory.kind, key, writer, row, true);
    }
    found.push({ reason: reason ?? 'chain-missing', writer, expected: head ?? null, found: row?.head ?? null });
    return this.#start(runner, now, memory, head);
  }

  /** @param head `undefined`: no commit of this chain is known */
  async #judge(
    runner: Runner,
    head: ChainHead | undefined,
    row: Place | undefined,
  ): Promise<ReturnType<typeof judgeChain>> {
    if (row === undefined) return 'chain-missing';
    const { chain } = row;
    // A statement of its own, so that it sees what was committed while the row was waited for.
    const entries = await readEntries(runner, [
      { chain, seq: head?.seq ?? row.head.seq },
      { chain, seq: row.head.seq },
    ]);
    const at = (seq: number): AuditEntry | undefined => entries.find((entry) => entry.seq === seq);
    const found = { head: row.head, known: head && at(head.seq), newest: at(row.head.seq) };
    return judgeChain(head, found, { key: this.#options.key, mayLeave: false });
  }

  async #wasPruned(runner: Runner, head: ChainHead, since: number): Promise<boolean> {
    for await (const entry of newestPrunes(runner)) {
      const answer = explainsAbsence(entry, head, { key: this.#options.key, since });
      if (answer !== undefined) return answer;
    }
    return false;
  }

  /** @param lost the head of a chain that somebody has tampered with, which the new one names as it was */
  async #start(runner: Runner, now: number, memory: ChainMemory, lost?: ChainHead): Promise<Strand> {
    const writer = memory.nextWriter();
    // Two that start at once would name the same heads, and neither the other.
    await runner.all(SQL.lockStarts);
    const rows = await runner.all<ChainRow & { writer: string }>(SQL.unnamedHeads, memory.kind === 'strangers');
    const heads = rows.map(({ writer: name, seq, hash }) => ({ writer: name, seq, hash: hash.toString('hex') }));
    const unnamed = heads.filter((head) => isHead(head) && head.writer !== lost?.writer);
    const [made] = await runner.all<{ chain: number }>(SQL.makeChain, writer);
    if (made === undefined) throw new Error('a new audit chain got no number');
    const chains = rows.map(({ chain }) => chain);
    await runner.all(
      SQL.nameHeads,
      chains,
      rows.map(({ seq }) => seq),
      made.chain,
    );
    const opened = new Strand(memory.kind, this.#options.key, writer, { chain: made.chain, head: undefined });
    opened.append(chainStartDraft({ follows: lost === undefined ? unnamed : [...unnamed, lost], at: now }));
    return opened;
  }
}

/** Locks the chain, so that a transaction of a lost connection has ended one way or the other. */
async function readRow(runner: Runner, writer: string): Promise<Place | undefined> {
  const [row] = await runner.all<ChainRow>(SQL.lockChain, writer);
  return row && { chain: row.chain, head: { writer, seq: row.seq, hash: row.hash.toString('hex') } };
}
