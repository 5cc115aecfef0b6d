import type { KeyObject } from 'node:crypto';
import { type ChainKind, ChainMemory, kindOf, STRANGERS_RANGE } from '../../audit/chain-memory.ts';
import type { AuditDraft, AuditEntry, ChainHead } from '../../audit/entry.ts';
import { isHead } from '../../audit/heads.ts';
import { chainStartDraft } from '../../audit/link-chains.ts';
import { collectCuts, cutAt, pruneDraft } from '../../audit/prune-chains.ts';
import { explainsAbsence, judgeChain, type Tampering, tamperedDraft } from '../../audit/tampering.ts';
import type { Connection } from './connection.ts';
import { OpenChain, Strand } from './open-chain.ts';
import { newestPrunes, readEntry } from './read-audit.ts';

interface ChainRow {
  readonly chain: number;
  readonly seq: number;
  readonly hash: Uint8Array;
}

interface OwnRow extends ChainRow {
  /** Of the entry that the row names. */
  readonly last: Uint8Array | null;
}

export interface LaneOptions {
  readonly writer: string;
  readonly key: KeyObject;
  /** An earlier thread may have begun the chains. */
  readonly started?: boolean;
  /** What an earlier thread last committed. */
  readonly heads?: readonly ChainHead[];
  /** Entries leave the file one by one: it is a spill. */
  readonly mayLeave?: boolean;
  /** Told once the entry that says so is committed. */
  readonly onTampered?: (found: Tampering) => void;
}

/** Matched with `?`: 1 for chains of strangers, 0 for the others. */
const OF_KIND = `(writer >= '${STRANGERS_RANGE[0]}' AND writer < '${STRANGERS_RANGE[1]}') = ?`;

/**
 * This process's chains in this file: one for entries of strangers, which is begun with the first of them, and one for all
 * others. Their heads are read anew in every transaction, so that after a commit of unknown outcome they go on from what is
 * really there; and held against what was committed last, so that nobody else can set them back.
 */
export class AuditLane {
  readonly #options: LaneOptions;
  readonly #memories: Readonly<Record<ChainKind, ChainMemory>>;
  #findings: readonly Tampering[] = [];
  /** What was committed last; another list after each commit. */
  heads: readonly ChainHead[] = [];

  constructor(options: LaneOptions) {
    const { writer, started = false, heads = [] } = options;
    this.#options = options;
    this.#memories = {
      proven: new ChainMemory('proven', writer, started),
      strangers: new ChainMemory('strangers', writer, started),
    };
    this.#remember(heads);
  }

  /** See `cutAt` and `collectCuts` in the audit room. */
  cutAt = (last: AuditEntry): ChainHead | undefined => cutAt(last, this.#options.key);
  collectCuts = (entries: Iterable<AuditEntry>): ChainHead[] => collectCuts(entries, this.#options.key);

  /** What was found at the start: the next transaction writes it down. */
  writeDown(findings: readonly Tampering[]): void {
    this.#findings = [...this.#findings, ...findings];
  }

  /** To be called inside a transaction; starts the chain where it does not exist yet. */
  open(connection: Connection, now: number): OpenChain {
    const told = this.#findings;
    const found: Tampering[] = [];
    const strand = (kind: ChainKind): Strand => this.#openStrand(connection, now, this.#memories[kind], found);
    const proven = strand('proven');
    return new OpenChain(proven, {
      openStrangers: () => strand('strangers'),
      lastWords: () => [...told, ...found].map((one) => tamperedDraft(one, now)),
      onClosed: (heads) =>
        connection.onCommit(() => {
          this.#remember(heads);
          if (told === this.#findings) this.#findings = [];
          for (const one of found) this.#options.onTampered?.(one);
        }),
    });
  }

  #remember(heads: readonly ChainHead[]): void {
    for (const head of heads) this.#memories[kindOf(head.writer)].committed(head);
    this.heads = Object.values(this.#memories).flatMap(({ head }) => head ?? []);
  }

  /** To be called inside a transaction, before the rows of chains without entries are removed: what writes next begins
   * others. */
  leave(connection: Connection): void {
    for (const memory of Object.values(this.#memories)) {
      const row = this.#read(connection, memory.writer);
      const isEmpty = row === undefined || row.last === null;
      // A fault in it has to be said by what writes next.
      if (isEmpty && this.#judge(connection, memory, row) === undefined) connection.onCommit(() => memory.leave());
    }
  }

  /** To be called inside a transaction, by a lane that has written nothing: removes all other chains, and writes down their
   * heads as cut. Gives how many entries went. */
  replaceAll(connection: Connection, entry: AuditDraft): number {
    const at = Date.parse(entry.timestamp);
    const open = this.open(connection, at);
    const own = open.chain;
    const cut = connection
      .all<ChainRow & { writer: string }>(
        `SELECT chain, writer, seq, hash FROM audit_chains WHERE chain <> ? AND (named_by = ? OR ${OF_KIND})`,
        own,
        own,
        1,
      )
      .map((row) => headOf(row.writer, row))
      .filter(isHead);
    const { changes: removed } = connection.run('DELETE FROM audit_entries WHERE chain <> ?', own);
    connection.run('DELETE FROM audit_chains WHERE chain <> ?', own);
    open.append(pruneDraft({ cut, before: at, removed, at }));
    open.append({ ...entry, metadata: { ...entry.metadata, entries: removed } });
    open.close();
    return removed;
  }

  #openStrand(connection: Connection, now: number, memory: ChainMemory, found: Tampering[]): Strand {
    const { key } = this.#options;
    const row = this.#read(connection, memory.writer);
    if (row === undefined && memory.head === undefined) return this.#start(connection, now, memory);
    const reason = this.#judge(connection, memory, row);
    if (reason === undefined && row !== undefined)
      return new Strand({ connection, key, writer: memory.writer, chain: row.chain, head: headOf(memory.writer, row) });
    memory.started = true;
    const { head, writer } = memory;
    const stored = row && headOf(writer, row);
    const last = head ?? stored;
    if (last !== undefined && this.#wasPruned(connection, last, memory.committedAt)) {
      return row === undefined || stored?.hash !== last.hash
        ? this.#start(connection, now, memory)
        : new Strand({ connection, key, writer, chain: row.chain, head: stored });
    }
    found.push({ reason: reason ?? 'chain-missing', writer, expected: head ?? null, found: stored ?? null });
    return this.#start(connection, now, memory, head);
  }

  #read(connection: Connection, writer: string): OwnRow | undefined {
    return connection.get<OwnRow>(
      `SELECT c.chain, c.seq, c.hash, (SELECT a.hash FROM audit_entries a WHERE a.chain = c.chain AND a.seq = c.seq) AS last
        FROM audit_chains c WHERE c.writer = ?`,
      writer,
    );
  }

  #judge(
    connection: Connection,
    { head, writer }: ChainMemory,
    row: OwnRow | undefined,
  ): ReturnType<typeof judgeChain> {
    const { key, mayLeave = false } = this.#options;
    if (row === undefined) return head === undefined ? undefined : 'chain-missing';
    const found = headOf(writer, row);
    const isSame = found.seq === head?.seq && found.hash === head.hash;
    if (isSame && (row.last === null ? mayLeave : Buffer.compare(row.last, row.hash) === 0)) return undefined;
    const known = head && readEntry(connection, { chain: row.chain, seq: head.seq });
    return judgeChain(head, { head: found, known, newest: readEntry(connection, row) }, { key, mayLeave });
  }

  #wasPruned(connection: Connection, head: ChainHead, since: number): boolean {
    for (const entry of newestPrunes(connection)) {
      const answer = explainsAbsence(entry, head, { key: this.#options.key, since });
      if (answer !== undefined) return answer;
    }
    return false;
  }

  /** @param lost the head of a chain that somebody has tampered with, which the new one names as it was */
  #start(connection: Connection, now: number, memory: ChainMemory, lost?: ChainHead): Strand {
    const writer = memory.nextWriter();
    const kind = Number(memory.kind === 'strangers');
    const unnamed = connection
      .all<ChainRow & { writer: string }>(
        `SELECT chain, writer, seq, hash FROM audit_chains WHERE seq > named_seq AND ${OF_KIND} ORDER BY chain`,
        kind,
      )
      .map((row) => headOf(row.writer, row))
      .filter((head) => isHead(head) && head.writer !== lost?.writer);
    // Above every number in use: somebody may have removed a chain and left its entries, which would be in the way.
    const { lastId: chain } = connection.run(
      `INSERT INTO audit_chains (chain, writer, seq, hash) SELECT max(coalesce((SELECT max(chain) FROM audit_chains), 0),
        coalesce((SELECT max(chain) FROM audit_entries), 0)) + 1, ?, 0, ?`,
      writer,
      new Uint8Array(0),
    );
    connection.run(
      `UPDATE audit_chains SET named_seq = seq, named_by = ? WHERE seq > named_seq AND ${OF_KIND}`,
      chain,
      kind,
    );
    const strand = new Strand({ connection, key: this.#options.key, writer, chain, head: undefined });
    strand.append(chainStartDraft({ follows: lost === undefined ? unnamed : [...unnamed, lost], at: now }));
    return strand;
  }
}

function headOf(writer: string, row: Pick<ChainRow, 'seq' | 'hash'>): ChainHead {
  return { writer, seq: row.seq, hash: Buffer.from(row.hash).toString('hex') };
}
