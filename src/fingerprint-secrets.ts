import { createHmac } from 'node:crypto';
import type { Secret } from './config/secret.ts';
import type { Settings } from './config/settings.ts';

/** Every secret in use by name and position, with a fingerprint that tells it from others and cannot be searched for
 * without the audit key. */
export function fingerprintSecrets(settings: Settings): Map<string, string> {
  const named: [string, readonly Secret[]][] = [
    ['INSTANTLY_SECRET', settings.authentication.signatureKeys],
    ['INSTANTLY_WEBHOOK_TOKEN', settings.authentication.tokens],
    ['METRICS_TOKEN', settings.metricsToken === undefined ? [] : [settings.metricsToken]],
    ['ADMIN_TOKEN', settings.adminToken === undefined ? [] : [settings.adminToken]],
    ['AUDIT_KEY', [settings.audit.key]],
  ];
  const fingerprints = new Map<string, string>();
  for (const [name, secrets] of named) {
    for (const [index, secret] of secrets.entries()) {
      fingerprints.set(secrets.length > 1 ? `${name}:${index + 1}` : name, fingerprint(settings.audit.key, secret));
    }
  }
  return fingerprints;
}

function fingerprint(key: Secret, secret: Secret): string {
  return createHmac('sha256', key.reveal())
    .update('secret fingerprint\0')
    .update(secret.reveal())
    .digest('hex')
    .slice(0, 32);
}
