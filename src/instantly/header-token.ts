import { digestToken } from '../authenticate/index.ts';
import type { Webhook } from './schemas.ts';

/** The value of the header that a webhook carries the token in. `authorization` asks for a scheme. */
export function headerValue(header: string, token: string): string {
  return header === 'authorization' ? `Bearer ${token}` : token;
}

/** The token that a webhook carries in this header now; `undefined`: none. */
export function tokenOf(webhook: Pick<Webhook, 'headers'>, header: string): string | undefined {
  return candidatesOf(webhook, header).at(-1);
}

/** Everything that a receiver would compare. A token may itself be set as `Bearer …`, so the bare value is one of them. */
export function candidatesOf({ headers }: Pick<Webhook, 'headers'>, header: string): string[] {
  const [, value] = Object.entries(headers ?? {}).find(([name]) => name.toLowerCase() === header) ?? [];
  if (typeof value !== 'string' || value === '') return [];
  return header === 'authorization' ? [...new Set([value, credentialsIn(value)])] : [value];
}

/** As a receiver reads them: the token that stands in `Bearer …`, the `user:password` of `Basic …`, or the bare value. */
function credentialsIn(value: string): string {
  const [, scheme, credentials] = /^(bearer|basic) +([^ ].*)$/i.exec(value) ?? [];
  if (scheme === undefined || credentials === undefined) return value;
  return scheme.toLowerCase() === 'basic' ? Buffer.from(credentials, 'base64').toString('utf8') : credentials;
}

export function digestOf(webhook: Pick<Webhook, 'headers'>, header: string): Buffer | undefined {
  const token = tokenOf(webhook, header);
  return token === undefined ? undefined : digestToken(token);
}

/** The headers of a webhook with this one set and all others as they are; names differ in nothing but case. */
export function withToken(
  { headers }: Pick<Webhook, 'headers'>,
  header: string,
  token: string,
): Record<string, string> {
  const others = Object.entries(headers ?? {}).filter(([name]) => name.toLowerCase() !== header);
  return Object.fromEntries([
    ...others.map(([name, value]) => [name, String(value)] as const),
    [header, headerValue(header, token)],
  ]);
}
