import type { BodyLimits, BodyPosition, LogDescription, StoredBody } from '../../inbox/store.ts';
import { AUDIT_COLUMNS, type AuditRow } from '../audit-row.ts';
import { fitBytes, IS_USED } from '../body-page.ts';
import type { Runner, Statement } from './transaction.ts';

export interface NamedChain {
  readonly chain: number;
  readonly writer: string;
}

/** Steps from one chain to the next in the index. */
const CHAINS: Statement = {
  name: 'snapshot-chains',
  text: `WITH RECURSIVE step (chain) AS (
      SELECT min(chain) FROM audit_entries
      UNION ALL
      SELECT (SELECT min(chain) FROM audit_entries WHERE chain > step.chain) FROM step WHERE step.chain IS NOT NULL
    )
    SELECT step.chain, coalesce(c.writer, 'chain ' || step.chain) AS writer
      FROM step LEFT JOIN audit_chains c ON c.chain = step.chain WHERE step.chain IS NOT NULL`,
};

const SELECT = `SELECT $1::text AS writer, ${AUDIT_COLUMNS} FROM audit_entries a WHERE a.chain = $2`;
const PAGE: Statement = {
  name: 'snapshot-page',
  text: `${SELECT} AND a.seq > $3 ORDER BY a.seq, a.position LIMIT $4::bigint`,
};
const AT: Statement = { name: 'snapshot-at', text: `${SELECT} AND a.seq = $3 ORDER BY a.position` };
const BEFORE: Statement = {
  name: 'snapshot-before',
  text: 'SELECT position FROM audit_entries WHERE chain = $1 AND seq < $2 ORDER BY seq DESC LIMIT 1',
};

/** Those that entries name, in order of writer, whether or not they have a row. A second one under a name comes out under another, and
 * fails. */
export async function listChains(runner: Runner): Promise<NamedChain[]> {
  const chains = await runner.all<NamedChain>(CHAINS);
  return chains
    .sort((a, b) => (a.writer < b.writer ? -1 : 1))
    .map((chain, index) =>
      chains[index - 1]?.writer === chain.writer
        ? { ...chain, writer: `${chain.writer}, chain ${chain.chain}` }
        : chain,
    );
}

/** Whole in its last `seq`: somebody who has dropped the unique index may have put two entries there, and the next page
 * begins behind it. */
export async function readPage(
  runner: Runner,
  { chain, writer }: NamedChain,
  after: number,
  limit: number,
): Promise<AuditRow[]> {
  const rows = await runner.all<AuditRow>(PAGE, writer, chain, after, limit);
  const [first, last] = [rows[0], rows.at(-1)];
  if (first === undefined || last === undefined) return [];
  const [lasts, [before]] = await Promise.all([
    runner.all<AuditRow>(AT, writer, chain, last.seq),
    runner.all<{ position: number }>(BEFORE, chain, first.seq),
  ]);
  return inPlace([...rows.filter(({ seq }) => seq !== last.seq), ...lasts], before?.position ?? 0);
}

/** `position` decides what other commands show and in which order, and no hash covers it. A chain only ever grows, so it
 * grows with `seq`; an entry that says otherwise comes out under a name that fails verification. */
function inPlace(rows: readonly AuditRow[], start: number): AuditRow[] {
  let before = start;
  return rows.map((row) => {
    const isInPlace = row.position > before;
    before = row.position;
    return isInPlace ? row : { ...row, writer: `${row.writer}, out of place` };
  });
}

const HEADS: Statement = {
  name: 'snapshot-heads',
  text: `SELECT writer, seq, encode(hash, 'hex') AS hash FROM audit_chains`,
};
const USED: Statement = { name: 'snapshot-used', text: IS_USED };

export async function describeLog(runner: Runner): Promise<LogDescription> {
  const heads = await runner.all<LogDescription['heads'][number]>(HEADS);
  const [store] = await runner.all<{ used: boolean }>(USED);
  return { heads, isUsed: store?.used === true };
}

const SIZES = {
  event: { name: 'event-sizes', text: 'SELECT seq, bytes FROM events WHERE seq > $1 ORDER BY seq LIMIT $2::bigint' },
  quarantine: {
    name: 'quarantined-sizes',
    text: 'SELECT seq, length(body) AS bytes FROM quarantine WHERE seq > $1 ORDER BY seq LIMIT $2::bigint',
  },
} satisfies Record<BodyPosition['kind'], Statement>;
const BODIES = {
  event: {
    name: 'event-bodies',
    text: 'SELECT seq, id, received_at AS "receivedAt", body FROM events WHERE seq = ANY ($1::bigint[]) ORDER BY seq',
  },
  quarantine: {
    name: 'quarantined-bodies',
    text: 'SELECT seq, id, last_received_at AS "receivedAt", body FROM quarantine WHERE seq = ANY ($1::bigint[]) ORDER BY seq',
  },
} satisfies Record<BodyPosition['kind'], Statement>;

export async function readBodies(
  runner: Runner,
  after: BodyPosition | undefined,
  limits: BodyLimits,
): Promise<StoredBody[]> {
  const { kind, seq } = after ?? { kind: 'event', seq: Number.MIN_SAFE_INTEGER };
  const sizes = await runner.all<{ seq: number; bytes: number }>(SIZES[kind], seq, limits.rows);
  if (sizes.length === 0 && kind === 'event')
    return readBodies(runner, { kind: 'quarantine', seq: Number.MIN_SAFE_INTEGER }, limits);
  const fit = fitBytes(sizes, limits.bytes).map((row) => row.seq);
  const rows = await runner.all<Omit<StoredBody, 'kind'>>(BODIES[kind], fit);
  return rows.map((row) => ({ kind, ...row }));
}
