import { leadsTo, tokenId } from '../authenticate/index.ts';
import { InstantlyApiError } from './api-error.ts';
import { chooseToken, type TokenSettings } from './choose-token.ts';
import { type Confirmation, confirmDelivery } from './confirm-delivery.ts';
import { withToken } from './header-token.ts';
import { awaitReceivers } from './mint-token.ts';
import type { InstantlyReader } from './reader.ts';
import { type Webhook, withTold } from './schemas.ts';
import type { TokenStore } from './token-book.ts';
import type { InstantlyWriter, WebhookFields } from './writer.ts';

export interface Registration {
  /** Where Instantly is to post. With the name it says which webhook is meant. */
  readonly url: string;
  readonly name: string;
  /** A subscription's name; `null` with a label. */
  readonly eventType: string | null;
  /** The text of a label of the workspace, instead of an event type. */
  readonly label: string | undefined;
  /** UUID; `null`: all campaigns. */
  readonly campaign: string | null;
}

export interface RegisterOptions {
  readonly store: TokenStore;
  readonly reader: InstantlyReader;
  readonly writer: InstantlyWriter;
  readonly settings: TokenSettings;
  readonly registration: Registration;
  /** Milliseconds for the receivers to know a new token, and again for the test's delivery to come. */
  readonly withinMs: number;
  readonly onStep: (step: string) => void;
  readonly signal: AbortSignal;
}

export interface Registered {
  readonly webhook: Webhook;
  readonly done: 'created' | 'updated' | 'unchanged';
  readonly tokenId: string;
  readonly test: Confirmation;
}

/**
 * Makes the webhook, or brings the one with this URL and name to what is wanted, and sees a delivery come. Doing it again changes
 * nothing more, so whatever fails half way is mended by running it again.
 *
 * @throws InstantlyApiError; Error that says what to do
 */
export async function registerWebhook(options: RegisterOptions): Promise<Registered> {
  const { store, reader, writer, settings, registration, withinMs, onStep, signal } = options;
  const { url, name } = registration;
  const own = ownWebhooks(await reader.webhooks(signal), url);
  const before = findNamed(own, name);
  const chosen = await chooseToken(store, settings, own);
  onStep('waiting until every receiver knows the token');
  await awaitReceivers(store, chosen.fingerprint, withinMs, signal);
  const fields: WebhookFields = {
    target_hook_url: url,
    name,
    ...(registration.eventType === null ? {} : { event_type: registration.eventType }),
    campaign: registration.campaign,
    custom_interest_value: await findLabel(reader, registration.label, signal),
    headers: withToken(before ?? {}, settings.authentication.tokenHeader, chosen.token),
  };
  const { webhook, done } = await bringAbout(options, before, fields);
  onStep('testing it');
  const id = tokenId(chosen.fingerprint);
  const test = await confirmDelivery({ store, writer, webhookId: webhook.id, tokenId: id, withinMs, signal });
  return { webhook, done, tokenId: id, test };
}

/** Makes the webhook, changes it, or leaves it alone where it is as wanted already. */
async function bringAbout(
  { reader, writer, onStep, signal }: RegisterOptions,
  before: Webhook | undefined,
  fields: WebhookFields,
): Promise<Pick<Registered, 'webhook' | 'done'>> {
  if (before !== undefined && before.status !== -1 && isAsWanted(before, fields)) {
    return { webhook: before, done: 'unchanged' };
  }
  onStep(before === undefined ? 'making the webhook' : 'bringing the webhook up to date');
  const webhook =
    before === undefined ? await create(reader, writer, fields, signal) : await update(writer, before, fields, signal);
  if (webhook.status === -1) await writer.resumeWebhook(webhook.id, signal);
  return { webhook, done: before === undefined ? 'created' : 'updated' };
}

function isAsWanted(webhook: Webhook, fields: WebhookFields): boolean {
  const names = ['target_hook_url', 'name', 'event_type', 'campaign', 'custom_interest_value'] as const;
  const carried = Object.entries(webhook.headers ?? {});
  return (
    names.every((name) => (webhook[name] ?? null) === (fields[name] ?? null)) &&
    carried.length === Object.keys(fields.headers).length &&
    carried.every(([name, value]) => fields.headers[name] === value)
  );
}

/** Those that post to this receiver. */
export function ownWebhooks(webhooks: readonly Webhook[], url: string): Webhook[] {
  return webhooks.filter(({ target_hook_url: target }) => leadsTo(target, url));
}

/** Where Instantly tells no name of the only one, that is the one: a second would deliver everything twice. */
function findNamed(own: readonly Webhook[], name: string): Webhook | undefined {
  const unnamed = own.filter((webhook) => webhook.name === undefined);
  return own.find((webhook) => webhook.name === name) ?? (unnamed.length === 1 ? unnamed[0] : undefined);
}

/**
 * A subscription to a label has no event type. Whether one that is left out goes away, or only null takes it away, or nothing does,
 * Instantly does not say.
 */
async function update(
  writer: InstantlyWriter,
  before: Webhook,
  fields: Partial<WebhookFields>,
  signal: AbortSignal,
): Promise<Webhook> {
  const told = await writer.updateWebhook(before.id, fields, signal);
  const after = withTold({ ...before, ...fields }, told);
  const { event_type: kept } = told;
  if (fields.event_type !== undefined || kept === null || !(kept ?? before.event_type)) return after;
  try {
    return withTold(
      { ...after, event_type: null },
      await writer.updateWebhook(before.id, { event_type: null }, signal),
    );
  } catch (error) {
    if (!(error instanceof InstantlyApiError) || error.failure !== 'refused') throw error;
    if (kept === undefined) return { ...after, event_type: null };
    throw new Error(
      `Instantly keeps the webhook ${before.id} subscribed to ${String(kept)} beside the label: delete it ("webhooks delete ${before.id}") and run this again, or make a second one with another --name`,
    );
  }
}

/** Where the answer was lost the webhook may be there all the same; a second one would deliver everything twice. */
async function create(
  reader: InstantlyReader,
  writer: InstantlyWriter,
  fields: WebhookFields,
  signal: AbortSignal,
): Promise<Webhook> {
  try {
    return await writer.createWebhook(fields, signal);
  } catch (error) {
    if (!(error instanceof InstantlyApiError) || !(error.isOutcomeUnknown || error.failure === 'unreadable'))
      throw error;
    const own = ownWebhooks(await reader.webhooks(signal), fields.target_hook_url);
    const made = findNamed(own, fields.name);
    if (made === undefined) throw error;
    return update(writer, made, fields, signal);
  }
}

async function findLabel(
  reader: InstantlyReader,
  label: string | undefined,
  signal: AbortSignal,
): Promise<number | null> {
  if (label === undefined) return null;
  const types = (await reader.eventTypes(signal)).filter(({ id, type }) => type !== 'standard' && isValue(id));
  const found = types.find((one) => one.label === label);
  if (found !== undefined) return Number(found.id);
  const labels = types.flatMap((one) => one.label ?? []).join(', ');
  throw new Error(
    `the workspace has no label "${label}"${labels === '' ? ', or Instantly does not tell its labels' : `; it has ${labels}`}`,
  );
}

/** The number that a label goes by. */
function isValue(id: unknown): boolean {
  return (typeof id === 'number' || (typeof id === 'string' && id.trim() !== '')) && Number.isFinite(Number(id));
}
