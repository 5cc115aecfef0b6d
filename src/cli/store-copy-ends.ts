import { resolve } from 'node:path';
import type { Command } from 'commander';
import { parseDatabaseUrl } from '../config/parse-database-url.ts';
import { explainUnreadable, readTextFile, show, UnreadableFile } from '../config/read-text-file.ts';
import type { Secret } from '../config/secret.ts';
import type { Settings } from '../config/settings.ts';

const ADDRESS_LIMIT = 64 * 1024;

export interface EndOptions {
  readonly from?: string;
  readonly to?: string;
  readonly toFile?: string;
}

export interface CopyEnds {
  /** Absolute path. */
  readonly file: string;
  readonly url: Secret;
  /** For people: without the password. */
  readonly location: string;
}

/** Where to copy from and to: either may be what DATABASE_URL names, if that is of its kind. No message repeats an address. */
export function findEnds({ from, to, toFile }: EndOptions, { store }: Settings, command: Command): CopyEnds {
  const wrong = (message: string): never => command.error(`error: ${message}`, { exitCode: 2 });
  const read = (text: string, source: string) => {
    const parsed = parseDatabaseUrl(text, process.cwd());
    return 'value' in parsed ? parsed.value : wrong(`${source} ${parsed.faults.join('; ')}`);
  };
  const source = from === undefined ? store : read(from, '--from');
  if (source.kind !== 'sqlite')
    return wrong(
      from === undefined
        ? 'DATABASE_URL names PostgreSQL, so the file to copy has to be named: --from sqlite:PATH'
        : '--from takes sqlite:PATH',
    );
  const text = toFile === undefined ? to : readAddress(toFile);
  const name = toFile === undefined ? '--to' : 'the address in --to-file';
  const target = text === undefined ? store : read(text, name);
  if (target.kind !== 'postgres')
    return wrong(
      text === undefined
        ? 'DATABASE_URL names no PostgreSQL database, so where to copy to has to be named: --to-file or --to'
        : `${name} has to be postgres://USER:PASSWORD@HOST:PORT/DATABASE`,
    );
  return { file: source.file, url: target.url, location: target.location };
}

function readAddress(path: string): string {
  try {
    return readTextFile(resolve(path), ADDRESS_LIMIT).trim();
  } catch (error) {
    if (!(error instanceof UnreadableFile)) throw error;
    throw new Error(`--to-file names ${show(path)}, which cannot be read ${explainUnreadable(error)}`);
  }
}
