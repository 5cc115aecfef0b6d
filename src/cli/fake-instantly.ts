import { type Command, InvalidArgumentError, Option } from 'commander';
import { SettingsError } from '../errors/problem.ts';
import type { SetUp } from '../fake-instantly/options.ts';
import type { FakeInstantly } from '../fake-instantly/start-fake-instantly.ts';
import { emitSamples } from './emit-samples.ts';
import { jsonOption, wholeNumber } from './options.ts';
import { note, print, printJson } from './print.ts';
import { readBytes } from './read-bytes.ts';

const DEFAULT_PORT = 3_100;
const MAX_PORT = 65_535;
const MAX_RATE = 1_000;
/** Milliseconds for the last of the output. */
const END_LIMIT_MS = 2_000;
const SET_UP_BYTES = 16 * 1024 * 1024;

const HELP = `
It keeps everything in memory, and sends deliveries to this machine only unless
--allow-remote says otherwise.

Try it:
  instantly-receiver fake-instantly --deliver-to http://127.0.0.1:3000
  Start the receiver with the INSTANTLY_ lines it prints and register its
  webhook: whatever https address the webhook names, its deliveries go to
  --deliver-to, with the webhook's own path.

The control side, below /_fake, answers calls from this machine only, and needs
no key:
  curl http://127.0.0.1:3100/_fake
  curl -H 'content-type: application/json' http://127.0.0.1:3100/_fake/events \\
    -d '{"type": "reply_received", "count": 3}'
  curl -H 'content-type: application/json' http://127.0.0.1:3100/_fake/events \\
    -d '{"event_type": "email_sent", "lead_email": "a@b.example"}'
  curl -H 'content-type: application/json' http://127.0.0.1:3100/_fake/faults \\
    -d '{"operation": "GET /webhooks", "fault": 503, "times": 2}'
  curl -X DELETE http://127.0.0.1:3100/_fake/faults
  curl -H 'content-type: application/json' -d '{"perSecond": 5}' \\
    http://127.0.0.1:3100/_fake/rate-limit
  curl -H 'content-type: application/json' http://127.0.0.1:3100/_fake/advance \\
    -d '{"ms": 60000}'
  curl -X POST http://127.0.0.1:3100/_fake/webhooks/ID/disable
  curl http://127.0.0.1:3100/_fake/calls

  events      a payload as it is, or the next samples of a type;
              "deliver": false: it happens, and no webhook tells of it
  faults      401, 402, 403, 404, 429, 500, 503, "hang", "drop", "broken-json",
              "edge" (403 in HTML), {"lacks": FIELD}, {"nulls": FIELD},
              {"adds": FIELD}, {"answer": JSON} (in place of its own),
              {"status": 429, "retryAfter": 2},
              {"afterwards": 500} (the call takes effect, its answer is lost);
              operation "*" is any
  advance     moves its clock on and runs the retries that fall due

--set-up FILE is JSON; every name in it may be left out:
  workspace {id, name, ownerId, ownerName} · plan "hypergrowth", "growth" (no
  webhooks) or "none" · keys [{name, scopes, key}] · labels [{interest_status,
  label}] · webhooks [as POST /api/v2/webhooks takes them] · analytics [{date,
  campaign_id, sent, ...}] · retryDelaysMs [5000, 15000] · timeoutMs 10000 ·
  disableAfter 5 · whileDisabled "nothing" or "failed" · logLimit 100000 ·
  rateLimit · cursorAtEnd true · nullEventType "refused" or "taken" ·
  requireUserAgent false · deliverTo · allowRemote`;

interface FakeOptions {
  readonly port: number;
  readonly host: string;
  readonly key?: string;
  readonly readKey?: string;
  readonly setUp?: string;
  readonly deliverTo?: string;
  readonly allowRemote?: true;
  readonly emitRate?: number;
  readonly json?: true;
}

/** `fake-instantly`: a service to try things on. */
export function register(program: Command): void {
  program
    .command('fake-instantly')
    .description('answer as the API of Instantly does, and deliver events, for trying things on')
    .addOption(new Option('--port <n>', '0: any').default(DEFAULT_PORT).argParser(wholeNumber(0, MAX_PORT)))
    .addOption(new Option('--host <address>', 'where it listens').default('127.0.0.1'))
    .addOption(new Option('--key <text>', 'a key with every scope (default: made at random)').argParser(parseKey))
    .addOption(new Option('--read-key <text>', 'a key for reading only (default: made at random)').argParser(parseKey))
    .option('--set-up <file>', 'JSON: keys, plan, webhooks and the rest, see below')
    .option('--deliver-to <url>', 'send every delivery to this address, with the path of its webhook')
    .option('--allow-remote', 'deliver to other machines, too')
    .addOption(new Option('--emit-rate <n>', 'so many sample events a second, all the time').argParser(parseRate))
    .addOption(jsonOption())
    .addHelpText('after', HELP)
    .action(run);
}

async function run(options: FakeOptions): Promise<void> {
  // Before anything else: a signal that comes during the start must end it as one that comes later.
  const stopped = untilStopped();
  const { startFakeInstantly } = await import('../fake-instantly/start-fake-instantly.ts');
  const setUp = options.setUp === undefined ? {} : await readSetUp(options.setUp);
  const { port, host, key, readKey, deliverTo, allowRemote } = options;
  const fake = await startFakeInstantly({
    ...setUp,
    port,
    host,
    keys: [
      ...(setUp.keys ?? []),
      ...(key === undefined ? [] : [{ name: 'all', scopes: ['all:all'], key }]),
      ...(readKey === undefined ? [] : [{ name: 'read', scopes: ['all:read'], key: readKey }]),
    ],
    ...(deliverTo === undefined ? {} : { deliverTo }),
    ...(allowRemote === undefined ? {} : { allowRemote }),
  });
  tell(fake, options.json === true);
  const emitter = options.emitRate === undefined ? undefined : emitSamples(fake, options.emitRate);
  await stopped;
  emitter?.stop();
  await fake.close();
  // What a reader that has stalled has not taken would keep the process.
  setTimeout(() => process.exit(), END_LIMIT_MS).unref();
}

function untilStopped(): Promise<void> {
  return new Promise((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => resolve());
  });
}

async function readSetUp(path: string): Promise<SetUp> {
  const { checkSetUp } = await import('../fake-instantly/check-set-up.ts');
  const bytes = await readBytes(path, SET_UP_BYTES);
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw new SettingsError([`${path} is not JSON`]);
  }
  return checkSetUp(value);
}

/** What goes into a receiver's `.env` on stdout, so that it can be redirected; the rest on stderr. */
function tell({ url, port, keys }: FakeInstantly, json: boolean): void {
  const settings = { INSTANTLY_API_URL: url, INSTANTLY_API_KEY: keys.all, INSTANTLY_READ_KEY: keys.read };
  if (json) {
    printJson({ url, port, control: `${url}/_fake`, keys, settings });
    return;
  }
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`);
  note(`A fake Instantly answers at ${url} until it is ended. For the receiver's .env:`);
  print(lines.join(''));
  note(`The first key has every scope, the second reads only. What it shall do: ${url}/_fake (see --help).`);
}

function parseKey(text: string): string {
  if (/^\S{8,}$/.test(text)) return text;
  throw new InvalidArgumentError('It takes 8 characters or more, without spaces.');
}

function parseRate(text: string): number {
  const rate = /^\d{1,4}(?:\.\d{1,9})?$/.test(text) ? Number(text) : 0;
  if (rate > 0 && rate <= MAX_RATE) return rate;
  throw new InvalidArgumentError(`It takes a number above 0, up to ${MAX_RATE}.`);
}
