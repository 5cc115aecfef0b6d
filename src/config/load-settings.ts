import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { SettingsError } from '../errors/problem.ts';
import { buildSettings } from './build-settings.ts';
import { CATALOGUE, isSecretSetting, SETTING_NAMES, type SettingName } from './catalogue.ts';
import { findStoreFault } from './check-store-file.ts';
import {
  findContradictions,
  findMissingSecrets,
  findWeaknesses,
  lowerDefaults,
  shortenPublicUrl,
} from './check-together.ts';
import { findLocalFile } from './find-local-file.ts';
import { findLooseModes, type Places } from './find-loose-modes.ts';
import { findCopyMark, findSecretSlip } from './find-slip.ts';
import { gatherSecrets } from './gather-secrets.ts';
import { keptSecretFile } from './keep-secrets.ts';
import { type Environment, readEnvironment } from './read-environment.ts';
import { show } from './read-text-file.ts';
import type { Settings } from './settings.ts';
import { type ParsedSettings, settingsSchema } from './settings-schema.ts';
import { findMistypedNames } from './suggest-name.ts';

const DAY_MS = 86_400_000;

const LISTS: ReadonlySet<SettingName> = new Set(['INSTANTLY_SECRET', 'INSTANTLY_WEBHOOK_TOKEN']);
/** A path may hold any character, and a key that entries are sealed with is what it is. */
const UNEXAMINED: ReadonlySet<SettingName> = new Set(['HANDLERS_DIR', 'AUDIT_KEY']);

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
  const hints = [...mistyped, ...environment.warnings];
  if (options.create) faults.push(...findMissingSecrets(parsed, environment, hints));
  // Those who run no handlers may go on without them.
  (options.create ? faults : warnings).push(...findAbsentHandlers(parsed, environment, options.cwd));
  // Those who would start with other people's code, or show them data.
  const isRefused = options.create && parsed.NODE_ENV === 'production';
  (isRefused ? faults : warnings).push(...findLooseModes(listPlaces(parsed, environment, options.cwd)));
  if (whole === undefined || faults.length > 0) throw new SettingsError(faults);

  const secrets = gatherSecrets(whole, environment, options.create);
  return buildSettings(whole, secrets, environment, options.cwd, [
    ...mistyped,
    ...environment.warnings,
    ...warnings,
    ...findWeaknesses(whole),
    ...findReplayGap(whole),
    ...secrets.warnings,
  ]);
}

/** A folder that is set and does not exist is a slip: events would be stored for no handler. */
function findAbsentHandlers(
  { HANDLERS_DIR, ROLE }: Partial<ParsedSettings>,
  { isGiven }: Environment,
  cwd: string,
): string[] {
  if (HANDLERS_DIR === undefined || ROLE === 'receiver' || !isGiven('HANDLERS_DIR')) return [];
  // Like any other value it is not repeated: a secret may have been pasted there.
  return existsSync(resolve(cwd, HANDLERS_DIR))
    ? []
    : [
        `HANDLERS_DIR names a folder that does not exist (a relative path starts at ${show(cwd)}); make the folder, correct the path, or unset it`,
      ];
}

/** An event whose content is forgotten before it is too old counts as new meanwhile. */
function findReplayGap({ MAX_EVENT_AGE: maxAgeMs, RETENTION_DAYS: days }: ParsedSettings): string[] {
  if (maxAgeMs === undefined || maxAgeMs <= days * DAY_MS) return [];
  return [
    'MAX_EVENT_AGE is longer than RETENTION_DAYS, after which a repeated event counts as new; lower it, or raise RETENTION_DAYS',
  ];
}

function listPlaces(parsed: Partial<ParsedSettings>, environment: Environment, cwd: string): Places {
  const local = findLocalFile(parsed);
  const kept = (['INSTANTLY_SECRET', 'INSTANTLY_WEBHOOK_TOKEN', 'AUDIT_KEY'] as const).filter(
    (name) => !environment.isGiven(name),
  );
  return {
    handlersDir: resolve(cwd, parsed.HANDLERS_DIR ?? CATALOGUE.HANDLERS_DIR.default),
    data: local && [`${local.setting} names a file in`, dirname(local.file)],
    secretFiles: [...environment.files].map(([name, file]) => [`${name}_FILE names`, file] as const),
    keptFiles: [
      ...(environment.dotenvHoldsSecret ? [['.env holds secrets:', resolve(cwd, '.env')] as const] : []),
      ...kept.map((name) => [`${name} is kept at`, keptSecretFile(dirname(local?.file ?? cwd), name)] as const),
    ],
  };
}

/** Parses every setting by itself, so that one fault hides no other. */
function parseAll(environment: Environment, cwd: string) {
  const schema = settingsSchema(cwd);
  const faults = [...environment.faults];
  const parsed: Partial<ParsedSettings> = {};
  for (const name of SETTING_NAMES) {
    const slip = findSlip(name, environment);
    if (slip !== undefined) {
      faults.push(`${describeSource(name, environment)} ${slip}`);
      continue;
    }
    const result = schema.shape[name].safeParse(environment.values.get(name));
    if (result.success) Object.assign(parsed, { [name]: result.data });
    else faults.push(...result.error.issues.map((issue) => `${describeSource(name, environment)} ${issue.message}`));
  }
  const { lowered, warnings } = lowerDefaults(parsed, environment);
  const shortened = shortenPublicUrl(parsed);
  const changed = { ...lowered, ...shortened.changed };
  warnings.push(...shortened.warnings);
  Object.assign(parsed, changed);
  const whole =
    faults.length === 0 ? { ...schema.parse(Object.fromEntries(environment.values)), ...changed } : undefined;
  return { parsed, whole, faults, warnings };
}

/** What was copied along with a value; lists say it of each of their keys, and the audit key is taken as it is. */
function findSlip(name: SettingName, { values, files }: Environment): string | undefined {
  const text = values.get(name);
  if (text === undefined || UNEXAMINED.has(name)) return undefined;
  if (!isSecretSetting(name) || name === 'DATABASE_URL') return findCopyMark(text);
  return LISTS.has(name) ? findPath(name, text, files) : (findPath(name, text, files) ?? findSecretSlip(text));
}

/** The path of a secret's file in the place of the secret. */
function findPath(name: SettingName, text: string, files: Environment['files']): string | undefined {
  if (files.has(name) || !/^(?:\.{0,2}|~|[A-Za-z]:)[/\\]/.test(text) || !existsSync(text)) return undefined;
  return `is the path of a file; did you mean ${name}_FILE?`;
}

function describeSource(name: SettingName, environment: Environment): string {
  return environment.files.has(name) ? `${name} (from ${name}_FILE)` : name;
}
