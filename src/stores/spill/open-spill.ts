import { deriveAuditKey } from '../../audit/chain.ts';
import { newId } from '../../audit/new-id.ts';
import { Secret } from '../../config/secret.ts';
import { SettingsError } from '../../errors/problem.ts';
import { refuseForeignKey } from '../refuse-foreign-key.ts';
import { SqliteStore } from '../sqlite/sqlite-store.ts';

export interface SpillOptions {
  /** Made where it is missing. */
  readonly file: string;
  /** Largest size of the file, its write-ahead log not counted. */
  readonly maxBytes: number;
  readonly auditKey: string;
}

/**
 * Opens the file for this process alone.
 * @throws SettingsError where it cannot be opened, is another receiver's, was a store of its own, or another AUDIT_KEY has sealed its log
 */
export async function openSpill({ file, maxBytes, auditKey }: SpillOptions): Promise<SqliteStore> {
  const setting = 'SPILL_DATABASE_URL';
  const spill = await SqliteStore.open({
    file,
    writer: newId(),
    auditKey,
    serve: true,
    setting,
    maxBytes,
    remake: true,
  });
  try {
    await refuseForeignKey(spill, deriveAuditKey(new Secret(auditKey)), file);
    if (await spill.isStore()) {
      throw new SettingsError([
        `${setting}: a receiver has served from ${file} as its store, and to empty it as a spill would run handlers on all its events again; name another file, and move that one with store copy`,
      ]);
    }
    await spill.checkLog();
    return spill;
  } catch (error) {
    await spill.close();
    throw error;
  }
}
