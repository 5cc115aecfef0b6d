import type { AuditEntry, ChainHead } from '../../audit/entry.ts';
import type {
  AuditCursor,
  AuditPosition,
  AuditTail,
  BodyLimits,
  BodyPosition,
  LogDescription,
  StoredBody,
} from '../../inbox/store.ts';
import { AUDIT_COLUMNS, type AuditRow, NAMED_ENTRIES, toEntry, toHex } from '../audit-row.ts';
import { fitBytes, IS_USED } from '../body-page.ts';
import type { Connection } from './connection.ts';

export function tailAudit(connection: Connection, limit: number, cursor?: AuditCursor): AuditTail {
  const after = cursor === 'start' ? 0 : typeof cursor === 'number' ? cursor : undefined;
  const rows =
    after === undefined
      ? connection.all<AuditRow>(`${NAMED_ENTRIES} ORDER BY a.position DESC LIMIT ?`, limit).reverse()
      : connection.all<AuditRow>(`${NAMED_ENTRIES} WHERE a.position > ? ORDER BY a.position LIMIT ?`, after, limit);
  return { entries: rows.map(toEntry), cursor: rows.at(-1)?.position ?? after ?? 0 };
}

/** The newest prune entries first. */
export function* newestPrunes(connection: Connection): Generator<AuditEntry> {
  let before = Number.MAX_SAFE_INTEGER;
  for (;;) {
    const row = connection.get<AuditRow>(
      `${NAMED_ENTRIES} WHERE a.action = 'audit.prune' AND a.position < ? ORDER BY a.position DESC LIMIT 1`,
      before,
    );
    if (row === undefined) return;
    before = row.position;
    yield toEntry(row);
  }
}

export interface EntryPlace {
  readonly chain: number;
  readonly seq: number;
}

export function readEntry(connection: Connection, { chain, seq }: EntryPlace): AuditEntry | undefined {
  const row = connection.get<AuditRow>(`${NAMED_ENTRIES} WHERE a.chain = ? AND a.seq = ?`, chain, seq);
  return row === undefined ? undefined : toEntry(row);
}

interface NamedChain {
  readonly chain: number;
  readonly writer: string;
}

/** The log as one transaction of a connection of its own sees it. */
export class SnapshotReader {
  readonly #connection: Connection;
  readonly #chains: readonly NamedChain[];

  constructor(connection: Connection) {
    this.#connection = connection;
    connection.db.exec('BEGIN');
    this.#chains = listChains(connection);
  }

  read(after: AuditPosition | undefined, limit: number): AuditEntry[] {
    const entries: AuditEntry[] = [];
    for (const { chain, writer } of this.#chains) {
      if (entries.length >= limit) break;
      if (after !== undefined && writer < after.writer) continue;
      const start = writer === after?.writer ? after.seq : Number.MIN_SAFE_INTEGER;
      const rows = this.#page({ chain, writer }, start, limit - entries.length);
      for (const row of rows) entries.push(toEntry(row));
    }
    return entries;
  }

  describe(): LogDescription {
    const heads = this.#connection
      .all<{ writer: string; seq: number; hash: Uint8Array }>('SELECT writer, seq, hash FROM audit_chains')
      .map(({ writer, seq, hash }) => ({ writer, seq, hash: toHex(hash) }));
    return { heads, isUsed: this.#connection.get<{ used: number }>(IS_USED)?.used === 1 };
  }

  bodies(after: BodyPosition | undefined, { rows, bytes }: BodyLimits): StoredBody[] {
    const kind = after?.kind ?? 'event';
    const sizes = this.#connection.all<{ seq: number; bytes: number }>(
      kind === 'event'
        ? 'SELECT seq, bytes FROM events WHERE seq > ? ORDER BY seq LIMIT ?'
        : 'SELECT seq, length(body) AS bytes FROM quarantine WHERE seq > ? ORDER BY seq LIMIT ?',
      after?.seq ?? Number.MIN_SAFE_INTEGER,
      rows,
    );
    if (sizes.length === 0 && kind === 'event')
      return this.bodies({ kind: 'quarantine', seq: Number.MIN_SAFE_INTEGER }, { rows, bytes });
    return fitBytes(sizes, bytes).flatMap(({ seq }) => {
      const row = this.#connection.get<Omit<StoredBody, 'kind'>>(
        kind === 'event'
          ? 'SELECT seq, id, received_at AS receivedAt, body FROM events WHERE seq = ?'
          : 'SELECT seq, id, last_received_at AS receivedAt, body FROM quarantine WHERE seq = ?',
        seq,
      );
      return row === undefined ? [] : [{ kind, ...row }];
    });
  }

  /** Whole in its last `seq`: somebody who has dropped the unique index may have put two entries there, and the next page
   * begins behind it. */
  #page({ chain, writer }: NamedChain, after: number, limit: number): AuditRow[] {
    const select = `SELECT ? AS writer, ${AUDIT_COLUMNS} FROM audit_entries a WHERE a.chain = ?`;
    const rows = this.#connection.all<AuditRow>(
      `${select} AND a.seq > ? ORDER BY a.seq, a.position LIMIT ?`,
      writer,
      chain,
      after,
      limit,
    );
    const last = rows.at(-1);
    if (last === undefined) return rows;
    const lasts = this.#connection.all<AuditRow>(
      `${select} AND a.seq = ? ORDER BY a.position`,
      writer,
      chain,
      last.seq,
    );
    return this.#inPlace([...rows.filter(({ seq }) => seq !== last.seq), ...lasts], chain);
  }

  /** `position` decides what other commands show and in which order, and no hash covers it. A chain only ever grows, so it
   * grows with `seq`; an entry that says otherwise comes out under a name that fails verification. */
  #inPlace(rows: readonly AuditRow[], chain: number): AuditRow[] {
    const first = rows[0]?.seq ?? 0;
    let before =
      this.#connection.get<{ position: number }>(
        'SELECT position FROM audit_entries WHERE chain = ? AND seq < ? ORDER BY seq DESC LIMIT 1',
        chain,
        first,
      )?.position ?? 0;
    return rows.map((row) => {
      const isInPlace = row.position > before;
      before = row.position;
      return isInPlace ? row : { ...row, writer: `${row.writer}, out of place` };
    });
  }

  close(): void {
    this.#connection.close();
  }
}

/** Those that entries name, whether or not they have a row. A second one under a name comes out under another, and fails. Steps from one chain to the next in the index. */
function listChains(connection: Connection): NamedChain[] {
  return connection
    .all<{ chain: number; writer: string }>(
      `WITH RECURSIVE step (chain) AS (
        SELECT min(chain) FROM audit_entries
        UNION ALL
        SELECT (SELECT min(chain) FROM audit_entries WHERE chain > step.chain) FROM step WHERE step.chain IS NOT NULL
      )
      SELECT step.chain, coalesce(c.writer, 'chain ' || step.chain) AS writer
        FROM step LEFT JOIN audit_chains c ON c.chain = step.chain WHERE step.chain IS NOT NULL`,
    )
    .sort((a, b) => (a.writer < b.writer ? -1 : 1))
    .map((chain, index, chains) =>
      chains[index - 1]?.writer === chain.writer
        ? { ...chain, writer: `${chain.writer}, chain ${chain.chain}` }
        : chain,
    );
}

/** Those that no later chain's first entry has named: all others hang on them. */
export function readHeads(connection: Connection): ChainHead[] {
  return connection
    .all<{ writer: string; seq: number; hash: Uint8Array }>(
      'SELECT writer, seq, hash FROM audit_chains WHERE seq > named_seq ORDER BY writer',
    )
    .map(({ writer, seq, hash }) => ({ writer, seq, hash: toHex(hash) }));
}
