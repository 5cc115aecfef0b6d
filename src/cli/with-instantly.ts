import type { AuditMetadata } from '../audit/entry.ts';
import { newId } from '../audit/new-id.ts';
import type { Settings } from '../config/settings.ts';
import { SettingsError } from '../errors/problem.ts';
import { runAlone } from '../inbox/run-alone.ts';
import type { Store } from '../inbox/store.ts';
import { InstantlyApiError, KEYS_PAGE } from '../instantly/api-error.ts';
import { openAccounts } from '../instantly/open-accounts.ts';
import type { InstantlyReader } from '../instantly/reader.ts';
import type { InstantlyWriter } from '../instantly/writer.ts';
import { Interrupted, interruptible } from './interrupt.ts';
import { commandSettings, operateStore, operatorDraft, operatorId, recordAction } from './open-store.ts';

/** Milliseconds after which another command may take over from one that has vanished. */
const LEASE_MS = 30_000;

export interface InstantlyTools {
  readonly settings: Settings;
  readonly store: Store;
  readonly reader: InstantlyReader;
  readonly signal: AbortSignal;
}

export interface WritingTools extends InstantlyTools {
  readonly writer: InstantlyWriter;
}

/** For what only looks: whoever is given these tools has no way to the key for writing. */
export function readInstantly<T>(
  work: (tools: InstantlyTools) => Promise<T>,
  settings: Settings = commandSettings(),
): Promise<T> {
  return withAccounts(settings, false, ({ writer: _, ...tools }) => work(tools));
}

/** For what changes something at Instantly. */
export function operateInstantly<T>(
  work: (tools: WritingTools) => Promise<T>,
  settings: Settings = commandSettings(),
): Promise<T> {
  return withAccounts(settings, true, ({ writer, ...tools }) => {
    if (writer === undefined) throw new SettingsError([missingKey('INSTANTLY_WRITE_KEY', 'writing')]);
    return work({ ...tools, writer });
  });
}

/** Every call is written to the audit log before its answer is used, so there has to be a store first. */
function withAccounts<T>(
  settings: Settings,
  writes: boolean,
  work: (tools: InstantlyTools & { readonly writer: InstantlyWriter | undefined }) => Promise<T>,
): Promise<T> {
  const { readKey, writeKey } = settings.instantly;
  const faults = [
    ...(readKey === undefined ? [missingKey('INSTANTLY_READ_KEY', 'reading')] : []),
    ...(writes && writeKey === undefined ? [missingKey('INSTANTLY_WRITE_KEY', 'writing')] : []),
  ];
  if (faults.length > 0) throw new SettingsError(faults);
  return operateStore(settings, async (store) => {
    const stop = interruptible();
    const keys = writes ? settings.instantly : { ...settings.instantly, writeKey: undefined };
    const { reader, writer } = openAccounts(keys, operatorId(), async (entry) => {
      await recordAction(store, entry);
    });
    if (reader === undefined) throw new SettingsError(faults);
    try {
      return await work({ settings, store, reader, writer, signal: stop.signal });
    } finally {
      stop.release();
    }
  });
}

function missingKey(name: string, what: string): string {
  return `${name} is not set, nor INSTANTLY_API_KEY; make a key for ${what} at ${KEYS_PAGE} and set one of them`;
}

/** Our webhooks are told from others by where they post to. */
export function requireWebhookUrl({ instantly, webhookPath }: Settings): string {
  if (instantly.webhookUrl !== undefined) return instantly.webhookUrl;
  throw new SettingsError([
    `PUBLIC_URL is not set; set it to where Instantly reaches this receiver, such as https://hooks.example.com (${webhookPath} is added)`,
  ]);
}

/** A job that one command at a time may do; `job` is its lease's name, and `what` is said of another one that is at it. */
export async function alone<T>(
  { store, signal }: Pick<InstantlyTools, 'store' | 'signal'>,
  { job, what }: { readonly job: string; readonly what: string },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const round = await runAlone({ store, name: job, owner: newId(), leaseMs: LEASE_MS, signal }, work);
  if (round.ran) return round.result;
  throw new Error(`another ${what} is at work now; one that has vanished is forgotten after half a minute`);
}

/** Two that gave webhooks a token at once could leave them with one that the other has replaced. */
export const TOKENS = { job: 'rotate', what: 'registration or rotation' } as const;

/** What the audit is told of a failure. */
export function reasonOf(error: unknown): string {
  if (error instanceof InstantlyApiError) return error.failure;
  return error instanceof Interrupted ? 'interrupted' : 'failed';
}

/** One entry for what the operator wanted, beside those of the calls it took. */
export async function audited<T>(
  { store }: Pick<InstantlyTools, 'store'>,
  action: string,
  work: () => Promise<T>,
  describe: (result: T) => AuditMetadata,
): Promise<T> {
  let result: T;
  try {
    result = await work();
  } catch (error) {
    await recordAction(store, operatorDraft(action, { reason: reasonOf(error) }, 'failure'));
    throw error;
  }
  await recordAction(store, operatorDraft(action, describe(result)));
  return result;
}
