import { newId } from '../audit/new-id.ts';
import { fingerprintToken, fingerprintTokens, tokenId } from '../authenticate/index.ts';
import { Secret } from '../config/secret.ts';
import type { TokenSettings } from './choose-token.ts';
import { confirmDelivery } from './confirm-delivery.ts';
import { digestOf, tokenOf, withToken } from './header-token.ts';
import { awaitReceivers, mintToken } from './mint-token.ts';
import { livePresences } from './presence.ts';
import type { InstantlyReader } from './reader.ts';
import { ownWebhooks } from './register-webhook.ts';
import type { Webhook } from './schemas.ts';
import {
  identifyTokens,
  markRetirements,
  type Retirement,
  type Rotation,
  readAnyBook,
  type TokenBook,
  type TokenStore,
  writeTokenBook,
} from './token-book.ts';
import type { InstantlyWriter } from './writer.ts';

/** Milliseconds that a patch whose answer was lost may take to be carried out, and whoever rotates to come back. */
const LATE_MS = 7 * 24 * 3_600_000;

export interface RotateOptions {
  readonly store: TokenStore;
  readonly reader: InstantlyReader;
  readonly writer: InstantlyWriter;
  readonly settings: TokenSettings;
  /** PUBLIC_URL and WEBHOOK_PATH. */
  readonly url: string;
  /** Milliseconds for which what is replaced goes on letting deliveries in: retries that Instantly has queued carry it. */
  readonly keepMs: number;
  /** Milliseconds for the receivers to know the token, and again for each test's delivery to come. */
  readonly withinMs: number;
  /** Before each step, with what the audit is to know of it. */
  readonly onStep: (step: RotationStep, facts: Readonly<Record<string, string | number>>) => Promise<void>;
  readonly signal: AbortSignal;
}

export type RotationStep = 'make' | 'resume' | 'await-receivers' | 'patch' | 'test' | 'replace';

export interface Rotated {
  readonly tokenId: string;
  /** For the settings: nothing else keeps its text but Instantly. */
  readonly token: Secret;
  readonly webhooks: readonly { readonly id: string; readonly name: string | null }[];
  /** What lets nobody in after `until`, epoch milliseconds. */
  readonly replaced: readonly string[];
  readonly until: number;
}

/**
 * Replaces the token of all our webhooks at Instantly. Until the last step everything that let deliveries in goes on doing so, so a
 * rotation that fails anywhere refuses nothing, and is taken up where it stopped by running it again.
 *
 * @throws InstantlyApiError; Error that says what to do
 */
export async function rotateToken(options: RotateOptions): Promise<Rotated> {
  const { store, reader, writer, settings, url, withinMs, onStep, signal } = options;
  const all = await reader.webhooks(signal);
  const own = ownWebhooks(all, url);
  await refuseForgotten(
    options,
    all.filter((webhook) => !own.includes(webhook)),
  );
  if (own.length === 0) {
    throw new Error('no webhook at Instantly posts to this receiver; the command "webhooks register" makes one');
  }
  const { token, rotation } = await takeUp(options, own);
  const id = tokenId(rotation.fingerprint);
  await onStep('await-receivers', { tokenId: id });
  await awaitReceivers(store, rotation.fingerprint, withinMs, signal);
  await setStage(options, rotation, 'patching');
  for (const webhook of own) {
    if (tokenOf(webhook, settings.authentication.tokenHeader) === token) continue;
    await onStep('patch', { tokenId: id, webhookId: webhook.id });
    const headers = withToken(webhook, settings.authentication.tokenHeader, token);
    await writer.updateWebhook(webhook.id, { headers }, signal);
  }
  for (const { id: webhookId } of own) {
    await onStep('test', { tokenId: id, webhookId });
    await confirmDelivery({ store, writer, webhookId, tokenId: id, withinMs, signal });
  }
  await refuseChanged(options, token);
  await onStep('replace', { tokenId: id });
  const { replaced, until } = await replaceOthers(options, rotation);
  return {
    tokenId: id,
    token: new Secret(token),
    webhooks: own.map(({ id: webhookId, name }) => ({ id: webhookId, name: name ?? null })),
    replaced: replaced.map(tokenId),
    until,
  };
}

/** A webhook that posts elsewhere with a token of ours, over another name of the receiver perhaps, would be refused once that
 * has run out. */
async function refuseForgotten({ store, settings }: RotateOptions, others: readonly Webhook[]): Promise<void> {
  const known = new Set(await configuredTokens(store, settings));
  const { book } = await readAnyBook(store, settings.audit.key);
  for (const { fingerprint } of book.minted) known.add(fingerprint);
  const carriers = others.filter((webhook) => {
    const digest = digestOf(webhook, settings.authentication.tokenHeader);
    return digest !== undefined && known.has(fingerprintToken(settings.audit.key, digest));
  });
  if (carriers.length === 0) return;
  const ids = carriers.map(({ id }) => id).join(', ');
  throw new Error(
    `the webhook ${ids} carries a token of this receiver and posts to another address than PUBLIC_URL, so it would be refused after a rotation; give it the address of PUBLIC_URL, or delete it ("webhooks list" shows it)`,
  );
}

/** An earlier patch may be carried out after the test of its webhook: the token that it sets must not be retired then. */
async function refuseChanged({ reader, settings, url, signal }: RotateOptions, token: string): Promise<void> {
  const own = ownWebhooks(await reader.webhooks(signal), url);
  const changed = own.filter((webhook) => (tokenOf(webhook, settings.authentication.tokenHeader) ?? token) !== token);
  if (changed.length === 0) return;
  const ids = changed.map(({ id }) => id).join(', ');
  throw new Error(
    `the webhook ${ids} carries another token again: Instantly has carried out an earlier change late, or another user has changed it; run the command again`,
  );
}

interface UnderWay {
  readonly token: string;
  readonly rotation: Rotation;
}

/** A rotation that stopped half way is taken up with its token where a webhook carries that already; the text of one that none
 * carries is lost, and another takes its place. */
async function takeUp({ store, settings, keepMs, onStep }: RotateOptions, own: readonly Webhook[]): Promise<UnderWay> {
  const { book, version } = await readAnyBook(store, settings.audit.key);
  const { rotation } = book;
  const header = settings.authentication.tokenHeader;
  const begun = rotation && book.minted.find(({ fingerprint }) => fingerprint === rotation.fingerprint);
  if (rotation !== null && begun !== null && begun !== undefined) {
    const carrier = own.find((webhook) => digestOf(webhook, header)?.toString('hex') === begun.digest);
    const token = carrier && tokenOf(carrier, header);
    if (token !== undefined) {
      await onStep('resume', { tokenId: tokenId(rotation.fingerprint) });
      return { token, rotation };
    }
  }
  const now = Date.now();
  const made = mintToken(settings.audit.key, now);
  const next: Rotation = { id: newId(), startedAt: now, fingerprint: made.entry.fingerprint, stage: 'made' };
  await onStep('make', { tokenId: tokenId(next.fingerprint) });
  // A patch whose answer was lost may still be carried out, so what it would set goes on letting deliveries in for a while,
  // however short the old ones are to be kept in the end.
  const late = now + Math.max(keepMs, LATE_MS);
  const minted = book.minted.map((one) =>
    one.fingerprint === rotation?.fingerprint ? { ...one, acceptUntil: one.acceptUntil ?? late } : one,
  );
  await writeTokenBook(store, { ...book, minted: [...minted, made.entry], rotation: next }, version);
  return { token: made.token, rotation: next };
}

async function setStage(
  { store, settings }: RotateOptions,
  rotation: Rotation,
  stage: Rotation['stage'],
): Promise<void> {
  const { book, version } = await readAnyBook(store, settings.audit.key);
  refuseOther(book, rotation);
  await writeTokenBook(store, { ...book, rotation: { ...rotation, stage } }, version);
}

/** From here on the new token is the current one, and every other one ends, wherever its text may stand. */
async function replaceOthers(
  { store, settings, keepMs }: RotateOptions,
  { id, fingerprint, ...rotation }: Rotation,
): Promise<{ replaced: string[]; until: number }> {
  const { book, version } = await readAnyBook(store, settings.audit.key);
  refuseOther(book, { id, fingerprint, ...rotation });
  const now = Date.now();
  const until = now + keepMs;
  // By the clock of a receiver that is behind this one too.
  const acceptUntil = keepMs === 0 ? 0 : until;
  // Who keeps the old ones for a shorter time now means those of earlier rotations too.
  const sooner = (one: number | null): number => Math.min(one ?? acceptUntil, acceptUntil);
  const known = new Set([fingerprint, ...book.retirements.map((one) => one.fingerprint)]);
  const configured = await configuredTokens(store, settings);
  const made = book.minted.map((one) => one.fingerprint);
  const leaving = [...new Set([...configured, ...made])].filter((one) => !known.has(one));
  const retire = (one: string): Retirement => {
    const minted = book.minted.find((entry) => entry.fingerprint === one);
    return { fingerprint: one, acceptUntil: sooner(minted?.acceptUntil ?? null), isAudited: false, mark: null };
  };
  const ownTokens = await identifyTokens(settings, book);
  const mintedTokens = book.minted.map((one) => ({ ...one, digest: Buffer.from(one.digest, 'hex'), held: [] }));
  const kept = ownTokens.filter((one) => leaving.includes(one.fingerprint) && !made.includes(one.fingerprint));
  const next: TokenBook = {
    minted: [
      ...book.minted.map((one) =>
        one.fingerprint === fingerprint ? one : { ...one, acceptUntil: sooner(one.acceptUntil) },
      ),
      // The settings are to lose their text, and deliveries that carry them may still be queued.
      ...(keepMs === 0
        ? []
        : kept.map((one) => {
            return { fingerprint: one.fingerprint, digest: one.digest.toString('hex'), madeAt: now, acceptUntil };
          })),
    ],
    retirements: [
      ...book.retirements.map((one) => ({ ...one, acceptUntil: sooner(one.acceptUntil) })),
      ...leaving.map(retire),
    ],
    rotation: null,
    isLost: false,
  };
  await writeTokenBook(store, await markRetirements(next, [...ownTokens, ...mintedTokens]), version);
  const ended = new Set(book.minted.filter((one) => one.acceptUntil !== null).map((one) => one.fingerprint));
  return { replaced: leaving.filter((one) => !ended.has(one)), until };
}

/** Those of this command's settings, and those that any receiver lets in, or would if it knew more. */
async function configuredTokens(store: TokenStore, { authentication, audit }: TokenSettings): Promise<string[]> {
  const own = fingerprintTokens(audit.key, authentication.tokens);
  const theirs = (await livePresences(store)).flatMap(({ tokens, doubtful }) => [...tokens, ...doubtful]);
  return [...new Set([...own, ...theirs])];
}

function refuseOther(book: TokenBook, rotation: Rotation): void {
  if (book.rotation?.id === rotation.id) return;
  throw new Error('another rotation has begun meanwhile; let it end, or run the command again');
}
