import { resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { isSecretSetting, SETTING_NAMES, type SettingName } from './catalogue.ts';
import { explainUnreadable, readTextFile, show, UnreadableFile } from './read-text-file.ts';

const DOTENV_LIMIT = 1024 * 1024;
const SECRET_FILE_LIMIT = 64 * 1024;

/** The texts of all settings, wherever they came from. */
export interface Environment {
  /** Only what is set; an empty value or one of white space counts as unset. */
  readonly values: ReadonlyMap<SettingName, string>;
  /** Absolute paths of the files that NAME_FILE variables name. */
  readonly files: ReadonlyMap<SettingName, string>;
  /** Whether the user gave it a value, even one that could not be read. */
  readonly isGiven: (name: SettingName) => boolean;
  /** Names of all variables that are set. */
  readonly names: readonly string[];
  readonly faults: readonly string[];
}

/**
 * Gathers the settings from the environment, from `.env` in `cwd` where the environment is silent, and from the files
 * that NAME_FILE variables name.
 *
 * @param without settings that count as unset
 */
export function readEnvironment(
  env: NodeJS.ProcessEnv,
  cwd: string,
  without: ReadonlySet<SettingName> = new Set(),
): Environment {
  const faults: string[] = [];
  const variables = new Map([...setVariables(readDotenv(cwd, faults)), ...setVariables(env)]);
  const values = new Map<SettingName, string>();
  const files = new Map<SettingName, string>();
  for (const name of SETTING_NAMES.filter((one) => !without.has(one))) {
    const value = variables.get(name);
    const path = isSecretSetting(name) ? variables.get(`${name}_FILE`)?.trim() : undefined;
    if (path !== undefined) files.set(name, resolve(cwd, path));
    if (value !== undefined && path !== undefined) {
      faults.push(`${name} and ${name}_FILE are both set; keep one of them`);
    } else if (value !== undefined) {
      // A space at the end of a line is a slip, and no setting means anything by it.
      values.set(name, value.trim());
    } else if (path !== undefined) {
      const text = readSecretFile(name, resolve(cwd, path), faults);
      if (text !== undefined) values.set(name, text);
    }
  }
  return {
    values,
    files,
    isGiven: (name) => !without.has(name) && (variables.has(name) || files.has(name)),
    names: [...variables.keys()],
    faults,
  };
}

function* setVariables(source: Readonly<Record<string, string | undefined>>): Generator<[string, string]> {
  for (const [name, value] of Object.entries(source)) {
    if (value !== undefined && value.trim() !== '') yield [name, value];
  }
}

function readDotenv(cwd: string, faults: string[]): Readonly<Record<string, string | undefined>> {
  const path = resolve(cwd, '.env');
  try {
    return parseEnv(readTextFile(path, DOTENV_LIMIT));
  } catch (error) {
    if (!(error instanceof UnreadableFile)) throw error;
    if (error.code !== 'ENOENT') {
      faults.push(`.env cannot be read at ${show(path)} ${explainUnreadable(error)}; mend it or take it away`);
    }
    return {};
  }
}

function readSecretFile(name: SettingName, path: string, faults: string[]): string | undefined {
  try {
    const text = readTextFile(path, SECRET_FILE_LIMIT).replace(/\r?\n$/, '');
    if (text.trim() !== '') return text;
    faults.push(`${name}_FILE names ${show(path)}, which is empty; put the value there or unset the variable`);
  } catch (error) {
    if (!(error instanceof UnreadableFile)) throw error;
    faults.push(
      `${name}_FILE names ${show(path)}, which cannot be read ${explainUnreadable(error)}; correct the path or the file's rights, or unset the variable`,
    );
  }
  return undefined;
}
