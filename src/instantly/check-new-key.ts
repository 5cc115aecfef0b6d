import type { Secret } from '../config/secret.ts';
import type { KeyPurpose } from '../config/settings.ts';
import { InstantlyApiError, lacksScope } from './api-error.ts';
import { type IdentifiedKey, identifyKey } from './identify-key.ts';
import { type Deployment, judgeScopes, type ScopeFinding } from './judge-scopes.ts';
import type { InstantlyReader } from './reader.ts';
import type { ListedApiKey } from './schemas.ts';

export interface NewKeyQuestion {
  readonly next: Secret;
  /** With the key that is to be replaced, or the one for reading. */
  readonly current: InstantlyReader;
  /** With the new key, which need not be one for reading. */
  readonly proposed: InstantlyReader;
  readonly purpose: KeyPurpose;
  readonly deployment: Deployment;
  readonly autoResume: boolean;
  readonly signal: AbortSignal;
}

export interface NewKeyFindings {
  /** Whether it is a key of the workspace in use; `unknown`: neither key may tell. */
  readonly workspace: 'same' | 'other' | 'unknown';
  /** Whether Instantly knows the key that is to be replaced no more, as where it was exposed and deleted at once. */
  readonly isCurrentGone: boolean;
  /** `undefined`: neither key may list keys, or it is not to be told from others. */
  readonly scopes: readonly ScopeFinding[] | undefined;
  /** All keys of the workspace, where one of the two may list them. */
  readonly listed: readonly ListedApiKey[];
}

/**
 * What can be known of a new API key before it is put into use.
 *
 * @throws InstantlyApiError where Instantly does not know it, or cannot be asked
 */
export async function checkNewKey(question: NewKeyQuestion): Promise<NewKeyFindings> {
  const { next, current, proposed, signal } = question;
  const theirs = await workspaceOf(proposed, signal);
  const told = await unlessGone(() => workspaceOf(current, signal));
  const isCurrentGone = told === GONE;
  const ours = told === GONE ? undefined : told;
  // A list that the key in use has given is of its workspace, so a key that stands in it is, too.
  const seen = isCurrentGone ? [] : await listWith(current, signal);
  const inOurs = identifyKey(seen, next);
  const listed = seen.length > 0 ? seen : await listWith(proposed, signal);
  const identified = inOurs ?? identifyKey(listed, next);
  return {
    isCurrentGone,
    workspace: judgeWorkspace(theirs, ours, inOurs),
    scopes: identified?.entry.scopes ? judgeScopes({ ...question, scopes: identified.entry.scopes }) : undefined,
    listed,
  };
}

function judgeWorkspace(
  theirs: string | undefined,
  ours: string | undefined,
  inOurs: IdentifiedKey | undefined,
): NewKeyFindings['workspace'] {
  if (theirs !== undefined && ours !== undefined) return theirs === ours ? 'same' : 'other';
  return inOurs?.by === 'key' ? 'same' : 'unknown';
}

const GONE = Symbol('gone');

async function unlessGone<T>(ask: () => Promise<T>): Promise<T | typeof GONE> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof InstantlyApiError && error.failure === 'unauthorized') return GONE;
    throw error;
  }
}

/** `undefined`: the key may not say. */
async function workspaceOf(reader: InstantlyReader, signal: AbortSignal): Promise<string | undefined> {
  try {
    return (await reader.workspace(signal)).id ?? undefined;
  } catch (error) {
    if (lacksScope(error)) return undefined;
    throw error;
  }
}

async function listWith(reader: InstantlyReader, signal: AbortSignal): Promise<readonly ListedApiKey[]> {
  try {
    return await reader.apiKeys(signal);
  } catch (error) {
    if (lacksScope(error)) return [];
    throw error;
  }
}
