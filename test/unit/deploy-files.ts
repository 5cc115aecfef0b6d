import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readDockerfile, readEnvironment, type Stage } from '../../scripts/read-dockerfile.ts';
import { isSecretSetting, isSettingName } from '../../src/config/catalogue.ts';
import { parseSize } from '../../src/config/parse-size.ts';

export const REPOSITORY = join(import.meta.dirname, '../..');
export const ENTRY = join(REPOSITORY, 'bin/instantly-receiver.js');

export const read = (path: string): string => readFileSync(join(REPOSITORY, path), 'utf8');

/** The stage that runs. */
export const image = readDockerfile(read('Dockerfile')).at(-1) as Stage;

/** What the image sets of our settings. */
export function imageSettings(): Record<string, string> {
  return Object.fromEntries(Object.entries(readEnvironment(image)).filter(([name]) => isSettingName(name)));
}

/** Names that are neither a setting nor a secret setting's NAME_FILE. */
export function unknownSettings(names: Iterable<string>): string[] {
  return [...names].filter((name) => {
    const setting = name.replace(/_FILE$/, '');
    return !isSettingName(setting) || (name !== setting && !isSecretSetting(setting));
  });
}

/** The paths that the receiver serves, as its own code writes them. */
export function servedPaths(): string[] {
  return [...read('src/http/app.ts').matchAll(/app\.get\('(\/\w+)'/g)].map(([, path]) => path ?? '');
}

/** Compose's `${NAME:-default}` and the like: the shell agrees on these forms. */
export function interpolate(text: string, environment: Readonly<Record<string, string>> = {}): string {
  return execFileSync('sh', ['-c', `printf %s "${text.replaceAll('"', '\\"')}"`], {
    env: environment,
    encoding: 'utf8',
  });
}

/** A size as a setting writes it. */
export function bytesOf(text: string): number {
  const parsed = parseSize(text, 0, 2 ** 50);
  if ('faults' in parsed) throw new Error(`${text}: ${parsed.faults.join()}`);
  return parsed.value;
}

/** Makes the files of `secrets new --all` in a new folder. */
export function makeSecrets(dir: string): void {
  execFileSync(process.execPath, [ENTRY, 'secrets', 'new', '--all', '--dir', dir], { stdio: 'pipe', timeout: 20_000 });
}

/** An environment as on this machine: the container's folders are those given. */
export function relocate(environment: Readonly<Record<string, string>>, folders: Readonly<Record<string, string>>) {
  return Object.fromEntries(
    Object.entries(environment).map(([name, value]) => {
      const place = Object.entries(folders).find(([from]) => new RegExp(`(^|:)${from}(/|$)`).test(value));
      return [name, place === undefined ? value : value.replace(place[0], place[1])];
    }),
  );
}
