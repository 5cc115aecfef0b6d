import type { AuditEntry, ChainHead } from '../../audit/entry.ts';
import type { AuditCursor, AuditTail } from '../../inbox/store.ts';
import { AUDIT_COLUMNS, type AuditRow, NAMED_ENTRIES, toEntry, WRITER } from '../audit-row.ts';
import type { Runner, Statement } from './transaction.ts';

const CHAINS: Statement = { name: 'chains', text: 'SELECT chain, seq FROM audit_chains' };

/** How far a cursor (JSON: seq by chain) has come in a chain. No join, which would have the server sort all that lies beyond
 * the cursor before it gives the first page. */
const seen = (chain: string) => `coalesce(($1::jsonb ->> ${chain}::text)::bigint, 0)`;

/** Up to the heads given, which are what the reader goes on from. */
const NEWEST: Statement = {
  name: 'newest-entries',
  text: `${NAMED_ENTRIES} WHERE a.seq <= ${seen('a.chain')} OR c.chain IS NULL ORDER BY a.position DESC LIMIT $2::bigint`,
};

/**
 * What lies beyond a cursor. A position tells nothing about what is still to come: a transaction that began earlier may
 * commit later. So a reader goes by the seq of each chain, and the positions only say where in the table its news begin.
 * One statement, since between two of them a chain might grow by an entry below that place and one above it.
 */
const NEWS: Statement = {
  name: 'news-of-audit',
  text: `WITH start AS MATERIALIZED (
      SELECT min(first.position) AS position FROM audit_chains c CROSS JOIN LATERAL (
        SELECT n.position FROM audit_entries n WHERE n.chain = c.chain AND n.seq > ${seen('c.chain')} ORDER BY n.seq LIMIT 1) AS first
        WHERE c.seq > ${seen('c.chain')}
    )
    ${NAMED_ENTRIES} WHERE a.position >= (SELECT start.position FROM start) AND a.seq > ${seen('a.chain')}
      ORDER BY a.position LIMIT $2::bigint`,
};

/** Chains of which nothing is left beyond a cursor, though they went on: a reader is past them. */
const PRUNED: Statement = {
  name: 'pruned-beyond',
  text: `SELECT c.chain, c.seq FROM audit_chains c WHERE c.seq > ${seen('c.chain')}
    AND (SELECT a.seq FROM audit_entries a WHERE a.chain = c.chain AND a.seq > ${seen('c.chain')} LIMIT 1) IS NULL`,
};

const NEWEST_PRUNE: Statement = {
  name: 'newest-prune',
  text: `${NAMED_ENTRIES} WHERE a.action = 'audit.prune' AND a.position < $1 ORDER BY a.position DESC LIMIT 1`,
};

const ENTRIES_AT: Statement = {
  name: 'entries-at',
  text: `SELECT ${WRITER}, ${AUDIT_COLUMNS} FROM unnest($1::bigint[], $2::bigint[]) AS i (chain, seq)
    CROSS JOIN LATERAL (SELECT * FROM audit_entries e WHERE e.chain = i.chain AND e.seq = i.seq LIMIT 1) AS a
    LEFT JOIN audit_chains c ON c.chain = a.chain`,
};

/** Those that no later chain's first entry has named: all others hang on them. */
const HEADS: Statement = {
  name: 'audit-heads',
  text: `SELECT c.writer, c.seq, c.hash FROM audit_chains c LEFT JOIN audit_names n ON n.chain = c.chain
    WHERE c.seq > coalesce(n.named_seq, 0) ORDER BY c.writer COLLATE "C"`,
};

interface ChainEnd {
  readonly chain: number;
  readonly seq: number;
}

export async function tailAudit(runner: Runner, limit: number, after?: AuditCursor): Promise<AuditTail> {
  return after === undefined
    ? readNewest(runner, limit)
    : readNews(runner, limit, after instanceof Map ? after : new Map());
}

async function readNewest(runner: Runner, limit: number): Promise<AuditTail> {
  const heads = advance(new Map(), await runner.all<ChainEnd>(CHAINS));
  const rows = await runner.all<AuditRow>(NEWEST, toJson(heads), limit);
  return { entries: rows.reverse().map(toEntry), cursor: heads };
}

async function readNews(runner: Runner, limit: number, after: ReadonlyMap<number, number>): Promise<AuditTail> {
  const rows = await runner.all<AuditRow>(NEWS, toJson(after), limit);
  if (rows.length === 0) return { entries: [], cursor: after };
  const read = advance(after, rows);
  const pruned = await runner.all<ChainEnd>(PRUNED, toJson(read));
  return { entries: rows.map(toEntry), cursor: advance(read, pruned) };
}

function toJson(cursor: ReadonlyMap<number, number>): string {
  return JSON.stringify(Object.fromEntries(cursor));
}

function advance(cursor: ReadonlyMap<number, number>, rows: readonly ChainEnd[]): Map<number, number> {
  const next = new Map(cursor);
  for (const { chain, seq } of rows) next.set(chain, Math.max(seq, next.get(chain) ?? seq));
  return next;
}

/** The newest prune entries first. */
export async function* newestPrunes(runner: Runner): AsyncGenerator<AuditEntry> {
  let before = Number.MAX_SAFE_INTEGER;
  for (;;) {
    const [row] = await runner.all<AuditRow>(NEWEST_PRUNE, before);
    if (row === undefined) return;
    before = row.position;
    yield toEntry(row);
  }
}

/** The entries in these places, in any order; where there is none, none. */
export async function readEntries(runner: Runner, places: readonly ChainEnd[]): Promise<AuditEntry[]> {
  return (await readPlaced(runner, places)).map(({ entry }) => entry);
}

/** The same, with the numbers of their chains. */
export async function readPlaced(
  runner: Runner,
  places: readonly ChainEnd[],
): Promise<{ readonly chain: number; readonly entry: AuditEntry }[]> {
  if (places.length === 0) return [];
  const rows = await runner.all<AuditRow>(
    ENTRIES_AT,
    places.map(({ chain }) => chain),
    places.map(({ seq }) => seq),
  );
  return rows.map((row) => ({ chain: row.chain, entry: toEntry(row) }));
}

export async function readHeads(runner: Runner): Promise<ChainHead[]> {
  const rows = await runner.all<{ writer: string; seq: number; hash: Buffer }>(HEADS);
  return rows.map(({ writer, seq, hash }) => ({ writer, seq, hash: hash.toString('hex') }));
}
