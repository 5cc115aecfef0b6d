import { STRANGERS_RANGE } from '../../audit/chain-memory.ts';
import type { ChainHead } from '../../audit/entry.ts';
import { carryCuts, pruneDraft } from '../../audit/prune-chains.ts';
import type { PruneRequest } from '../../inbox/store.ts';
import { type DueEntry, lastOfChains, pruneOf } from '../due-entries.ts';
import type { AuditLane } from './audit-lane.ts';
import { SQL } from './audit-statements.ts';
import type { OpenChain } from './open-chain.ts';
import { newestPrunes, readPlaced } from './read-audit.ts';
import type { Runner, Statement } from './transaction.ts';

const OLDEST: Statement = {
  name: 'oldest-entries',
  text: 'SELECT chain, seq, timestamp FROM audit_entries ORDER BY position LIMIT $1::bigint',
};

/** Of one chain of strangers, whose entries go earlier. Any one, so that a chain that cannot be cut does not
 * keep the others. */
const OLDEST_OF_STRANGERS: Statement = {
  name: 'oldest-entries-of-strangers',
  text: `WITH due AS MATERIALIZED (
      SELECT c.chain FROM audit_chains c WHERE starts_with(c.writer, '${STRANGERS_RANGE[0]}')
        AND (SELECT a.timestamp FROM audit_entries a WHERE a.chain = c.chain ORDER BY a.seq LIMIT 1) COLLATE "C" < $1 ORDER BY random() LIMIT 1)
    SELECT chain, seq, timestamp FROM audit_entries WHERE chain = (SELECT due.chain FROM due) ORDER BY seq LIMIT $2::bigint`,
};

/** The array makes the server look up positions rather than read the table, whatever it thinks of their number. */
const REMOVE: Statement = {
  name: 'remove-entries',
  text: `WITH gone AS (DELETE FROM audit_entries WHERE position = ANY (ARRAY(
    SELECT old.position FROM unnest($1::bigint[], $2::bigint[]) AS cut (chain, seq) CROSS JOIN LATERAL (
      SELECT a.position FROM audit_entries a WHERE a.chain = cut.chain AND a.seq <= cut.seq ORDER BY a.seq LIMIT $3::bigint) AS old)) RETURNING 1)
    SELECT count(*) AS n FROM gone`,
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

async function readDue(runner: Runner, request: PruneRequest): Promise<DueEntry[]> {
  const { auditBefore, anonymousBefore = auditBefore, limit } = request;
  const due = upTo(auditBefore, await runner.all<DueEntry>(OLDEST, limit));
  if (anonymousBefore <= auditBefore) return due;
  const before = new Date(anonymousBefore).toISOString();
  return [...due, ...upTo(anonymousBefore, await runner.all<DueEntry>(OLDEST_OF_STRANGERS, before, limit))];
}

function upTo(time: number, entries: readonly DueEntry[]): DueEntry[] {
  const before = new Date(time).toISOString();
  const end = entries.findIndex(({ timestamp }) => timestamp >= before);
  return end === -1 ? [...entries] : entries.slice(0, end);
}

/** Returns how many went: none of a chain whose last to go is not as it was sealed, since a cut is our signature under its
 * removal. `audit verify` names that entry. */
export async function removeEntries(
  runner: Runner,
  { chain, lane }: { readonly chain: OpenChain; readonly lane: AuditLane },
  request: PruneRequest,
  entries: readonly DueEntry[],
): Promise<number> {
  const places = Array.from(lastOfChains(entries), ([number, seq]) => ({ chain: number, seq }));
  const lasts = (await readPlaced(runner, places)).filter(({ entry }) => lane.cutAt(entry) !== undefined);
  if (lasts.length === 0) return 0;
  const made = lasts.map(({ entry }) => entry);
  const previous = await newestCuts(runner, lane);
  const numbers = lasts.map((last) => last.chain);
  const seqs = made.map(({ seq }) => seq);
  const gone = await runner.all<{ n: number }>(REMOVE, numbers, seqs, request.limit);
  const removed = gone[0]?.n ?? 0;
  chain.entriesGo();
  await forgetEmptyChains(runner, chain.chain);
  const live = await stillThere(runner, [...previous, ...made]);
  const cut = carryCuts({ previous, made, live, named: [] });
  chain.append(pruneDraft(pruneOf(request, cut, removed)));
  return removed;
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
