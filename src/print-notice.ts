import { relative } from 'node:path';
import type { Settings } from './config/settings.ts';

const SAMPLE =
  '{"event_type":"reply_received","timestamp":"2026-11-18T11:15:59.031Z","lead_email":"nora@northwind.example","reply_text":"Sounds good"}';

/** What somebody who has just started it wants to know, for stderr: where to post, how it is proven, where data lies, and
 * lines to paste. Says where secrets lie, never what they are. */
export function startNotice(settings: Settings, port: number, handlers: readonly string[]): string {
  const url = `http://localhost:${port}${settings.webhookPath}`;
  const lines = [
    `Receiving Instantly webhooks at ${url}`,
    `  proven by  ${schemes(settings).join(settings.authentication.require === 'both' ? ' and ' : ' or ')}`,
    `  data       ${settings.store.file}`,
    `  handlers   ${handlers.length === 0 ? `none in ${settings.handlers.dir}` : handlers.join(', ')}`,
    `  metrics    http://localhost:${port}/metrics`,
    ...settings.generatedSecrets.map(
      ({ name, file, created }) => `  ${created ? 'made' : 'kept'}       ${name} in ${file}`,
    ),
    '',
    'Try it:',
    ...curl(settings, url),
    `  npm run --silent cli -- send reply_received --url ${url}`,
    '',
  ];
  return `${lines.join('\n')}\n`;
}

function schemes({ authentication }: Settings): string[] {
  const { signatureKeys, signatureScheme, signatureHeader, tokens, tokenHeader } = authentication;
  const header = signatureScheme === 'standard-webhooks' ? 'webhook-signature' : signatureHeader;
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
