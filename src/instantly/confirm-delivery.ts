import type { AuditValue } from '../audit/entry.ts';
import { TOO_OLD } from '../inbox/accept.ts';
import type { AuditCursor, AuditTail, Store } from '../inbox/store.ts';
import { InstantlyApiError } from './api-error.ts';
import { pause } from './pause.ts';
import type { TestResult } from './schemas.ts';
import { rememberTestDelivery } from './test-deliveries.ts';
import type { InstantlyWriter } from './writer.ts';

const LOOK_MS = 250;
const PAGE = 1_000;

export interface ConfirmOptions {
  readonly store: Pick<Store, 'tailAudit' | 'readDocument' | 'writeDocument'>;
  readonly writer: InstantlyWriter;
  readonly webhookId: string;
  /** What the audit calls the token that the delivery has to carry; `null`: Instantly does not tell it, and any will do. */
  readonly tokenId: string | null;
  /** Milliseconds for the delivery to come. */
  readonly withinMs: number;
  readonly signal: AbortSignal;
}

export interface Confirmation {
  /** Milliseconds from asking for the test until its delivery was found in the audit log. */
  readonly afterMs: number;
  readonly reason: 'accepted' | 'duplicate' | typeof TOO_OLD;
}

/**
 * Has Instantly deliver a test, and finds in our own audit log that it came and was let in by this very token. Test payloads may
 * be all alike, so a duplicate proves as much as a new event. A delivery that came proves the test, whatever the answer said.
 *
 * @throws Error that says how far it came; InstantlyApiError
 */
export async function confirmDelivery(options: ConfirmOptions): Promise<Confirmation> {
  const { store, writer, webhookId, withinMs, signal } = options;
  const started = performance.now();
  let { cursor } = await store.tailAudit(1);
  const result = await ask(writer, webhookId, signal);
  const deadline = performance.now() + withinMs;
  for (;;) {
    const found = await findDelivery(store, cursor, options.tokenId);
    const [first] = found.deliveries;
    if (first !== undefined) {
      // Beside a real delivery it is not known which of them is the test.
      const isTest = !(result instanceof InstantlyApiError) && result.success === true && found.deliveries.length === 1;
      if (isTest && typeof first.eventId === 'string') await rememberTestDelivery(store, first.eventId);
      return { reason: first.reason, afterMs: Math.round(performance.now() - started) };
    }
    cursor = found.cursor;
    if (performance.now() > deadline) break;
    await pause(LOOK_MS, signal);
  }
  throw result instanceof InstantlyApiError ? result : new Error(explain(result, withinMs));
}

/** @returns why the answer is not known, where the test may have been sent all the same */
async function ask(writer: InstantlyWriter, id: string, signal: AbortSignal): Promise<TestResult | InstantlyApiError> {
  try {
    return await writer.testWebhook(id, signal);
  } catch (error) {
    if (error instanceof InstantlyApiError && (error.isOutcomeUnknown || error.failure === 'unreadable')) return error;
    throw error;
  }
}

interface Found {
  /** Those with the token. */
  readonly deliveries: readonly { readonly reason: Confirmation['reason']; readonly eventId: AuditValue | undefined }[];
  readonly cursor: AuditCursor;
}

/** Everything since the cursor, page by page. */
async function findDelivery(
  store: ConfirmOptions['store'],
  after: AuditCursor,
  tokenId: string | null,
): Promise<Found> {
  const deliveries: Found['deliveries'][number][] = [];
  let cursor = after;
  for (;;) {
    const tail: AuditTail = await store.tailAudit(PAGE, cursor);
    for (const { action, result, metadata } of tail.entries) {
      const { reason } = metadata;
      if (action !== 'webhook.receive' || result !== 'success') continue;
      if (tokenId === null ? metadata['tokenId'] === undefined : metadata['tokenId'] !== tokenId) continue;
      if (reason === 'accepted' || reason === 'duplicate' || reason === TOO_OLD)
        deliveries.push({ reason, eventId: metadata['eventId'] });
    }
    cursor = tail.cursor;
    if (tail.entries.length < PAGE) return { deliveries, cursor };
  }
}

function explain({ success, status_code: status }: TestResult, withinMs: number): string {
  const seconds = Math.round(withinMs / 1_000);
  const came = `no delivery with this token has come within ${seconds} s of the test`;
  if (success) {
    return `${came}, though Instantly says that it was answered with success: does PUBLIC_URL lead to a receiver on this store?`;
  }
  if (typeof success !== 'boolean' && typeof status !== 'number') {
    return `${came}, and Instantly does not say what became of it: check that PUBLIC_URL can be reached from the internet and leads here`;
  }
  const how = status === null || status === undefined ? 'it had no answer' : `it was answered ${status}`;
  return `${came}; Instantly says that ${how}: check that PUBLIC_URL can be reached from the internet and leads here`;
}
