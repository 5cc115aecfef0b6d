import type { Settings } from '../../src/config/settings.ts';

/** The SQLite file that a test looks into or disturbs. */
export function storeFile({ store }: Settings): string {
  if (store.kind !== 'sqlite') throw new Error('these settings name no SQLite file');
  return store.file;
}
