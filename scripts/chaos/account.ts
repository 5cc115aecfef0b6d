import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { TestDatabase } from '../../test/support/postgres.ts';
import { HANDLERS } from './handlers.ts';
import type { SentEvent } from './load.ts';
import type { Site } from './site.ts';

/** What a trial has cost; each list is empty where nothing is wrong. */
export interface Account {
  /** Ids answered 200 under which the bytes sent are not found. */
  readonly lost: string[];
  /** Events that a handler was never shown. */
  readonly unseen: string[];
  /** Everything else that does not hold, in words. */
  readonly faults: string[];
}

/** Holds what was answered against what is there. Nobody may be writing any more. */
export async function settleAccount(site: Site, sent: readonly SentEvent[]): Promise<Account> {
  const { database } = site;
  const stored = await readStored(database);
  const aliases = await readAliases(database);
  const audited = await readAudited(database);
  const answers = sent.flatMap(({ hash, answers: each }) => each.map((answer) => ({ hash, ...answer })));
  const lost = answers.filter(({ id, hash }) => stored.get(aliases.get(id) ?? id) !== hash).map(({ id }) => id);
  const unaudited = answers.filter(({ requestId }) => !audited.has(requestId));
  const faults = [
    ...findSurplus(stored, sent),
    ...(await findMiscounts(database, stored.size)),
    ...(await verifyAudit(site)),
    ...site.receivers.flatMap(({ folder }) => findSpilled(folder)),
  ];
  if (unaudited.length > 0) faults.push(`${unaudited.length} answers 200 without an audit entry`);
  if (answers.length === 0) faults.push('nothing was answered 200');
  return { lost, unseen: findUnseen(site, [...stored.keys()]), faults };
}

/** The hash of its bytes by the id of each event. */
async function readStored(database: TestDatabase): Promise<Map<string, string>> {
  const rows = await database.query<{ id: string; hash: string }>(
    `SELECT id, encode(sha256(body), 'hex') AS hash FROM events`,
  );
  return new Map(rows.map(({ id, hash }) => [id, hash]));
}

async function readAliases(database: TestDatabase): Promise<Map<string, string>> {
  const rows = await database.query<{ id: string; event_id: string }>('SELECT id, event_id FROM event_aliases');
  return new Map(rows.map((row) => [row.id, row.event_id]));
}

async function readAudited(database: TestDatabase): Promise<Set<string>> {
  const rows = await database.query<{ request: string | null }>(
    `SELECT metadata::json ->> 'requestId' AS request FROM audit_entries
      WHERE action = 'webhook.receive' AND result = 'success'`,
  );
  return new Set(rows.flatMap(({ request }) => request ?? []));
}

function findUnseen(site: Site, ids: readonly string[]): string[] {
  return HANDLERS.flatMap((handler) => {
    const seen = site.notes(handler);
    return ids.filter((id) => !seen.has(id)).map((id) => `${handler}: ${id}`);
  });
}

function findSurplus(stored: ReadonlyMap<string, string>, sent: readonly SentEvent[]): string[] {
  const expected = new Set(sent.map(({ hash }) => hash));
  // Each content may be there once.
  const surplus = [...stored.values()].filter((hash) => !expected.delete(hash));
  return surplus.length === 0 ? [] : [`${surplus.length} events stored twice, or never sent`];
}

async function findMiscounts(database: TestDatabase, events: number): Promise<string[]> {
  const counts = async (sql: string): Promise<Record<string, number>> => {
    const rows = await database.query<{ state: string; n: string }>(sql);
    return Object.fromEntries(rows.filter(({ n }) => n !== '0').map(({ state, n }) => [state, Number(n)]));
  };
  const real = await counts('SELECT state, count(*) AS n FROM deliveries GROUP BY state ORDER BY state');
  const kept = await counts('SELECT state, sum(n) AS n FROM delivery_counts GROUP BY state ORDER BY state');
  const expected = { done: events * HANDLERS.length };
  const said = JSON.stringify(real);
  return [
    ...(said === JSON.stringify(expected) ? [] : [`deliveries ${said} of ${events} events`]),
    ...(said === JSON.stringify(kept) ? [] : [`deliveries ${said}, counted as ${JSON.stringify(kept)}`]),
  ];
}

async function verifyAudit(site: Site): Promise<string[]> {
  const { code, stdout, stderr } = await site.run('audit', 'verify', '--json');
  return code === 0 ? [] : [`audit verify ended with ${String(code)}: ${(stdout + stderr).slice(0, 500)}`];
}

/** What a receiver that has ended still keeps to itself. */
function findSpilled(folder: string): string[] {
  const file = join(folder, 'data', 'spill.db');
  if (!existsSync(file)) return [];
  const spill = new DatabaseSync(file, { readOnly: true });
  try {
    const left = spill.prepare('SELECT count(*) AS n FROM events').get()?.['n'];
    return left === 0 ? [] : [`${String(left)} events left in ${file}`];
  } finally {
    spill.close();
  }
}
