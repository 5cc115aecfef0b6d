import { SettingsError } from '../errors/problem.ts';
import { buildSettings } from './build-settings.ts';
import { SETTING_NAMES, type SettingName } from './catalogue.ts';
import { findStoreFault } from './check-store-file.ts';
import { findContradictions, findMissingSecrets, findWeaknesses, lowerDefaults } from './check-together.ts';
import { findLocalFile } from './find-local-file.ts';
import { gatherSecrets } from './gather-secrets.ts';
import { type Environment, readEnvironment } from './read-environment.ts';
import type { Settings } from './settings.ts';
import { type ParsedSettings, settingsSchema } from './settings-schema.ts';
import { findMistypedNames } from './suggest-name.ts';

export interface LoadOptions {
  readonly env: NodeJS.ProcessEnv;
  /** Where `.env` is looked for and relative paths start. */
  readonly cwd: string;
  /** Whether the data folder and missing secrets may be made. Commands that only read pass false: they never write, and
   * do not ask for the secrets that only receiving needs. */
  readonly create: boolean;
  /** Settings that count as unset whatever they are set to. */
  readonly without?: ReadonlySet<SettingName>;
  /** Whether this process has its store open already, so that the file must not be touched: the system drops all locks that a
   * process holds on a file as soon as it closes one descriptor of it, SQLite's among them (fcntl, POSIX). */
  readonly isServing?: boolean;
}

/**
 * The settings of this process, from its environment, `.env` and secret files.
 *
 * @throws SettingsError with every fault at once; nothing has been made then
 */
export function loadSettings(options: LoadOptions): Settings {
  const environment = readEnvironment(options.env, options.cwd, options.without);
  const mistyped = findMistypedNames(environment.names);
  const { parsed, whole, faults, warnings } = parseAll(environment, options.cwd);
  faults.push(...findContradictions(parsed, environment));
  if (options.isServing !== true) faults.push(...findStoreFault(findLocalFile(parsed)));
  if (options.create) faults.push(...findMissingSecrets(parsed, environment, mistyped));
  if (whole === undefined || faults.length > 0) throw new SettingsError(faults);

  const secrets = gatherSecrets(whole, environment, options.create);
  return buildSettings(whole, secrets, options.cwd, [
    ...mistyped,
    ...warnings,
    ...findWeaknesses(whole),
    ...secrets.warnings,
  ]);
}

/** Parses every setting by itself, so that one fault hides no other. */
function parseAll(environment: Environment, cwd: string) {
  const schema = settingsSchema(cwd);
  const faults = [...environment.faults];
  const parsed: Partial<ParsedSettings> = {};
  for (const name of SETTING_NAMES) {
    const result = schema.shape[name].safeParse(environment.values.get(name));
    if (result.success) Object.assign(parsed, { [name]: result.data });
    else faults.push(...result.error.issues.map((issue) => `${describeSource(name, environment)} ${issue.message}`));
  }
  const { lowered, warnings } = lowerDefaults(parsed, environment);
  Object.assign(parsed, lowered);
  const whole =
    faults.length === 0 ? { ...schema.parse(Object.fromEntries(environment.values)), ...lowered } : undefined;
  return { parsed, whole, faults, warnings };
}

function describeSource(name: SettingName, environment: Environment): string {
  return environment.files.has(name) ? `${name} (from ${name}_FILE)` : name;
}
