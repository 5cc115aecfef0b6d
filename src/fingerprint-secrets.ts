import { createHmac } from 'node:crypto';
import { digestToken, fingerprintToken } from './authenticate/index.ts';
import type { Secret } from './config/secret.ts';
import type { Settings } from './config/settings.ts';

/** Every secret of the settings by name and position, with a fingerprint that tells it from others and cannot be searched
 * for without the audit key. */
export function fingerprintSecrets(settings: Settings): Map<string, string> {
  const { authentication, instantly } = settings;
  const key = settings.audit.key;
  const fingerprints = new Map<string, string>();
  const add = (name: string, secrets: readonly (Secret | undefined)[], take = fingerprint): void => {
    for (const [index, secret] of secrets.entries()) {
      if (secret === undefined) continue;
      fingerprints.set(secrets.length > 1 ? `${name}:${index + 1}` : name, take(key, secret));
    }
  };
  add('INSTANTLY_SECRET', authentication.signatureKeys);
  add('INSTANTLY_WEBHOOK_TOKEN', authentication.tokens, (auditKey, token) =>
    fingerprintToken(auditKey, digestToken(token.reveal())),
  );
  add('METRICS_TOKEN', [settings.metricsToken]);
  add('ADMIN_TOKEN', [settings.adminToken]);
  add('AUDIT_KEY', [key]);
  for (const apiKey of [instantly.readKey, instantly.writeKey]) {
    if (apiKey !== undefined) add(apiKey.setting, [apiKey.secret]);
  }
  return fingerprints;
}

/** Of the keys that Instantly is called with. */
export function fingerprintApiKeys({ audit, instantly }: Pick<Settings, 'audit' | 'instantly'>): string[] {
  const keys = [instantly.readKey, instantly.writeKey].filter((key) => key !== undefined);
  return [...new Set(keys.map(({ secret }) => fingerprint(audit.key, secret)))];
}

export function fingerprint(key: Secret, secret: Secret): string {
  return createHmac('sha256', key.reveal())
    .update('secret fingerprint\0')
    .update(secret.reveal())
    .digest('hex')
    .slice(0, 32);
}
