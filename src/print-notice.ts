import { relative } from 'node:path';
import { formatSize } from './config/parse-size.ts';
import type { Settings } from './config/settings.ts';
import { schemeFacts } from './config/signature-schemes.ts';
import { storeLocation } from './config/store-location.ts';

const SAMPLE =
  '{"event_type":"reply_received","timestamp":"2026-11-18T11:15:59.031Z","lead_email":"nora@northwind.example","reply_text":"Sounds good"}';

/** What somebody who has just started it wants to know, for stderr: where to post, how it is proven, where data lies, and
 * lines to paste. Says where secrets lie, never what they are. */
export function startNotice(settings: Settings, port: number, handlers: readonly string[]): string {
  const base = `http://localhost:${port}`;
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
    ...(receives
      ? ['Try it:', ...curl(settings, url), `  npm run --silent cli -- send reply_received --url ${url}`, '']
      : []),
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

/** Where the token alone is enough, curl can say it; a signature is easier made by `send`. */
function curl({ authentication, generatedSecrets }: Settings, url: string): string[] {
  if (authentication.tokens.length === 0 || authentication.require === 'both') return [];
  const file = generatedSecrets.find(({ name }) => name === 'INSTANTLY_WEBHOOK_TOKEN')?.file;
  const token = file === undefined ? '$INSTANTLY_WEBHOOK_TOKEN' : `$(cat '${relative(process.cwd(), file)}')`;
  const prefix = authentication.tokenHeader === 'authorization' ? 'Bearer ' : '';
  return [`  curl -H "${authentication.tokenHeader}: ${prefix}${token}" -d '${SAMPLE}' ${url}`];
}
