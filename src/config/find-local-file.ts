import type { ParsedSettings } from './settings-schema.ts';

/** What a process writes on its own machine: the store itself, or the spill beside PostgreSQL. */
export interface LocalFile {
  /** Absolute path. */
  readonly file: string;
  /** The setting that names it. */
  readonly setting: 'DATABASE_URL' | 'SPILL_DATABASE_URL';
}

type Places = Pick<ParsedSettings, 'DATABASE_URL' | 'SPILL_DATABASE_URL'>;

export function findLocalFile(parsed: Places): LocalFile;
/** `undefined` where the settings could not be parsed. */
export function findLocalFile(parsed: Partial<Places>): LocalFile | undefined;
export function findLocalFile(parsed: Partial<Places>): LocalFile | undefined {
  const { DATABASE_URL: database, SPILL_DATABASE_URL: spill } = parsed;
  if (database?.kind === 'sqlite') return { file: database.file, setting: 'DATABASE_URL' };
  return database === undefined || spill === undefined ? undefined : { file: spill, setting: 'SPILL_DATABASE_URL' };
}
