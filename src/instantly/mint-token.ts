import { digestToken, fingerprintToken, tokenId } from '../authenticate/index.ts';
import { makeToken } from '../config/make-secret.ts';
import type { Secret } from '../config/secret.ts';
import type { Store } from '../inbox/store.ts';
import { pause } from './pause.ts';
import { describeProcess, type LivePresence, livePresences } from './presence.ts';
import type { MintedToken } from './token-book.ts';

const LOOK_MS = 500;

/** A token that exists nowhere else yet. */
export interface NewToken {
  readonly token: string;
  readonly entry: MintedToken;
}

export function mintToken(auditKey: Secret, now: number): NewToken {
  const token = makeToken();
  const digest = digestToken(token);
  const fingerprint = fingerprintToken(auditKey, digest);
  return { token, entry: { digest: digest.toString('hex'), fingerprint, madeAt: now, acceptUntil: null } };
}

/**
 * Resolves once every receiver on this store says that it lets the token in, so that none can refuse a delivery that carries it.
 *
 * @throws Error that names those which do not, or says that there is none
 */
export async function awaitReceivers(
  store: Pick<Store, 'listDocuments' | 'dropDocument'>,
  fingerprint: string,
  withinMs: number,
  signal: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const receivers = (await livePresences(store)).filter(({ role }) => role !== 'worker');
    const behind = receivers.filter(({ tokens }) => !tokens.includes(fingerprint));
    if (receivers.length > 0 && behind.length === 0) return;
    if (performance.now() > deadline) throw new Error(explain(receivers.length, behind, fingerprint));
    await pause(LOOK_MS, signal);
  }
}

function explain(receivers: number, behind: readonly LivePresence[], fingerprint: string): string {
  if (receivers === 0) return 'no receiver is running on this store; start it, and run the command again';
  const list = behind.map(describeProcess).join(', ');
  return `${behind.length} of ${receivers} receivers do not know the token ${tokenId(fingerprint)} yet: ${list}. One that has crashed is forgotten after ten minutes, with SQLite at the next start; run the command again then`;
}
