import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { SETTING_NAMES } from './config/catalogue.ts';
import { hostToReach } from './config/is-loopback.ts';
import { formatSize } from './config/parse-size.ts';
import type { Settings } from './config/settings.ts';
import { schemeFacts } from './config/signature-schemes.ts';
import { storeLocation } from './config/store-location.ts';

const SAMPLE =
  '{"event_type":"reply_received","timestamp":"2026-11-18T11:15:59.031Z","lead_email":"nora@northwind.example","reply_text":"Sounds good"}';

/** Settings that a command needs as the receiver has them. Those of the environment are not those of another shell. */
const INHERITED = SETTING_NAMES.filter((name) =>
  /^(INSTANTLY_(SECRET|WEBHOOK|SIGNATURE|TIMESTAMP|REQUIRE)|DATABASE_URL|SPILL_DATABASE_URL|AUDIT_KEY)/.test(name),
).flatMap((name) => [name, `${name}_FILE`]);

/**
 * What somebody who has just started it wants to know, for stderr: where to post, how it is proven, where data lies, and
 * lines to paste. Says where secrets lie, never what they are.
 *
 * @param isTokenAccepted whether no rotation has replaced the token of the settings
 * @param env the environment that the settings come from
 */
export function startNotice(
  settings: Settings,
  port: number,
  handlers: readonly string[],
  {
    isTokenAccepted = true,
    env = process.env,
  }: { isTokenAccepted?: boolean | undefined; env?: NodeJS.ProcessEnv } = {},
): string {
  const base = `http://${hostToReach(settings.host)}:${port}`;
  const url = `${base}${settings.webhookPath}`;
  const receives = settings.role !== 'worker';
  const lines = [
    receives
      ? `Receiving Instantly webhooks at ${url}`
      : 'Running the handlers of stored events; no webhook is taken here',
    ...sayRole(settings),
    ...(receives
      ? [`  proven by  ${schemes(settings).join(settings.authentication.require === 'both' ? ' and ' : ' or ')}`]
      : [`  health     ${base}/readyz`]),
    ...sayData(settings),
    ...sayHandlers(settings, handlers),
    `  metrics    ${base}/metrics`,
    ...settings.generatedSecrets.map(
      ({ name, file, created }) => `  ${created ? 'made' : 'kept'}       ${name} in ${file}`,
    ),
    '',
    ...(receives ? tryIt({ settings, url, isTokenAccepted, env }) : []),
  ];
  return `${lines.join('\n')}\n`;
}

function sayRole({ role }: Settings): string[] {
  if (role === 'all') return [];
  return [
    `  role       ${role === 'receiver' ? 'receiver: workers run the handlers' : 'worker: receivers take the webhooks'}`,
  ];
}

function sayData({ store }: Settings): string[] {
  const data = `  data       ${storeLocation(store)}`;
  if (store.kind === 'sqlite') return [data];
  return [data, `  spill      ${store.spill.file}, up to ${formatSize(store.spill.maxBytes)} while PostgreSQL is away`];
}

function sayHandlers({ role, handlers: { dir } }: Settings, handlers: readonly string[]): string[] {
  if (role === 'receiver') return [];
  return [`  handlers   ${handlers.length === 0 ? `none in ${dir}` : handlers.join(', ')}`];
}

function schemes({ authentication }: Settings): string[] {
  const { signatureKeys, signatureScheme, signatureHeader, tokens, tokenHeader } = authentication;
  const header = schemeFacts(signatureScheme).headers[0] ?? signatureHeader;
  return [
    ...(tokens.length > 0 ? [`the shared token in ${tokenHeader}`] : []),
    ...(signatureKeys.length > 0 ? [`the signature (${signatureScheme}) in ${header}`] : []),
  ];
}

interface Lines {
  readonly settings: Settings;
  readonly url: string;
  readonly isTokenAccepted: boolean;
  readonly env: NodeJS.ProcessEnv;
}

/** Each has to work as it is pasted into another shell. */
function tryIt(lines: Lines): string[] {
  const inherited = INHERITED.filter((name) => (lines.env[name] ?? '') !== '');
  const where = inherited.length === 0 ? '' : `, with ${inherited.join(', ')} set as here`;
  return [
    `Try it, from ${process.cwd()}${where}:`,
    ...curl(lines),
    `  ${commandLine()} send reply_received --url ${lines.url}`,
    '',
  ];
}

/** As this process was started: npm brings its own Node, and knows the commands in a checkout alone. */
function commandLine(): string {
  const script = process.env['npm_lifecycle_event'];
  if (script === 'start' || script === 'cli') return 'npm run --silent cli --';
  return [process.execPath, process.argv[1] ?? ''].map((word) => quote(word)).join(' ');
}

/** Where the token alone is enough and stands where a shell can read it, curl can say it; a signature is easier made by `send`. */
function curl({ settings: { authentication }, settings, url, isTokenAccepted }: Lines): string[] {
  const [token, ...others] = authentication.tokens;
  if (token === undefined || others.length > 0 || authentication.require === 'both' || !isTokenAccepted) return [];
  const read = readByShell(settings, token.reveal());
  if (read === undefined) return [];
  const prefix = authentication.tokenHeader === 'authorization' ? 'Bearer ' : '';
  return [`  curl -H "${authentication.tokenHeader}: ${prefix}$(${read})" -d '${SAMPLE}' ${url}`];
}

const TOKEN = 'INSTANTLY_WEBHOOK_TOKEN';

/** The command that writes the token; `undefined`: none that would give its very value. */
function readByShell({ generatedSecrets, secretFiles }: Settings, token: string): string | undefined {
  const kept = generatedSecrets.find(({ name }) => name === TOKEN)?.file;
  const file = secretFiles[TOKEN] ?? kept;
  if (file !== undefined) {
    const path = relative(process.cwd(), file);
    return read(file).replace(/\n+$/, '') === token ? `cat ${quote(path, true)}` : undefined;
  }
  const text = read(join(process.cwd(), '.env'));
  const values = [...text.matchAll(new RegExp(`^${TOKEN}=(.*)$`, 'gm'))].map(([, value]) => value);
  return values.length === 1 && values[0] === token && !text.includes('\r')
    ? `sed -n 's/^${TOKEN}=//p' .env`
    : undefined;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // Then a shell cannot read it either.
    return '';
  }
}

/** For a POSIX shell; PowerShell takes what holds no quote. */
function quote(word: string, always = false): string {
  return !always && /^[\w./:\\-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
