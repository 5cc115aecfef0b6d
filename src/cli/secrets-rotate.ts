import { existsSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { errnoCode } from '../config/read-text-file.ts';
import type { Secret } from '../config/secret.ts';
import type { ApiKey, Settings } from '../config/settings.ts';
import { writeNewFile } from '../config/write-new-file.ts';
import { type Rotated, type RotateOptions, type RotationStep, rotateToken } from '../instantly/rotate-token.ts';
import { readAnyBook, writeTokenBook } from '../instantly/token-book.ts';
import { TokenCopy } from '../token-copy.ts';
import { commandSettings, operateStore, operatorDraft, recordAction } from './open-store.ts';
import { choiceOption, jsonOption, secondsOption, wholeNumber } from './options.ts';
import { note, print, printJson, showTime } from './print.ts';
import { rotateApiKey } from './rotate-api-key.ts';
import { tokenHome } from './secrets-in-use.ts';
import { replaceInDotenv, replaceSecretFile } from './set-in-dotenv.ts';
import { alone, operateInstantly, reasonOf, requireWebhookUrl, TOKENS, type WritingTools } from './with-instantly.ts';

const SETTING = 'INSTANTLY_WEBHOOK_TOKEN';
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

In the end the new token takes the place of the old one in the settings: in the
.env that sets it, or in the file of INSTANTLY_WEBHOOK_TOKEN_FILE. Where that
cannot be written (an environment variable, a read-only mount, a Kubernetes
secret) the command says what to change; --output gives the token for it. Until
then the log, /readyz and doctor say that a retired token is in the settings.

With --api-key: make a key at Instantly with the scopes of the one it replaces,
and give it on stdin. Its workspace and its scopes are looked at, the file named
by the setting's _FILE is written, the running processes take it on (--wait),
and the old key is revoked where a key here may do that. While the old key is
valid it exits with 1, names that key and says where to delete it; a process
that does not use the new key is named too. Run it again with the same key to
go on.

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
  readonly output?: string;
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
    .option('--output <file>', 'write the new token to this new file too, for settings elsewhere')
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
  secrets
    .command('reset')
    .description('begin the record of rotated tokens anew, where it cannot be read')
    .option('--yes', 'every token of the settings is one that was never replaced')
    .addOption(jsonOption())
    .action(reset);
}

async function rotate({ keepHours, wait, output, json }: RotateCommand): Promise<void> {
  const settings = commandSettings();
  const plan = { url: requireWebhookUrl(settings), keepMs: keepHours * HOUR_MS, withinMs: wait * 1_000 };
  if (output !== undefined && existsSync(output)) throw new Error(`${output} exists already; name a new file`);
  const [rotated, toDo] = await operateInstantly(async (tools) => {
    const done = await rotateAlone(tools, plan);
    await keepCopy(tools);
    const left = writeSettings(settings, done, output);
    const result = left === null ? 'success' : 'failure';
    await recordAction(tools.store, operatorDraft('secret.write', { setting: SETTING, tokenId: done.tokenId }, result));
    return [done, left];
  }, settings);
  report(rotated, toDo, json);
}

/** A receiver on this machine may be killed before it has seen the record, and the store be lost. */
async function keepCopy({ settings, store }: WritingTools): Promise<void> {
  if (!existsSync(settings.dataDir)) return;
  const { book } = await readAnyBook(store, settings.audit.key);
  const copy = new TokenCopy(TokenCopy.fileIn(settings.dataDir), {
    warn: (_: unknown, text?: string) => note(String(text)),
  });
  copy.keep(book);
}

/** The old token has to leave the settings: nothing but the store and this machine's copy of its record know that it is retired.
 * @returns what is left to do; `null`: nothing */
function writeSettings(settings: Settings, { token, webhooks }: Rotated, output: string | undefined): string | null {
  const isGiven = output !== undefined && giveToken(output, token);
  const { tokens, tokenHeader } = settings.authentication;
  if (tokens.length === 0) return null;
  const [{ id } = { id: '' }] = webhooks;
  const where = `the header ${tokenHeader} of the webhook ${id} at Instantly${isGiven ? `, and ${output}` : ''}`;
  const value = `the new token alone (it is in ${where})`;
  const home = tokenHome(settings);
  if (home === undefined)
    return `${SETTING} is a variable of the environment, which holds the old token: set it to ${value} where it is set (a service, a compose file, a Kubernetes Secret), and restart`;
  try {
    if (home.isDotenv) replaceInDotenv(home.path, SETTING, token.reveal());
    else replaceSecretFile(home.path, token.reveal());
    note(`${home.path} holds the new token in the place of the old one.`);
    return null;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return `${why}; ${SETTING} holds the old token there: set it to ${value}${home.isDotenv ? ', and restart' : ''}`;
  }
}

/** Whatever comes of it, the rotation is done. */
function giveToken(output: string, token: Secret): boolean {
  try {
    if (writeNewFile(output, `${token.reveal()}\n`, 0o600)) return true;
    note(`${output} was made by someone else meanwhile, and is left as it is.`);
  } catch (error) {
    note(`${output} cannot be written (${errnoCode(error)}).`);
  }
  return false;
}

/** Begins with what is known of a record that cannot be read: for those who cannot rotate. */
async function reset({ yes, json }: { readonly yes?: true; readonly json?: true }): Promise<void> {
  const settings = commandSettings();
  await operateStore(settings, async (store) => {
    const { book, version } = await readAnyBook(store, settings.audit.key);
    if (!book.isLost) throw new Error('the record of the rotated tokens can be read: there is nothing to reset');
    if (yes !== true)
      throw new Error(
        `afterwards every token of ${SETTING} lets in that is not known to be retired; see that it holds new ones alone, and say --yes`,
      );
    await writeTokenBook(store, { ...book, isLost: false }, version);
    await recordAction(store, operatorDraft('secret.reset'));
  });
  if (json) printJson({ reset: true });
  else print('The record of the rotated tokens has begun anew.\n');
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

function report({ tokenId, webhooks, replaced, until }: Rotated, toDo: string | null, json: true | undefined): void {
  if (json) {
    printJson({ tokenId, webhooks, replaced, letInUntil: new Date(until).toISOString(), toDo });
    return;
  }
  const names = webhooks.map(({ name, id }) => name ?? id).join(', ');
  print(`Deliveries of ${names} carry the token ${tokenId} now.\n`);
  print(
    replaced.length === 0
      ? 'There was no other.\n'
      : `Replaced: ${replaced.join(', ')}, let in until ${showTime(until)}.\n`,
  );
  if (toDo !== null) print(`To do: ${toDo}.\n`);
  note('Other machines whose settings hold the old token need the new one too.');
}
