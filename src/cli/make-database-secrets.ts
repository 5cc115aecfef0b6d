import { join } from 'node:path';
import { makeToken } from '../config/make-secret.ts';
import { explainUnreadable, readTextFile, UnreadableFile } from '../config/read-text-file.ts';

const LIMIT = 64 * 1024;
const OTHERS_TOO = 0o644;

export interface DatabaseSecret {
  readonly kind: 'database';
  readonly name: 'POSTGRES_PASSWORD_FILE' | 'DATABASE_URL_FILE';
  readonly file: string;
  readonly created: boolean;
  readonly next: string;
}

/**
 * Makes what the database of docker-compose.yml and the processes that use it have to agree on: the password, and the
 * address with the password in it. Where one of the two is there, the other is made to fit.
 *
 * @param write makes a file and says whether it did; false: it is there already and left as it is
 * @throws Error where a file that is there cannot be read
 */
export function makeDatabaseSecrets(
  dir: string,
  write: (file: string, value: string, mode: number) => boolean,
): readonly DatabaseSecret[] {
  const passwordFile = join(dir, 'postgres-password');
  const urlFile = join(dir, 'database-url');
  const passwordMade = write(passwordFile, readPasswordOf(urlFile) ?? makeToken(), OTHERS_TOO);
  // As it stands there: another process may have been the one to write it.
  const urlMade = write(urlFile, makeUrl(readValue(passwordFile) ?? ''), OTHERS_TOO);
  return [
    {
      kind: 'database',
      name: 'POSTGRES_PASSWORD_FILE',
      file: passwordFile,
      created: passwordMade,
      next: 'PostgreSQL takes it when it makes the database; to change it later, ALTER ROLE and the address need it too.',
    },
    {
      kind: 'database',
      name: 'DATABASE_URL_FILE',
      file: urlFile,
      created: urlMade,
      next: 'It leads to the PostgreSQL of docker-compose.yml (--profile postgres); write another address there for one of your own.',
    },
  ];
}

/** Unencrypted, because it never leaves the network that Compose makes on one machine. */
function makeUrl(password: string): string {
  const url = new URL('postgres://receiver@postgres:5432/receiver?sslmode=disable');
  url.password = encodeURIComponent(password);
  return url.href;
}

function readPasswordOf(urlFile: string): string | undefined {
  const password = URL.parse(readValue(urlFile) ?? '')?.password ?? '';
  try {
    return password === '' ? undefined : decodeURIComponent(password);
  } catch {
    // The receiver refuses such an address and says why; no password would fit it.
    return undefined;
  }
}

function readValue(file: string): string | undefined {
  try {
    return readTextFile(file, LIMIT).trim();
  } catch (error) {
    if (!(error instanceof UnreadableFile)) throw error;
    if (error.code === 'ENOENT') return undefined;
    throw new Error(`${file} cannot be read ${explainUnreadable(error)}`);
  }
}
