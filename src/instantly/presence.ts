import { z } from 'zod';
import { PRESENCE_PREFIX as PREFIX } from '../inbox/document-names.ts';
import type { Store } from '../inbox/store.ts';

/** Milliseconds: a process that has not told of itself for so long, and has not signed off, counts as gone. */
export const LIVE_MS = 10 * 60_000;
/** Processes on one store, at the most, that are looked at. */
const MAX_PROCESSES = 1_000;

const presence = z.object({
  role: z.enum(['all', 'receiver', 'worker']),
  /** Fingerprints of the tokens that it lets in. */
  tokens: z.array(z.string()),
  /** And of those of which it does not know whether they were retired. */
  doubtful: z.array(z.string()).default([]),
  /** Fingerprints of the API keys that it calls Instantly with. */
  apiKeys: z.array(z.string()),
  /** Its machine and process id, for people. */
  process: z.string().max(300).optional(),
});
export type Presence = z.output<typeof presence>;

const UNKNOWN: Presence = { role: 'all', tokens: [], doubtful: [], apiKeys: [] };

export interface LivePresence extends Presence {
  readonly owner: string;
  readonly ageMs: number;
  /** Whether this release can read what it told. */
  readonly isKnown: boolean;
}

export async function reportPresence(
  store: Pick<Store, 'writeDocument'>,
  owner: string,
  report: z.input<typeof presence>,
): Promise<void> {
  await store.writeDocument(PREFIX + owner, JSON.stringify(report), null);
}

/** For a process that ends in order. */
export async function signOff(store: Pick<Store, 'dropDocument'>, owner: string): Promise<void> {
  await store.dropDocument(PREFIX + owner);
}

/** For the one process that serves on a SQLite file: what stands there is of processes that ended, or of a restored backup. */
export async function forgetOthers(store: Pick<Store, 'listDocuments' | 'dropDocument'>, owner: string): Promise<void> {
  for (const { name } of await store.listDocuments(PREFIX, MAX_PROCESSES)) {
    if (name !== PREFIX + owner) await store.dropDocument(name);
  }
}

/** Names a process for people. */
export function describeProcess({ owner, process, ageMs }: LivePresence): string {
  const name = process === undefined ? owner : `${process}, ${owner}`;
  return `${name} (heard of ${Math.round(ageMs / 1_000)} s ago)`;
}

/** Processes that serve on this store now, or did within the last ten minutes without signing off; others are forgotten. */
export async function livePresences(store: Pick<Store, 'listDocuments' | 'dropDocument'>): Promise<LivePresence[]> {
  const live: LivePresence[] = [];
  for (const { name, text, ageMs } of await store.listDocuments(PREFIX, MAX_PROCESSES)) {
    const read = presence.safeParse(JSON.parse(text));
    // What another release has written otherwise is there all the same, and not known to know anything.
    const told = read.success ? read.data : UNKNOWN;
    if (ageMs > LIVE_MS) await store.dropDocument(name);
    else live.push({ ...told, owner: name.slice(PREFIX.length), ageMs, isKnown: read.success });
  }
  return live;
}
