import type { Secret } from '../config/secret.ts';
import type { ApiKey } from '../config/settings.ts';
import { InstantlyApiError, KEYS_PAGE, lacksScope } from '../instantly/api-error.ts';
import { openAccounts } from '../instantly/open-accounts.ts';
import { pause } from '../instantly/pause.ts';
import { operatorId, recordAction } from './open-store.ts';
import type { InstantlyTools } from './with-instantly.ts';

/** Milliseconds that a deleted key may go on working, and between two looks. */
const GONE_WITHIN_MS = 5_000;
const LOOK_MS = 500;

export const CLICK = `delete it at ${KEYS_PAGE}`;

/** An API key that another has replaced. */
export interface OldKey {
  /** As Instantly shows them; `null`: it is not to be told from others in the list. */
  readonly id: string | null;
  readonly name: string | null;
  /** Absent where an earlier run has replaced it: its text is nowhere any more. */
  readonly secret?: Secret;
}

export interface RetireOptions {
  readonly old: OldKey;
  /** For listing, where the key's own text is not known. */
  readonly successor: ApiKey;
  /** `undefined`: there is none. */
  readonly deleting: ApiKey | undefined;
  /** Why it must not be deleted yet; `undefined`: it may be. */
  readonly keep: string | undefined;
}

export interface Retired {
  readonly isRevoked: boolean;
  /** Why the old key is valid still, and what to do; `null`: it is not. */
  readonly why: string | null;
}

/** Deletes a key at Instantly, and looks whether it is valid still. */
export async function retireApiKey(tools: InstantlyTools, options: RetireOptions): Promise<Retired> {
  const why = options.keep ?? (await revoke(tools, options));
  if (why !== null) return { isRevoked: false, why: (await isGone(tools, options)) === true ? null : why };
  const deadline = performance.now() + GONE_WITHIN_MS;
  // Where that cannot be told, Instantly's word that it is deleted counts.
  while ((await isGone(tools, options)) === false) {
    if (performance.now() > deadline)
      return { isRevoked: true, why: 'Instantly has deleted it and takes it still; look again in a minute' };
    await pause(LOOK_MS, tools.signal);
  }
  return { isRevoked: true, why: null };
}

/** `null`: done; else why not. */
async function revoke(tools: InstantlyTools, { old, deleting }: RetireOptions): Promise<string | null> {
  if (old.id === null) return `it is not to be told from others in Instantly's list; ${CLICK}`;
  if (deleting === undefined) return `there is no key for writing; ${CLICK}`;
  try {
    await open(tools, { writeKey: deleting }).writer?.deleteApiKey(old.id, tools.signal);
    return null;
  } catch (error) {
    if (lacksScope(error)) return `no key here has api_keys:delete; ${CLICK}`;
    return `${error instanceof Error ? error.message : 'it failed'}; ${CLICK}`;
  }
}

/** `undefined`: it cannot be told. */
async function isGone(tools: InstantlyTools, { old, successor }: RetireOptions): Promise<boolean | undefined> {
  const { signal } = tools;
  try {
    if (old.secret === undefined) {
      const listed = await open(tools, { readKey: successor }).reader?.apiKeys(signal);
      return listed?.every(({ id }) => id !== old.id);
    }
    await open(tools, { readKey: { ...successor, secret: old.secret } }).reader?.workspace(signal);
    return false;
  } catch (error) {
    if (!(error instanceof InstantlyApiError)) throw error;
    if (error.failure === 'unauthorized') return old.secret === undefined ? undefined : true;
    // Instantly knows the key, whatever that one may do.
    const isKnown = error.failure === 'scope' || error.failure === 'plan';
    return isKnown && old.secret !== undefined ? false : undefined;
  }
}

function open({ settings, store }: InstantlyTools, keys: { readonly readKey?: ApiKey; readonly writeKey?: ApiKey }) {
  const { readKey, writeKey } = keys;
  return openAccounts({ ...settings.instantly, readKey, writeKey }, operatorId(), async (entry) => {
    await recordAction(store, entry);
  });
}
