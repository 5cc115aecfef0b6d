import { deriveAuditKey, hashOf } from './audit/chain.ts';
import type { Settings } from './config/settings.ts';
import { storeLocation } from './config/store-location.ts';
import { SettingsError } from './errors/problem.ts';
import type { Store } from './inbox/store.ts';

/** Entries looked at to tell whether the key is that of the log. */
const NEWEST = 50;

/** An entry sealed with another key would look like tampering for as long as the log is kept. */
export async function refuseForeignKey(store: Pick<Store, 'tailAudit'>, settings: Settings): Promise<void> {
  const { entries } = await store.tailAudit(NEWEST);
  const key = deriveAuditKey(settings.audit.key);
  if (entries.length === 0 || entries.some((entry) => hashOf(entry, key) === entry.hash)) return;
  throw new SettingsError([
    `AUDIT_KEY is not the key with which the audit log in ${storeLocation(settings.store)} is written; give every process that uses it the same one`,
  ]);
}
