import { tokenId } from '../authenticate/index.ts';
import { repairCommand } from './describe-webhook.ts';
import type { Webhook } from './schemas.ts';
import type { WatchedWebhook, WatchState } from './watch-state.ts';

export interface TokenJudge {
  /** Fingerprint of the token that a webhook carries; `null`: it carries none. */
  readonly tokenOf: (webhook: Pick<Webhook, 'headers'>) => string | null;
  /** Whether this process refuses deliveries with that token. A worker takes no deliveries and refuses none. */
  readonly isRefused: (token: string | null) => boolean;
}

/**
 * @param own our webhooks as Instantly lists them now
 * @returns what is refused here, each with the command that fixes it; `null`: nothing
 */
export function explainRefused(own: readonly Webhook[], { tokenOf, isRefused }: TokenJudge): string | null {
  const refused = own
    .filter(tellsHeaders)
    .map((webhook) => ({ webhook, token: tokenOf(webhook) }))
    .filter(({ token }) => isRefused(token));
  if (refused.length === 0) return null;
  return refused.map(({ webhook, token }) => explain(webhook, token)).join('; ');
}

/** By what any process has seen last. */
export function seemsRefused({ webhooks }: Pick<WatchState, 'webhooks'>, { isRefused }: TokenJudge): boolean {
  return webhooks.some(({ token }) => token !== undefined && isRefused(token));
}

export function withTokens(
  watched: readonly WatchedWebhook[],
  own: readonly Webhook[],
  { tokenOf }: TokenJudge,
): WatchedWebhook[] {
  return watched.map((one) => {
    const webhook = own.find(({ id }) => id === one.id);
    return webhook === undefined || !tellsHeaders(webhook) ? one : { ...one, token: tokenOf(webhook) };
  });
}

/** Null says that there are none; where the field is absent it is not known what the webhook carries. */
function tellsHeaders({ headers }: Pick<Webhook, 'headers'>): boolean {
  return headers !== undefined;
}

function explain(webhook: Webhook, token: string | null): string {
  const carried = token === null ? 'no token' : `the token ${tokenId(token)}, which is not let in here`;
  const command = repairCommand({
    name: webhook.name ?? null,
    eventType: webhook.event_type ?? null,
    label: webhook.custom_interest_value ?? null,
    campaign: webhook.campaign ?? null,
  });
  return `each delivery of the webhook ${webhook.id} is refused: it carries ${carried}; the command "${command}" fixes it`;
}
