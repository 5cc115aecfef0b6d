import { createSecretKey, type KeyObject } from 'node:crypto';
import type { AuthenticationSettings } from '../config/settings.ts';
import { schemeFacts } from '../config/signature-schemes.ts';
import { SettingsError } from '../errors/problem.ts';
import { decodeStandardWebhooksKey } from './standard-webhooks.ts';

/** In the order of the settings, the current one first; at least one of the two holds something. */
export interface Keys {
  readonly signatureKeys: readonly KeyObject[];
  readonly tokens: readonly Uint8Array[];
}

/**
 * Turns the configured secrets into keys.
 *
 * @throws SettingsError naming every secret that would prove nothing, and settings under which nobody or anybody gets in
 */
export function loadKeys(settings: AuthenticationSettings): Keys {
  const { whsecKeys = false } = schemeFacts(settings.signatureScheme);
  const decode = whsecKeys ? decodeStandardWebhooksKey : decodeText;
  const form = whsecKeys ? 'whsec_ and then base64' : 'some text';
  const faults = findCombinationFaults(settings);
  const load = (variable: string, wanted: string, bytes: readonly (Uint8Array | undefined)[]): Uint8Array[] =>
    bytes.flatMap((key, index) => {
      if (key !== undefined) return [key];
      faults.push(`${variable}: secret ${index + 1} is empty or cannot be read; give it as ${wanted}.`);
      return [];
    });
  const signatureKeys = load(
    'INSTANTLY_SECRET',
    form,
    settings.signatureKeys.map((secret) => decode(secret.reveal())),
  );
  const tokens = load(
    'INSTANTLY_WEBHOOK_TOKEN',
    'some text',
    settings.tokens.map((secret) => decodeText(secret.reveal())),
  );
  if (faults.length > 0) throw new SettingsError(faults);
  return { signatureKeys: signatureKeys.map((bytes) => createSecretKey(bytes)), tokens };
}

function decodeText(text: string): Uint8Array | undefined {
  return text === '' ? undefined : Buffer.from(text, 'utf8');
}

function findCombinationFaults(settings: AuthenticationSettings): string[] {
  const signature = settings.signatureKeys.length > 0;
  const token = settings.tokens.length > 0;
  if (!signature && !token) return ['No secret is set; set INSTANTLY_WEBHOOK_TOKEN, INSTANTLY_SECRET or both.'];
  if (settings.require === 'any' || (signature && token)) return [];
  const unset = signature ? 'INSTANTLY_WEBHOOK_TOKEN' : 'INSTANTLY_SECRET';
  return [`INSTANTLY_REQUIRE=both needs ${unset} too; set it, or INSTANTLY_REQUIRE=any.`];
}
