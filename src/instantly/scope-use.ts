import type { AuditEntry } from '../audit/entry.ts';
import type { KeyInUse } from '../config/settings.ts';
import type { AuditCursor, AuditTail, Store } from '../inbox/store.ts';
import { ACTIVITY_SCOPES } from './activities.ts';
import { InstantlyApiError, KEYS_PAGE } from './api-error.ts';
import { neededScopes } from './api-uses.ts';
import { type Deployment, MAY_HOLD } from './judge-scopes.ts';
import { allows, OPERATIONS, type OperationName } from './operations.ts';
import { pause } from './pause.ts';
import { readActivities } from './read-activities.ts';
import type { InstantlyReader } from './reader.ts';

/** Days of use that tell which scopes are needed. */
export const USE_DAYS = 30;
const DAY_MS = 86_400_000;
const PAGE = 500;
/** Milliseconds: an entry has the time at which its action began, and stands in the order of the commits. */
const LATE_MS = 10 * 60_000;
/** Answers that show no use: the key was not known, not let in or not tried. */
const UNUSED: readonly unknown[] = ['scope', 'unauthorized', 'blocked', 'excess-scopes'];

type Scopes = ReadonlySet<string>;

export interface ScopeUse {
  /** Days that the audit log reaches back; {@link USE_DAYS} at the most. */
  readonly days: number;
  /** Whether that is long enough to tell. */
  readonly isWhole: boolean;
  /** By the setting of the key: by our audit log. */
  readonly own: ReadonlyMap<string, Scopes>;
  /** By the id of the key: by Instantly's; `undefined`: it cannot be read. */
  readonly theirs: ReadonlyMap<string, Scopes> | undefined;
}

export interface ReadUseOptions {
  readonly store: Pick<Store, 'tailAudit'>;
  readonly reader: InstantlyReader | undefined;
  readonly auditRetentionMs: number;
  readonly now: number;
  /** Between two pages of the log, for the commits that wait. */
  readonly pauseMs: number;
  readonly signal: AbortSignal;
}

/** @returns days that the log reaches back, 0 where it is empty */
export async function daysOfLog(store: Pick<Store, 'tailAudit'>, now: number): Promise<number> {
  // An entry may have been committed long after its action.
  const { entries } = await store.tailAudit(PAGE, 'start');
  const oldest = Math.min(now, ...entries.map(({ timestamp }) => Date.parse(timestamp)));
  return (now - oldest) / DAY_MS;
}

/**
 * Which scopes were used in the last {@link USE_DAYS} days.
 *
 * @throws InstantlyApiError where Instantly cannot be asked now
 */
export async function readScopeUse(options: ReadUseOptions): Promise<ScopeUse> {
  const { store, now, auditRetentionMs } = options;
  const since = now - USE_DAYS * DAY_MS;
  const days = Math.min(USE_DAYS, await daysOfLog(store, now));
  // Pruning takes whole steps of a chain, so the oldest entry is a little younger.
  const isWhole = days >= Math.min(USE_DAYS, auditRetentionMs / DAY_MS) - 1;
  // Instantly first: where it is away the log was read in vain.
  const theirs = await readTheirUse(options, since);
  return { days, isWhole, theirs, own: await readOwnUse(options, since) };
}

async function readTheirUse({ reader, now, signal }: ReadUseOptions, since: number): Promise<ScopeUse['theirs']> {
  if (reader === undefined) return undefined;
  try {
    const { activities } = await readActivities(reader, since, now, signal);
    const used = new Map<string, Set<string>>();
    for (const { activity_type: type, api_key_id: id, audit_metadata: metadata } of activities) {
      const isDeletion = type === 19 && metadata?.['deleted'] === true;
      const scope = isDeletion ? 'webhooks:delete' : ACTIVITY_SCOPES[type ?? 0];
      if (id && scope !== undefined) used.set(id, (used.get(id) ?? new Set()).add(scope));
    }
    return used;
  } catch (error) {
    if (!(error instanceof InstantlyApiError) || error.isPassing) throw error;
    return undefined;
  }
}

async function readOwnUse({ store, pauseMs, signal }: ReadUseOptions, since: number): Promise<ScopeUse['own']> {
  const used = new Map<string, Set<string>>();
  let cursor = await placeOf(store, since - LATE_MS);
  for (;;) {
    signal.throwIfAborted();
    const page: AuditTail = await store.tailAudit(PAGE, cursor);
    for (const entry of page.entries) {
      const call = asUse(entry);
      if (call === undefined || Date.parse(entry.timestamp) < since) continue;
      used.set(call.setting, (used.get(call.setting) ?? new Set()).add(call.scope));
    }
    if (page.entries.length < PAGE) return used;
    cursor = page.cursor;
    if (pauseMs > 0) await pause(pauseMs, signal);
  }
}

/** Positions of one file grow with time, so the years before need not be read; with PostgreSQL they are. */
async function placeOf(store: Pick<Store, 'tailAudit'>, since: number): Promise<AuditCursor> {
  const newest = (await store.tailAudit(1)).cursor;
  if (typeof newest !== 'number') return 'start';
  let [low, high] = [0, newest];
  while (high - low > PAGE) {
    const middle = Math.floor((low + high) / 2);
    const [entry] = (await store.tailAudit(1, middle)).entries;
    if (entry !== undefined && Date.parse(entry.timestamp) < since) low = middle;
    else high = middle;
  }
  return low === 0 ? 'start' : low;
}

function asUse({ action, metadata }: AuditEntry): { readonly setting: string; readonly scope: string } | undefined {
  const { operation, setting, reason } = metadata;
  if (action !== 'instantly.api.call' || typeof setting !== 'string' || UNUSED.includes(reason)) return undefined;
  return isOperation(operation) ? { setting, scope: OPERATIONS[operation].scope } : undefined;
}

function isOperation(name: unknown): name is OperationName {
  return typeof name === 'string' && Object.hasOwn(OPERATIONS, name);
}

export interface UseQuestion {
  readonly used: KeyInUse;
  /** As Instantly lists the key. */
  readonly id: string;
  readonly scopes: readonly string[];
  readonly deployment: Deployment;
  readonly use: ScopeUse;
}

export interface UnusedScopes {
  readonly drop: readonly string[];
  /** Said of the key: `has not used … in 30 days`. */
  readonly found: string;
  readonly fix: string;
}

/** @returns `undefined` where each scope was used, or may be there for reading in this environment */
export function findUnused({ used, id, scopes, deployment, use }: UseQuestion): UnusedScopes | undefined {
  const { setting } = used.key;
  const seen = new Set([...(use.own.get(setting) ?? []), ...(use.theirs?.get(id) ?? [])]);
  const mayStay = (scope: string): boolean => MAY_HOLD[deployment].read === 'anything' && scope.endsWith(':read');
  // A wildcard stands for more than was used of it, so single scopes take its place.
  const drop = scopes.filter((scope) => !mayStay(scope) && !seen.has(scope));
  if (drop.length === 0) return undefined;
  const needed = neededScopes(used.purpose);
  const named = drop.map((scope) => {
    const users = needed.get(scope);
    return users === undefined ? scope : `${scope} (for ${users.join(', ')})`;
  });
  const kept = scopes.filter((scope) => !drop.includes(scope));
  const instead = [...seen].filter((scope) => allows(scopes, scope) && !allows(kept, scope));
  const right = [...kept, ...instead].toSorted().join(', ');
  const source = use.theirs === undefined ? ', by our audit log alone' : '';
  return {
    drop,
    found: `has not used in ${spanOf(use.days)}${source}: ${named.join(', ')}`,
    fix:
      right === ''
        ? `drop ${drop.join(', ')}: take ${setting} away, and delete the key at ${KEYS_PAGE}`
        : `drop ${drop.join(', ')} where nothing else needs them: make a key at ${KEYS_PAGE} with ${right}, and run "instantly-receiver secrets rotate --api-key --setting ${setting}"`,
  };
}

function spanOf(days: number): string {
  const whole = Math.floor(days);
  return whole === 0 ? 'the hours since the audit log begins' : whole === 1 ? '1 day' : `${whole} days`;
}
