import type { ChainHead } from '../../audit/entry.ts';
import { carryCuts, pruneDraft } from '../../audit/prune-chains.ts';
import type { PruneRequest } from '../../inbox/store.ts';
import type { AuditLane, OpenChain } from './audit-lane.ts';
import { SQL } from './audit-statements.ts';
import { newestPrunes, readEntries } from './read-audit.ts';
import type { Runner, Statement } from './transaction.ts';

const OLDEST: Statement = {
  name: 'oldest-entries',
  text: 'SELECT chain, seq, timestamp FROM audit_entries ORDER BY position LIMIT $1::bigint',
};

/** The array makes the server look up positions rather than read the table, whatever it thinks of their number. */
const REMOVE: Statement = {
  name: 'remove-entries',
  text: `DELETE FROM audit_entries WHERE position = ANY (ARRAY(
    SELECT old.position FROM unnest($1::bigint[], $2::bigint[]) AS cut (chain, seq) CROSS JOIN LATERAL (
      SELECT a.position FROM audit_entries a WHERE a.chain = cut.chain AND a.seq <= cut.seq ORDER BY a.seq LIMIT $3::bigint) AS old))`,
};

const HAS_NO_ENTRY = '(SELECT a.seq FROM audit_entries a WHERE a.chain = c.chain LIMIT 1) IS NULL';

/**
 * Rows of chains that have no entry left and that no kept first entry names. `seq` is 0 in a chain that begins in this very
 * transaction, whose entries come last. A chain that somebody is writing to is locked, and stays.
 */
const LOCK_EMPTY: Statement = {
  name: 'lock-empty-chains',
  text: `SELECT c.chain FROM audit_chains c
    WHERE c.chain <> $1 AND c.seq > 0 AND ${HAS_NO_ENTRY}
      AND NOT EXISTS (
        SELECT 1 FROM audit_names n JOIN audit_chains b ON b.chain = n.named_by
          WHERE n.chain = c.chain
            AND (b.seq = 0 OR (SELECT a.seq FROM audit_entries a WHERE a.chain = b.chain AND a.seq = 1 LIMIT 1) IS NOT NULL))
    FOR UPDATE OF c SKIP LOCKED`,
};

/** A statement of its own, so that it sees an entry that was committed just before the chain was locked. */
const FORGET: Statement = {
  name: 'forget-chains',
  text: `WITH gone AS (
      DELETE FROM audit_chains c WHERE c.chain = ANY ($1::bigint[]) AND ${HAS_NO_ENTRY} RETURNING c.chain)
    DELETE FROM audit_names n USING gone WHERE n.chain = gone.chain`,
};

const STILL_THERE: Statement = {
  name: 'chains-still-there',
  text: 'SELECT writer FROM audit_chains WHERE writer = ANY ($1::text[])',
};

export interface DueEntry {
  readonly chain: number;
  readonly seq: number;
  readonly timestamp: string;
}

/**
 * The oldest entries in order of position up to the first that is not due: that is a start of each chain. Where there are
 * any, no chain can start until the end of the transaction, since it would name heads whose cuts are no longer carried;
 * nor does another process prune them too.
 */
export async function dueEntries(runner: Runner, request: PruneRequest): Promise<DueEntry[]> {
  if ((await readDue(runner, request)).length === 0) return [];
  await runner.all(SQL.lockStarts);
  return readDue(runner, request);
}

async function readDue(runner: Runner, { auditBefore, limit }: PruneRequest): Promise<DueEntry[]> {
  const before = new Date(auditBefore).toISOString();
  const entries = await runner.all<DueEntry>(OLDEST, limit);
  const end = entries.findIndex(({ timestamp }) => timestamp >= before);
  return end === -1 ? entries : entries.slice(0, end);
}

/** Returns how many went: none where one of the last to go is not as it was sealed, since a cut is our signature under
 * its removal. `audit verify` names that entry. */
export async function removeEntries(
  runner: Runner,
  { chain, lane }: { readonly chain: OpenChain; readonly lane: AuditLane },
  request: PruneRequest,
  entries: readonly DueEntry[],
): Promise<number> {
  const last = new Map(entries.map(({ chain: number, seq }) => [number, seq]));
  if (last.size === 0) return 0;
  const lasts = await readEntries(
    runner,
    Array.from(last, ([number, seq]) => ({ chain: number, seq })),
  );
  const made = lasts.map(lane.cutAt).filter((cut) => cut !== undefined);
  if (made.length < last.size) return 0;
  const previous = await newestCuts(runner, lane);
  await runner.all(REMOVE, [...last.keys()], [...last.values()], request.limit);
  await forgetEmptyChains(runner, chain.place.chain);
  const live = await stillThere(runner, [...previous, ...made]);
  const cut = carryCuts({ previous, made, live, named: [] });
  chain.append(pruneDraft({ cut, before: request.auditBefore, removed: entries.length, at: request.now }));
  return entries.length;
}

/** Each prune entry carries what the one before it said and still matters, so the newest genuine one says all. */
async function newestCuts(runner: Runner, lane: AuditLane): Promise<ChainHead[]> {
  for await (const entry of newestPrunes(runner)) {
    const cuts = lane.collectCuts([entry]);
    if (cuts.length > 0) return cuts;
  }
  return [];
}

async function forgetEmptyChains(runner: Runner, own: number): Promise<void> {
  const empty = await runner.all<{ chain: number }>(LOCK_EMPTY, own);
  if (empty.length === 0) return;
  await runner.all(
    FORGET,
    empty.map(({ chain }) => chain),
  );
}

/** A chain keeps its row as long as its cut matters: it has entries left, or may get more, or is named by one that is kept. */
async function stillThere(runner: Runner, cuts: readonly ChainHead[]): Promise<Set<string>> {
  const rows = await runner.all<{ writer: string }>(
    STILL_THERE,
    cuts.map(({ writer }) => writer),
  );
  return new Set(rows.map(({ writer }) => writer));
}
