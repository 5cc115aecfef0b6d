import { resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { isSecretSetting, isSecretVariable, isSettingName, SETTING_NAMES, type SettingName } from './catalogue.ts';
import { lintDotenv } from './lint-dotenv.ts';
import { DOTENV_LIMIT, explainUnreadable, readTextFile, show, UnreadableFile } from './read-text-file.ts';
import { SHARED_NAMES } from './suggest-name.ts';

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
  /** Variables of `.env` that are no settings of ours: those of the user's handlers. */
  readonly others: ReadonlyMap<string, string>;
  /** Whether `.env` itself holds the value of a secret of ours. */
  readonly dotenvHoldsSecret: boolean;
  readonly faults: readonly string[];
  readonly warnings: readonly string[];
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
  const text = readDotenv(cwd, faults);
  const warnings = lintDotenv(text);
  const dotenv = parseEnv(text);
  const variables = new Map([...setVariables(dotenv), ...setVariables(env)]);
  const values = new Map<SettingName, string>();
  const files = new Map<SettingName, string>();
  for (const name of SETTING_NAMES.filter((one) => !without.has(one))) {
    const value = variables.get(name);
    const path = isSecretSetting(name) ? variables.get(`${name}_FILE`)?.trim() : undefined;
    if (path !== undefined) files.set(name, resolve(cwd, path));
    if (value !== undefined && path !== undefined) {
      faults.push(`${name} and ${name}_FILE are both set; keep one of them`);
    } else if (value !== undefined) {
      values.set(name, normalise(value));
    } else if (path !== undefined) {
      const content = readSecretFile(name, resolve(cwd, path), faults);
      if (content !== undefined) values.set(name, normalise(content));
      if (name === 'AUDIT_KEY' && content !== undefined)
        warnings.push(...warnOfPadding(`${name} (from ${name}_FILE)`, content));
    }
  }
  return {
    values,
    files,
    isGiven: (name) => !without.has(name) && (variables.has(name) || files.has(name)),
    names: [...variables.keys()],
    others: new Map([...setVariables(dotenv)].filter(([name]) => isForHandlers(name))),
    dotenvHoldsSecret: [...setVariables(dotenv)].some(([name]) => isSettingName(name) && isSecretSetting(name)),
    faults,
    warnings,
  };
}

/** One and the same value whichever way it came: white space around it is a slip, and no setting means anything by it. */
export function normalise(text: string): string {
  return text.trim();
}

/** An earlier release took the white space of a file as a part of this key, and sealed entries with it. */
export function warnOfPadding(source: string, content: string): string[] {
  const text = content.replace(/\r?\n$/, '');
  if (/[\r\n]/.test(text) || text === normalise(text)) return [];
  return [
    `${source} has white space around it in its file, which does not count: earlier releases counted it; put the key with its white space in double quotes there if entries are sealed with it`,
  ];
}

/** Kubernetes and Docker tell every container of the services around it by such variables. They are no settings, whatever name they come to. */
function isServiceLink(name: string, value: string): boolean {
  if (/^(?:tcp|udp|sctp):\/\//i.test(value)) return /(?:^|_)(?:HOST|PORT)(?:_|$)/.test(name);
  return /._(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_\w+)?)$/.test(name);
}

/** What is not ours; names that other programs share with us are theirs as well. */
function isForHandlers(name: string): boolean {
  return (!isSettingName(name) || SHARED_NAMES.has(name)) && !isSecretVariable(name);
}

function* setVariables(source: Readonly<Record<string, string | undefined>>): Generator<[string, string]> {
  for (const [name, value] of Object.entries(source)) {
    if (value === undefined || value.trim() === '' || isServiceLink(name, value)) continue;
    const upper = name.toUpperCase();
    yield [SHARED_NAMES.has(upper) ? upper : name, value];
  }
}

function readDotenv(cwd: string, faults: string[]): string {
  const path = resolve(cwd, '.env');
  try {
    return readTextFile(path, DOTENV_LIMIT);
  } catch (error) {
    if (!(error instanceof UnreadableFile)) throw error;
    if (error.code !== 'ENOENT') {
      faults.push(`.env cannot be read at ${show(path)} ${explainUnreadable(error)}; mend it or take it away`);
    }
    return '';
  }
}

function readSecretFile(name: SettingName, path: string, faults: string[]): string | undefined {
  try {
    const text = readTextFile(path, SECRET_FILE_LIMIT);
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
