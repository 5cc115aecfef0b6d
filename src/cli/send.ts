import { basename } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { signHeaders } from '../authenticate/index.ts';
import { hostToReach } from '../config/is-loopback.ts';
import type { AuthenticationSettings, Settings } from '../config/settings.ts';
import { SettingsError } from '../errors/problem.ts';
import { sample } from '../events/make-sample.ts';
import { SAMPLES } from '../events/samples.ts';
import { suggestSample } from '../events/suggest-type.ts';
import { interruptible } from './interrupt.ts';
import { didYouMean } from './known-names.ts';
import { LentToken } from './lend-token.ts';
import { commandSettings } from './open-store.ts';
import { jsonOption, wholeNumber } from './options.ts';
import { type Answer, openPost } from './post-event.ts';
import { note } from './print.ts';
import { startProgress } from './progress.ts';
import { readBytes } from './read-bytes.ts';
import { reportAnswers, reportTally, type SentAnswer } from './report-answers.ts';
import { type SendPlan, sendAll } from './send-all.ts';
import { AnswerTally } from './tally-answers.ts';

const MAX_COUNT = 10_000_000;
const MAX_CONCURRENCY = 1_000;
const DEFAULT_CONCURRENCY = 16;
/** Of a receiver that does not take the token; the latter where others were refused before. */
const REFUSED: ReadonlySet<number | null> = new Set([401, 429]);

const HELP = `
Types:
${listTypes()}

Every event is a new one. It is signed with the first secret of each kind in the
settings of this folder; --url may name any receiver with the same secrets.
Where a rotation has replaced the token, send makes one of its own for its run.
Exits 1 if any answer is not 200.`;

/** In lines of 80 columns at the most. */
function listTypes(): string {
  const lines = [' '];
  for (const type of Object.keys(SAMPLES)) {
    const last = lines.at(-1) ?? '';
    if (`${last} ${type},`.length <= 80) lines[lines.length - 1] = `${last} ${type},`;
    else lines.push(`  ${type},`);
  }
  return lines.join('\n').replace(/,$/, '');
}

interface SendOptions {
  readonly all?: true;
  readonly url?: string;
  readonly count?: number;
  readonly rate?: number;
  readonly concurrency: number;
  readonly file?: string;
  readonly json?: true;
}

/** What is sent: a name for the table and the bytes of the event of an index. */
interface Source {
  readonly names: readonly string[];
  readonly body: (index: number) => Uint8Array;
}

/** `send`: signed sample events. */
export function register(program: Command): void {
  program
    .command('send')
    .description('send signed sample events to a receiver, one of each type by default')
    .argument('[type...]', 'types to send')
    .addOption(new Option('--all', 'one of each type, and one with a custom label (the default)'))
    .addOption(new Option('--url <url>', 'where to (default: the receiver of this folder)'))
    .addOption(new Option('--count <n>', 'so many events, of the types in turn').argParser(wholeNumber(1, MAX_COUNT)))
    .addOption(new Option('--rate <n>', 'so many a second at the most').argParser(parseRate))
    .addOption(
      new Option('--concurrency <n>', 'so many at once')
        .default(DEFAULT_CONCURRENCY)
        .argParser(wholeNumber(1, MAX_CONCURRENCY)),
    )
    .addOption(
      new Option('--file <path>', 'send this body as it is, signed; - reads stdin').conflicts(['all', 'count']),
    )
    .addOption(jsonOption())
    .addHelpText('after', HELP)
    .action(send);
}

async function send(types: readonly string[], options: SendOptions, command: Command): Promise<void> {
  refuseUnclear(types, options, command);
  const settings = commandSettings();
  refuseUnsigned(settings);
  const url = options.url === undefined ? ownUrl(settings, command) : readUrl(options.url, command);
  const source = options.file === undefined ? samples(types) : await file(options.file, settings);
  const answers: SentAnswer[] = [];
  const tally = new AnswerTally();
  const started = performance.now();
  const stop = interruptible();
  const count = options.count ?? source.names.length;
  const { post, close } = openPost(url, options.concurrency);
  const token = new LentToken(settings, stop.signal);
  let accepted = settings.authentication;
  const progress = startProgress('events', count);
  const plan: SendPlan = {
    count,
    concurrency: options.concurrency,
    rate: options.rate,
    send: async (index) => {
      const body = source.body(index);
      const send = (authentication: AuthenticationSettings): Promise<Answer> =>
        post(body, signHeaders(authentication, body, Date.now()), stop.signal);
      const answer = await send(accepted);
      if (!REFUSED.has(answer.status)) return answer;
      const lent = await token.authentication();
      if (lent === undefined) return answer;
      accepted = lent;
      return send(lent);
    },
    onAnswer: (answer: Answer, index) => {
      tally.add(answer);
      if (options.count === undefined) answers[index] = { type: source.names[index] ?? '', ...answer };
      progress.update(tally.total);
    },
  };
  try {
    await sendAll(plan, stop.signal);
  } finally {
    close();
    await token.giveBack();
    progress.stop();
    stop.release();
    if (!tally.allWell) process.exitCode = 1;
    const seconds = (performance.now() - started) / 1_000;
    if (tally.total === 0) note('Nothing was sent.');
    else if (options.count === undefined) reportAnswers(answers.filter(Boolean), url, options);
    else reportTally(tally, url, seconds, options);
  }
}

function refuseUnclear(types: readonly string[], options: SendOptions, command: Command): void {
  if (types.length > 0 && options.all) command.error('error: name types or say --all, one of them', { exitCode: 2 });
  if (types.length > 0 && options.file !== undefined) {
    command.error('error: name types or a file, one of them', { exitCode: 2 });
  }
  const unknown = types.find((type) => sample(type, { index: 0, now: 0 }) === undefined);
  if (unknown !== undefined) {
    const advice = didYouMean(suggestSample(unknown)) || '; custom_label is one with a label';
    command.error(`error: there is no sample of the type ${unknown}${advice}`, { exitCode: 2 });
  }
}

function refuseUnsigned({ authentication, dataDir }: Settings): void {
  if (authentication.signatureKeys.length > 0 || authentication.tokens.length > 0) return;
  throw new SettingsError([
    `No secret is set and none is kept in ${dataDir}; set INSTANTLY_WEBHOOK_TOKEN or INSTANTLY_SECRET as the receiver has it, or start the receiver once from this folder`,
  ]);
}

function samples(types: readonly string[]): Source {
  const names = types.length > 0 ? types : Object.keys(SAMPLES);
  return {
    names,
    body: (index) => {
      const payload = sample(names[index % names.length] ?? '', { index, now: Date.now() });
      return Buffer.from(JSON.stringify(payload));
    },
  };
}

async function file(path: string, settings: Settings): Promise<Source> {
  const bytes = await readBytes(path, settings.http.bodyLimitBytes);
  return { names: [path === '-' ? 'stdin' : basename(path)], body: () => bytes };
}

function ownUrl({ host, port, webhookPath }: Settings, command: Command): URL {
  if (port === 0) command.error('error: PORT is 0, so name the receiver with --url', { exitCode: 2 });
  return new URL(`http://${hostToReach(host)}:${port}${webhookPath}`);
}

/** Its faults are told without the address, which may hold a secret. */
function readUrl(text: string, command: Command): URL {
  const url = URL.parse(text);
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    return command.error('error: --url takes an address such as http://localhost:3000/webhooks/instantly', {
      exitCode: 2,
    });
  }
  if (url.username !== '' || url.password !== '') {
    command.error('error: --url takes no user and password', { exitCode: 2 });
  }
  return url;
}

function parseRate(text: string): number {
  const rate = /^\d{1,9}(?:\.\d{1,9})?$/.test(text) ? Number(text) : 0;
  if (rate > 0) return rate;
  throw new InvalidArgumentError('It takes a number above 0.');
}
