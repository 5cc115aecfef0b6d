import { leadsTo } from '../authenticate/index.ts';
import type { Settings } from '../config/settings.ts';
import { SettingsError } from '../errors/problem.ts';
import { confirmDelivery } from '../instantly/confirm-delivery.ts';
import { describeWebhook, repairCommand } from '../instantly/describe-webhook.ts';
import { ownWebhooks, type Registered, type Registration, registerWebhook } from '../instantly/register-webhook.ts';
import { type Webhook, withTold } from '../instantly/schemas.ts';
import { readTokenBook } from '../instantly/token-book.ts';
import { commandSettings } from './open-store.ts';
import { note, noteLimit, print, printJson, printTable } from './print.ts';
import {
  alone,
  audited,
  operateInstantly,
  readInstantly,
  requireWebhookUrl,
  TOKENS,
  type WritingTools,
} from './with-instantly.ts';

interface JsonOptions {
  readonly json?: true;
}

export async function list({ limit, json }: JsonOptions & { readonly limit: number }): Promise<void> {
  const reports = await readInstantly(async ({ settings, store, reader, signal }) => {
    const found = await reader.webhooks(signal);
    const { book } = await readTokenBook(store, settings.audit.key);
    const described = await Promise.all(
      found.map((webhook) => describeWebhook(webhook, settings.instantly.webhookUrl, settings, book)),
    );
    return described.toSorted((a, b) => Number(b.own) - Number(a.own)).slice(0, limit);
  });
  if (json) {
    printJson(reports);
    return;
  }
  printTable(
    ['id', 'name', 'posts to', 'events', 'campaign', 'status', 'token'],
    reports.map(({ id, name, url, own, eventType, label, campaign, status, token }) => [
      id,
      name,
      own ? `${url} (here)` : url,
      eventType ?? (label === null ? null : `label ${label}`),
      campaign,
      status,
      own ? token : null,
    ]),
  );
  noteLimit(reports.length, limit);
}

export interface RegisterOptions extends JsonOptions {
  readonly event?: string;
  readonly label?: string;
  readonly campaign?: string;
  readonly name: string;
  readonly insecure?: true;
  readonly wait: number;
}

export async function registerOne(options: RegisterOptions): Promise<void> {
  const settings = commandSettings();
  const url = requireWebhookUrl(settings);
  if (!url.startsWith('https:') && options.insecure !== true) {
    throw new SettingsError([
      'PUBLIC_URL is not https: the token would travel readable by everybody on the way; set an https address, or say --insecure',
    ]);
  }
  refuseSigned(settings);
  const registration = {
    url,
    name: options.name,
    eventType: options.label === undefined ? (options.event ?? 'all_events') : null,
    label: options.label,
    campaign: options.campaign ?? null,
  };
  const registered = await operateInstantly(
    (tools) => registerAlone(tools, registration, options.wait * 1_000),
    settings,
  );
  report(registered, url, options.json);
}

export function registerAlone(tools: WritingTools, registration: Registration, withinMs: number): Promise<Registered> {
  return audited(
    tools,
    'webhook.register',
    () => alone(tools, TOKENS, (signal) => registerWebhook({ ...tools, registration, withinMs, signal, onStep: note })),
    ({ webhook, tokenId: id }) => ({ webhookId: webhook.id, tokenId: id }),
  );
}

function report({ webhook, done, tokenId: id, test: seen }: Registered, url: string, json: true | undefined): void {
  if (json) {
    const { id: webhookId, name, event_type: eventType, campaign } = webhook;
    const facts = { name: name ?? null, url, eventType: eventType ?? null, campaign: campaign ?? null };
    printJson({ id: webhookId, done, ...facts, tokenId: id, test: seen });
  } else {
    print(`Webhook ${webhook.id} ${done}: it posts to ${url}.\n`);
    print(`Its test came in by the token ${id} after ${(seen.afterMs / 1_000).toFixed(1)} s (${seen.reason}).\n`);
  }
}

/** Instantly signs nothing, so it alone could never satisfy both. */
function refuseSigned({ authentication }: Settings): void {
  if (authentication.require === 'any') return;
  throw new SettingsError([
    'INSTANTLY_REQUIRE is both, and Instantly signs nothing: register the relay that signs at Instantly by hand, or set INSTANTLY_REQUIRE=any',
  ]);
}

export async function test(id: string | undefined, options: JsonOptions & { readonly wait: number }): Promise<void> {
  const seen = await operateInstantly((tools) =>
    audited(
      tools,
      'webhook.test',
      () => testOne(tools, id, options.wait * 1_000),
      ({ webhookId, tokenId }) => ({ webhookId, tokenId }),
    ),
  );
  if (options.json) printJson(seen);
  else print(`The test of ${seen.webhookId} came in after ${(seen.afterMs / 1_000).toFixed(1)} s (${seen.reason}).\n`);
}

async function testOne(tools: WritingTools, id: string | undefined, withinMs: number) {
  const { settings, store } = tools;
  const webhook = await choose(tools, id);
  const { book } = await readTokenBook(store, settings.audit.key);
  const described = await describeWebhook(webhook, settings.instantly.webhookUrl, settings, book);
  if (webhook.headers && described.token !== 'right') {
    throw new Error(
      `the webhook ${webhook.id} carries ${described.token === 'none' ? 'no token' : 'a token that is not let in here'}; the command "${repairCommand(described)}" sets one that is let in`,
    );
  }
  // Where Instantly does not tell what it carries, a delivery that is let in does.
  const facts = { webhookId: webhook.id, tokenId: described.tokenId };
  return { ...facts, ...(await confirmDelivery({ ...tools, ...facts, withinMs })) };
}

export async function resume(id: string | undefined, { json }: JsonOptions): Promise<void> {
  const resumed = await operateInstantly(async (tools) => {
    const webhook = await audited(
      tools,
      'webhook.resume',
      async () => {
        const before = await choose(tools, id);
        const { status: _, timestamp_error: __, ...rest } = before;
        return withTold(rest, await tools.writer.resumeWebhook(before.id, tools.signal));
      },
      (resumedOne) => ({ webhookId: resumedOne.id }),
    );
    const { book } = await readTokenBook(tools.store, tools.settings.audit.key);
    return describeWebhook(webhook, tools.settings.instantly.webhookUrl, tools.settings, book);
  });
  if (json) printJson(resumed);
  else {
    const { status } = resumed;
    print(`Webhook ${resumed.id} is ${status === 'unknown' ? 'resumed; Instantly tells no status of it' : status}.\n`);
    note('The command "reconcile --all" fetches what Instantly logged meanwhile.');
  }
}

export async function remove(id: string, options: JsonOptions & { readonly other?: true }): Promise<void> {
  await operateInstantly((tools) =>
    audited(
      tools,
      'webhook.delete',
      async () => {
        const webhook = await tools.reader.webhook(id, tools.signal);
        const { webhookUrl } = tools.settings.instantly;
        const isOwn = webhookUrl !== undefined && leadsTo(webhook.target_hook_url, webhookUrl);
        if (!isOwn && options.other !== true) {
          throw new Error(`the webhook ${id} does not post to this receiver; say --other to delete it all the same`);
        }
        await tools.writer.deleteWebhook(id, tools.signal);
      },
      () => ({ webhookId: id }),
    ),
  );
  if (options.json) printJson({ id, deleted: true });
  else print(`Webhook ${id} is deleted.\n`);
}

/** The one named, or the only one that posts here. */
async function choose({ settings, reader, signal }: WritingTools, id: string | undefined): Promise<Webhook> {
  if (id !== undefined) return reader.webhook(id, signal);
  const own = ownWebhooks(await reader.webhooks(signal), requireWebhookUrl(settings));
  const [only, ...others] = own;
  if (only === undefined) {
    throw new Error('no webhook at Instantly posts to this receiver; the command "webhooks register" makes one');
  }
  if (others.length > 0) {
    throw new Error(`${own.length} webhooks post to this receiver; name one: ${own.map((one) => one.id).join(', ')}`);
  }
  return only;
}
