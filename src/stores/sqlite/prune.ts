import { STRANGERS_RANGE } from '../../audit/chain-memory.ts';
import type { ChainHead } from '../../audit/entry.ts';
import { carryCuts, pruneDraft } from '../../audit/prune-chains.ts';
import type { DeliveryState, PruneRequest, PruneResult } from '../../inbox/store.ts';
import { type DueEntry, lastOfChains, mayHaveMore, pruneOf } from '../due-entries.ts';
import { KEEPS_EVENT } from '../event-row.ts';
import { Tally } from '../tally.ts';
import type { AuditLane } from './audit-lane.ts';
import type { Connection } from './connection.ts';
import { newestPrunes, readEntry } from './read-audit.ts';
import { writeTally } from './write-tally.ts';

/** One short transaction, so that no commit waits long; the caller pauses and comes again. */
export function prune(connection: Connection, lane: AuditLane, request: PruneRequest): PruneResult {
  const after = request.cursor?.eventsAfter ?? 0;
  const due = dueEvents(connection, request, after);
  const entries = [...dueEntries(connection, request), ...dueOfStrangers(connection, request)];
  const cursor = { eventsAfter: due.at(-1)?.seq ?? after };
  const held = dueQuarantine(connection, request);
  if (due.length === 0 && entries.length === 0 && held === 0) return { events: 0, audits: 0, more: false, cursor };
  return connection.transaction(() => {
    const tally = new Tally();
    const events = due.filter(({ finished }) => finished === 1);
    for (const { seq } of events) removeEvent(connection, tally, seq);
    removeQuarantine(connection, request);
    const audits = removeEntries(connection, lane, request, entries);
    writeTally(connection, tally);
    const more = due.length === request.limit || mayHaveMore(entries, audits, request);
    return { events: events.length, audits, more, cursor };
  });
}

/** By receipt, whether they can go or not: what stays is passed over by the cursor, not looked at again in each step. */
function dueEvents(connection: Connection, { eventsBefore, limit }: PruneRequest, after: number) {
  return connection
    .all<{ seq: number; received_at: number; finished: number }>(
      `SELECT e.seq, e.received_at, NOT EXISTS (
          SELECT 1 FROM deliveries d WHERE d.event_seq = e.seq AND ${KEEPS_EVENT}) AS finished
        FROM events e WHERE e.seq > ? ORDER BY e.seq LIMIT ?`,
      after,
      limit,
    )
    .filter(({ received_at: receivedAt }) => receivedAt < eventsBefore);
}

function removeEvent(connection: Connection, tally: Tally, seq: number): void {
  const states = connection.all<{ state: DeliveryState }>('SELECT state FROM deliveries WHERE event_seq = ?', seq);
  for (const { state } of states) tally.add(state, -1);
  connection.run('DELETE FROM deliveries WHERE event_seq = ?', seq);
  connection.run('DELETE FROM dedup_keys WHERE event_seq = ?', seq);
  connection.run('DELETE FROM events WHERE seq = ?', seq);
}

function dueQuarantine(connection: Connection, { eventsBefore }: PruneRequest): number {
  const row = connection.get<{ n: number }>(
    'SELECT count(*) AS n FROM quarantine WHERE last_received_at < ?',
    eventsBefore,
  );
  return row?.n ?? 0;
}

function removeQuarantine(connection: Connection, { eventsBefore, limit }: PruneRequest): void {
  connection.run(
    'DELETE FROM quarantine WHERE seq IN (SELECT seq FROM quarantine WHERE last_received_at < ? LIMIT ?)',
    eventsBefore,
    limit,
  );
}

/** The oldest entries in order of commit up to the first that is not due: that is a start of each chain. */
function dueEntries(connection: Connection, { auditBefore, limit }: PruneRequest): DueEntry[] {
  const before = new Date(auditBefore).toISOString();
  const entries = connection.all<DueEntry>(
    'SELECT chain, seq, timestamp FROM audit_entries ORDER BY position LIMIT ?',
    limit,
  );
  const end = entries.findIndex(({ timestamp }) => timestamp >= before);
  return end === -1 ? entries : entries.slice(0, end);
}

/** The oldest entries of one chain of strangers, which go earlier. Any one, so that a chain that cannot
 * be cut does not keep the others. */
function dueOfStrangers(connection: Connection, request: PruneRequest): DueEntry[] {
  const { auditBefore, anonymousBefore = auditBefore, limit } = request;
  if (anonymousBefore <= auditBefore) return [];
  const before = new Date(anonymousBefore).toISOString();
  const first = connection.get<{ chain: number }>(
    `SELECT c.chain FROM audit_chains c WHERE c.writer >= ? AND c.writer < ? AND (SELECT a.timestamp FROM audit_entries a
      WHERE a.chain = c.chain ORDER BY a.seq LIMIT 1) < ? ORDER BY random() LIMIT 1`,
    ...STRANGERS_RANGE,
    before,
  );
  if (first === undefined) return [];
  const entries = connection.all<DueEntry>(
    'SELECT chain, seq, timestamp FROM audit_entries WHERE chain = ? ORDER BY seq LIMIT ?',
    first.chain,
    limit,
  );
  const end = entries.findIndex(({ timestamp }) => timestamp >= before);
  return end === -1 ? entries : entries.slice(0, end);
}

/** Returns how many went: none of a chain whose last to go is not as it was sealed, since a cut is our signature under its
 * removal. `audit verify` names that entry. */
function removeEntries(
  connection: Connection,
  lane: AuditLane,
  request: PruneRequest,
  entries: readonly DueEntry[],
): number {
  const made: ChainHead[] = [];
  const last: [chain: number, seq: number][] = [];
  for (const [chain, seq] of lastOfChains(entries)) {
    const entry = readEntry(connection, { chain, seq });
    const cut = entry === undefined ? undefined : lane.cutAt(entry);
    if (cut === undefined) continue;
    made.push(cut);
    last.push([chain, seq]);
  }
  if (made.length === 0) return 0;
  const previous = newestCuts(connection, lane);
  const open = lane.open(connection, request.now);
  let removed = 0;
  for (const [chain, seq] of last)
    removed += connection.run('DELETE FROM audit_entries WHERE chain = ? AND seq <= ?', chain, seq).changes;
  const { live, named } = stillNeeded(connection, [...previous, ...made]);
  const cut = carryCuts({ previous, made, live, named });
  open.append(pruneDraft(pruneOf(request, cut, removed)));
  open.close();
  forgetEmptyChains(connection);
  return removed;
}

/** Each prune entry carries what the one before it said and still matters, so the newest genuine one says all. */
function newestCuts(connection: Connection, lane: AuditLane): ChainHead[] {
  for (const entry of newestPrunes(connection)) {
    const cuts = lane.collectCuts([entry]);
    if (cuts.length > 0) return cuts;
  }
  return [];
}

function stillNeeded(connection: Connection, cuts: readonly ChainHead[]): { live: Set<string>; named: ChainHead[] } {
  const live = new Set<string>();
  const named: ChainHead[] = [];
  for (const cut of cuts) {
    const chain = connection.get<{ chain: number; named_by: number | null }>(
      'SELECT chain, named_by FROM audit_chains WHERE writer = ?',
      cut.writer,
    );
    if (chain === undefined) continue;
    if (hasEntries(connection, chain.chain)) live.add(cut.writer);
    else if (chain.named_by !== null && readEntry(connection, { chain: chain.named_by, seq: 1 }) !== undefined)
      named.push(cut);
  }
  return { live, named };
}

function hasEntries(connection: Connection, chain: number): boolean {
  return connection.get('SELECT 1 FROM audit_entries WHERE chain = ? LIMIT 1', chain) !== undefined;
}

/** Rows of chains that have no entry left and that no kept first entry names. */
function forgetEmptyChains(connection: Connection): void {
  connection.run(
    `DELETE FROM audit_chains WHERE seq > 0
      AND NOT EXISTS (SELECT 1 FROM audit_entries a WHERE a.chain = audit_chains.chain)
      AND NOT EXISTS (SELECT 1 FROM audit_entries a WHERE a.chain = audit_chains.named_by AND a.seq = 1)`,
  );
}
