import { readdirSync, readFileSync } from 'node:fs';

const FOLDER = new URL('../../migrations/', import.meta.url);

export interface Migration {
  readonly version: number;
  readonly name: string;
  /** The least release that can run on the schema this makes. */
  readonly leastRelease: number;
  readonly sql: string;
}

/** In the order in which they are applied. */
export function readMigrations(
  dialect: 'sqlite' | 'postgres',
  folder: URL = new URL(`${dialect}/`, FOLDER),
): Migration[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.sql'))
    .sort()
    .map((name) => {
      const sql = readFileSync(new URL(name, folder), 'utf8');
      const least = /^-- least release: (\d+)\n/.exec(sql)?.[1];
      if (least === undefined) throw new Error(`${name} does not begin with its least release`);
      return { version: Number.parseInt(name, 10), name, leastRelease: Number(least), sql };
    });
}
