import { digestToken, fingerprintToken, leadsTo, tokenId } from '../authenticate/index.ts';
import type { TokenSettings } from './choose-token.ts';
import { candidatesOf } from './header-token.ts';
import type { Webhook } from './schemas.ts';
import { identifyToken, identifyTokens, isRetired, mintedTokensAt, type TokenBook } from './token-book.ts';

/** The name at Instantly of a webhook that was registered without one. */
export const DEFAULT_NAME = 'instantly-webhook-receiver';

export type RegistrationStatus = 'active' | 'disabled' | 'unknown';

/** A webhook without what its headers hold. */
export interface WebhookReport {
  readonly id: string;
  readonly name: string | null;
  readonly url: string;
  /** Whether it posts to this receiver. */
  readonly own: boolean;
  readonly status: RegistrationStatus;
  /** ISO 8601; since when Instantly has had it disabled. `null`: it is not, though an earlier time may still be told. */
  readonly disabledSince: string | null;
  readonly eventType: string | null;
  readonly label: number | null;
  readonly campaign: string | null;
  /** `right`: a receiver with these settings and this store lets in what it carries. `unknown`: Instantly tells no headers. */
  readonly token: 'right' | 'wrong' | 'none' | 'unknown';
  readonly tokenId: string | null;
}

export async function describeWebhook(
  webhook: Webhook,
  url: string | undefined,
  settings: TokenSettings,
  book: TokenBook,
): Promise<WebhookReport> {
  const accepted = await letIn(webhook, settings, book);
  const isAccepted = (one: string): boolean => accepted.has(one);
  const fingerprint = carriedToken(webhook, settings, isAccepted);
  return {
    id: webhook.id,
    name: webhook.name ?? null,
    url: withoutQuery(webhook.target_hook_url),
    own: url !== undefined && leadsTo(webhook.target_hook_url, url),
    status: statusOf(webhook),
    disabledSince: statusOf(webhook) === 'disabled' ? (webhook.timestamp_error ?? null) : null,
    eventType: webhook.event_type ?? null,
    label: webhook.custom_interest_value ?? null,
    campaign: webhook.campaign ?? null,
    token: webhook.headers === undefined ? 'unknown' : judgeToken(fingerprint, isAccepted),
    tokenId: fingerprint === null ? null : tokenId(fingerprint),
  };
}

/** The fingerprint of the token that a webhook carries, one that is accepted before any other; `null`: it carries none. */
export function carriedToken(
  webhook: Pick<Webhook, 'headers'>,
  { authentication, audit }: TokenSettings,
  isAccepted: (fingerprint: string) => boolean,
): string | null {
  const carried = candidatesOf(webhook, authentication.tokenHeader).map((token) =>
    fingerprintToken(audit.key, digestToken(token)),
  );
  return carried.find(isAccepted) ?? carried.at(-1) ?? null;
}

type Subscription = Pick<WebhookReport, 'name' | 'eventType' | 'label' | 'campaign'>;

/** The command that gives this very webhook a token that is accepted, and changes nothing else of it; for a POSIX shell. */
export function repairCommand({ name, eventType, label, campaign }: Subscription): string {
  // Registration finds a webhook by its name, and takes a label by its text alone.
  if (!name || eventType === null || label !== null) return 'secrets rotate';
  const words = [
    'webhooks register',
    ...(eventType === 'all_events' ? [] : ['--event', eventType]),
    ...(campaign === null ? [] : ['--campaign', campaign]),
    ...(name === DEFAULT_NAME ? [] : ['--name', quote(name)]),
  ];
  return words.join(' ');
}

function quote(word: string): string {
  return /^[\w./@:+,=-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

export function statusOf({ status }: Pick<Webhook, 'status'>): RegistrationStatus {
  if (status === 1) return 'active';
  return status === -1 ? 'disabled' : 'unknown';
}

function judgeToken(fingerprint: string | null, isAccepted: (one: string) => boolean): WebhookReport['token'] {
  if (fingerprint === null) return 'none';
  return isAccepted(fingerprint) ? 'right' : 'wrong';
}

/** Fingerprints. Where the record is lost, what Instantly itself carries is what is let in. */
async function letIn(webhook: Webhook, settings: TokenSettings, book: TokenBook): Promise<Set<string>> {
  const now = Date.now();
  const known = await (book.isLost
    ? Promise.all(
        candidatesOf(webhook, settings.authentication.tokenHeader).map((token) =>
          identifyToken(token, settings.audit.key, book),
        ),
      )
    : identifyTokens(settings, book));
  const valid = known.filter((token) => !isRetired(book, token, now));
  return new Set([...mintedTokensAt(book, now), ...valid].map(({ fingerprint }) => fingerprint));
}

/** Others' webhooks may carry a secret in the query or before the host. */
function withoutQuery(address: string): string {
  const url = URL.parse(address);
  return url === null ? '(unreadable)' : `${url.origin}${url.pathname}`;
}
