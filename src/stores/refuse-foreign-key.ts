import { type AuditKey, hashOf } from '../audit/chain.ts';
import { SettingsError } from '../errors/problem.ts';
import type { Store } from '../inbox/store.ts';

/** Entries looked at. */
const NEWEST = 50;

/**
 * An entry sealed with another key would look like tampering for as long as the log is kept.
 *
 * @param location of the log, for people
 * @throws SettingsError where none of its newest entries is sealed with this key
 */
export async function refuseForeignKey(log: Pick<Store, 'tailAudit'>, key: AuditKey, location: string): Promise<void> {
  const { entries } = await log.tailAudit(NEWEST);
  if (entries.length === 0 || entries.some((entry) => hashOf(entry, key) === entry.hash)) return;
  throw new SettingsError([
    `AUDIT_KEY is not the key with which the audit log in ${location} is written; set it to that key (a key that was made lies beside the store, as audit-key: bring that file too), or, where it is lost, begin a new log: audit begin --output FILE --yes`,
  ]);
}
