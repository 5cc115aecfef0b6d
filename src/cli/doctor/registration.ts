import { leadsTo, tokenId } from '../../authenticate/index.ts';
import type { Settings } from '../../config/settings.ts';
import { describeWebhook, repairCommand, type WebhookReport } from '../../instantly/describe-webhook.ts';
import { ownWebhooks } from '../../instantly/register-webhook.ts';
import type { Webhook } from '../../instantly/schemas.ts';
import { readTokenBook } from '../../instantly/token-book.ts';
import { type Check, type Finding, fail, ok, Skipped, skip, warn } from './check.ts';
import { instantlyOf, isTrial, settingsOf, storeOf } from './context.ts';
import type { InstantlyLook } from './look-at-instantly.ts';
import { findReceivers } from './receivers.ts';
import { findTwice } from './subscribed-twice.ts';

/** Our webhooks at Instantly: that they are there, active, and carry a token that is let in. */
export const registrationCheck: Check = {
  name: 'registration',
  needs: [
    'DATABASE_URL',
    'PUBLIC_URL',
    'WEBHOOK_PATH',
    'INSTANTLY_API_URL',
    'INSTANTLY_API_KEY',
    'INSTANTLY_READ_KEY',
    'INSTANTLY_WEBHOOK_TOKEN',
    'INSTANTLY_WEBHOOK_TOKEN_HEADER',
    'AUDIT_KEY',
  ],
  run: async (context) => {
    const settings = settingsOf(context);
    const { webhookUrl: url } = settings.instantly;
    if (url === undefined) {
      throw new Skipped(
        'PUBLIC_URL is not set',
        'set it to where Instantly reaches this receiver, such as https://hooks.example.com',
      );
    }
    const all = await listWebhooks(instantlyOf(context));
    const own = ownWebhooks(all, url);
    if (own.length === 0) return [missing(all, url, isTrial(context))];
    const store = storeOf(context);
    const { book } = await readTokenBook(store, settings.audit.key);
    const accepted = (await findReceivers(store)).map(({ tokens }) => tokens.map(tokenId));
    const reports = await Promise.all(own.map((webhook) => describeWebhook(webhook, url, settings, book)));
    return [
      ...nearlyOwn(all, url).map((webhook) =>
        warn(
          `${show(webhook)} posts to nearly the same address, and not to this one: its deliveries are lost`,
          `delete it, or correct its address at Instantly to ${url}`,
        ),
      ),
      ...reports.flatMap((report) => judge(report, accepted)),
      ...judgeRequired(settings),
      ...findTwice(own).map(([one, other]) =>
        warn(
          `${show(one)} and ${show(other)} are both told of some events: each of those comes twice`,
          `delete the one whose events the other covers, with "webhooks delete", or have them told of different ones`,
        ),
      ),
    ];
  },
};

async function listWebhooks(instantly: InstantlyLook): Promise<Webhook[]> {
  try {
    return await instantly.webhooks();
  } catch {
    throw new Skipped('the webhooks could not be listed', 'mend what the line "instantly" names');
  }
}

function missing(all: readonly Webhook[], url: string, inTrial: boolean): Finding {
  if (inTrial && all.length === 0) return skip('none is made yet', 'the command "webhooks register" makes one');
  const [near] = nearlyOwn(all, url);
  const hint = near === undefined ? '' : `; ${show(near)} posts to nearly the same address, and not to this one`;
  return fail(`no webhook at Instantly posts to ${url}${hint}`, 'the command "webhooks register" makes one');
}

function nearlyOwn(all: readonly Webhook[], url: string): Webhook[] {
  return all.filter(
    ({ target_hook_url: other }) => leadsTo(withoutTls(other), withoutTls(url)) && !leadsTo(other, url),
  );
}

function withoutTls(address: string): string {
  return address.replace(/^https:/i, 'http:');
}

/** @param accepted of each receiver that runs, the tokens it lets in */
function judge(report: WebhookReport, accepted: readonly (readonly string[])[]): Finding[] {
  const { status, token, tokenId: id, disabledSince, eventType, label } = report;
  const findings: Finding[] = [];
  if (status === 'disabled') {
    const since = disabledSince === null ? '' : ` since ${disabledSince}`;
    findings.push(
      fail(
        `${show(report)} is disabled${since}: no event comes`,
        'mend why deliveries failed, then run "webhooks resume" and "reconcile --all"',
      ),
    );
  }
  if (status === 'unknown')
    findings.push(warn(`the status of ${show(report)} is not one that is known`, 'see it at Instantly'));
  const repair = `the command "${repairCommand(report)}" sets one that is let in`;
  if (token === 'none') findings.push(fail(`${show(report)} carries no token: each delivery is refused`, repair));
  if (token === 'wrong')
    findings.push(fail(`${show(report)} carries a token that is not let in: each delivery is refused`, repair));
  if (token === 'unknown') {
    findings.push(
      warn(
        `Instantly tells no headers of ${show(report)}: it carries no token, or which one is not known`,
        '"webhooks test" shows whether its deliveries are let in; "webhooks register" sets the token',
      ),
    );
  }
  const behind = accepted.filter((tokens) => token === 'right' && id !== null && !tokens.includes(id)).length;
  if (behind > 0) {
    findings.push(
      fail(
        `${behind} of ${accepted.length} receivers that run do not let in what ${show(report)} carries (${id})`,
        'start them with the same INSTANTLY_WEBHOOK_TOKEN and AUDIT_KEY',
      ),
    );
  }
  if (findings.length > 0) return findings;
  return [
    ok(
      `${show(report)} is active, tells of ${eventType ?? (label === null ? 'what is not known' : `label ${label}`)}, and its token ${id} is let in`,
    ),
  ];
}

/** Instantly signs nothing. */
function judgeRequired({ authentication }: Settings): Finding[] {
  if (authentication.require === 'any') return [];
  return [
    fail(
      'INSTANTLY_REQUIRE is both, and Instantly signs nothing: what it sends here is refused',
      'have it post to the relay that signs, or set INSTANTLY_REQUIRE=any',
    ),
  ];
}

function show({ id, name }: { readonly id: string; readonly name?: string | null | undefined }): string {
  return name ? `webhook ${id} ("${name}")` : `webhook ${id}`;
}
