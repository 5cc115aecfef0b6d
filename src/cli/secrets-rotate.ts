import { type Command, Option } from 'commander';
import type { ApiKey } from '../config/settings.ts';
import { type Rotated, type RotateOptions, type RotationStep, rotateToken } from '../instantly/rotate-token.ts';
import { commandSettings, operatorDraft, recordAction } from './open-store.ts';
import { choiceOption, jsonOption, secondsOption, wholeNumber } from './options.ts';
import { note, print, printJson, showTime } from './print.ts';
import { rotateApiKey } from './rotate-api-key.ts';
import { alone, operateInstantly, reasonOf, requireWebhookUrl, TOKENS, type WritingTools } from './with-instantly.ts';

const HOUR_MS = 3_600_000;
const DEFAULT_KEEP_HOURS = 24;

const STEPS: Readonly<Record<RotationStep, string>> = {
  make: 'a new token is made; the store keeps its digest',
  resume: 'an earlier rotation is taken up',
  'await-receivers': 'waiting until every receiver knows it',
  patch: 'setting it at Instantly',
  test: 'having Instantly deliver a test with it',
  replace: 'the new token is proven; the old ones run out',
};

const HELP = `
Without an option it replaces the token that Instantly repeats in a header, on
all webhooks that post here, while deliveries go on: the old one is let in until
the new one is proven, and for --keep-hours more. Whatever fails, nothing is
refused; run it again to go on.

With --api-key: make a key at Instantly with the scopes of the one it replaces,
and give it on stdin. Its workspace and its scopes are looked at, the file named
by the setting's _FILE is written, the running processes take it on, and the old
key is revoked where a key here may do that.

Keys of a signing relay rotate by file: put the new one first in
INSTANTLY_SECRET_FILE, give it to the relay, and take the old one out when
nothing uses it; the receiver reads the file anew by itself.`;

interface RotateCommand {
  readonly keepHours: number;
  readonly wait: number;
  readonly apiKey?: true;
  readonly setting?: ApiKey['setting'];
  readonly from: string;
  readonly unverified?: true;
  readonly json?: true;
}

/** `secrets rotate`. */
export function registerRotate(secrets: Command): void {
  secrets
    .command('rotate')
    .description('replace the token that Instantly carries, without refusing one delivery')
    .addOption(
      new Option('--keep-hours <n>', 'how long the old one is let in afterwards: queued retries carry it')
        .default(DEFAULT_KEEP_HOURS)
        .argParser(wholeNumber(0, 720)),
    )
    .addOption(secondsOption('--wait <seconds>', 'for the receivers, and for each test to come', 60))
    .option('--api-key', 'replace an API key of Instantly instead, with one that you have made there')
    .addOption(
      choiceOption('--setting <name>', 'which of them, where more than one is set', [
        'INSTANTLY_API_KEY',
        'INSTANTLY_READ_KEY',
        'INSTANTLY_WRITE_KEY',
      ]),
    )
    .addOption(new Option('--from <path>', 'where the new API key stands; - reads stdin').default('-'))
    .option('--unverified', 'although the workspace or the scopes of the new API key are not right or cannot be told')
    .addOption(jsonOption())
    .addHelpText('after', HELP)
    .action((options: RotateCommand) => (options.apiKey === true ? rotateApiKey(options) : rotate(options)));
}

async function rotate({ keepHours, wait, json }: RotateCommand): Promise<void> {
  const settings = commandSettings();
  const plan = { url: requireWebhookUrl(settings), keepMs: keepHours * HOUR_MS, withinMs: wait * 1_000 };
  report(await operateInstantly((tools) => rotateAlone(tools, plan), settings), json);
}

/** With an entry in the audit log for each step. */
export async function rotateAlone(
  tools: WritingTools,
  plan: Pick<RotateOptions, 'url' | 'keepMs' | 'withinMs'>,
): Promise<Rotated> {
  const { store } = tools;
  const onStep: RotateOptions['onStep'] = async (step, facts) => {
    note(STEPS[step]);
    await recordAction(store, operatorDraft('secret.rotate', { step, ...facts }));
  };
  try {
    return await alone(tools, TOKENS, (signal) => rotateToken({ ...tools, ...plan, signal, onStep }));
  } catch (error) {
    await recordAction(store, operatorDraft('secret.rotate', { reason: reasonOf(error) }, 'failure'));
    note('The tokens that let deliveries in so far go on doing so. Run the command again to go on from here.');
    throw error;
  }
}

function report({ tokenId, webhooks, replaced, until }: Rotated, json: true | undefined): void {
  if (json) {
    printJson({ tokenId, webhooks, replaced, letInUntil: new Date(until).toISOString() });
    return;
  }
  const names = webhooks.map(({ name, id }) => name ?? id).join(', ');
  print(`Deliveries of ${names} carry the token ${tokenId} now.\n`);
  print(
    replaced.length === 0
      ? 'There was no other.\n'
      : `Replaced: ${replaced.join(', ')}, let in until ${showTime(until)}.\n`,
  );
  note('INSTANTLY_WEBHOOK_TOKEN need not change: what it holds lets nobody in from then on.');
}
