import { relative } from 'node:path';
import { SettingsError } from '../errors/problem.ts';
import { canonicalType, isCanonicalType, UNKNOWN_TYPE } from '../events/names.ts';
import { readType, suggestType } from '../events/suggest-type.ts';
import type { HandlerRoute } from '../inbox/store.ts';
import type { DispatchLogger } from './dispatch-hooks.ts';
import { type ExamineOptions, examineFiles } from './examine-files.ts';
import { findHandlerFiles } from './find-handler-files.ts';
import { handlerEnvironment } from './handler-environment.ts';
import type { KeptModules } from './kept-modules.ts';

const LOAD_LIMIT_MS = 10_000;

export interface LoadedHandler extends HandlerRoute {
  /** Absolute path. */
  readonly file: string;
  readonly idle: boolean;
  /** Its code and that of what it imports, as it was checked. */
  readonly modules: KeptModules;
}

export interface LoadedHandlers {
  readonly handlers: readonly LoadedHandler[];
  /** Not faults, but worth a line in the log at the start. */
  readonly warnings: readonly string[];
  /** What the handlers take as texts of custom labels, without a doubt. */
  readonly labels: readonly string[];
}

/** A file that cannot be used. */
export interface FileFault {
  /** Absolute path. */
  readonly file: string;
  /** One line with each reason. */
  readonly message: string;
}

export interface ExaminedFolder extends LoadedHandlers {
  readonly faults: readonly FileFault[];
}

export interface LoadOptions extends Partial<ExamineOptions> {
  /** Only this file. */
  readonly only?: string;
  /** Handlers of other files, whose names are taken. */
  readonly loaded?: readonly LoadedHandler[];
}

/**
 * As `examineFolder`.
 *
 * @throws SettingsError naming each file that cannot be used, with its reason.
 */
export async function loadHandlers(dir: string, options: LoadOptions = {}): Promise<LoadedHandlers> {
  const { faults, ...loaded } = await examineFolder(dir, options);
  if (faults.length > 0) throw new SettingsError(faults.map(({ message }) => message));
  return loaded;
}

/**
 * Imports every handler file of a folder once, in a thread of its own, and says what each one takes.
 *
 * @throws SettingsError where the folder cannot be read
 */
export async function examineFolder(
  dir: string,
  { only, loaded = [], ...options }: LoadOptions = {},
): Promise<ExaminedFolder> {
  const found = await findHandlerFiles(dir, show);
  const files = found.files.filter((file) => only === undefined || file === only);
  const { results, modules } = await examineFiles(dir, files, {
    logLevel: 'info',
    logFd: 1,
    limitMs: LOAD_LIMIT_MS,
    ...options,
    env: handlerEnvironment(options.env),
  });
  const handlers: LoadedHandler[] = [];
  const faults: FileFault[] = [];
  const warnings = only === undefined ? [...found.warnings] : [];
  const labels = new Set<string>();
  for (const [index, file] of files.entries()) {
    const result = results[index] ?? { reasons: ['it was not looked at'] };
    const shown = show(file);
    if ('reasons' in result) {
      for (const reason of result.reasons) {
        faults.push({
          file,
          message: `${shown} is no usable handler: ${reason}; mend it, or move it out of HANDLERS_DIR`,
        });
      }
      continue;
    }
    const { name, ordered, idle } = result.facts;
    const namesake = [...loaded, ...handlers].find(({ handler }) => handler === name);
    if (namesake !== undefined) {
      faults.push({
        file,
        message: `${shown} and ${show(namesake.file)} both name their handler ${name}; give one of them another name`,
      });
      continue;
    }
    const events = [...new Set(result.facts.events.map(canonicalType))];
    for (const event of events.filter((one) => !isKnown(one))) {
      const doubt = doubtEvent(event);
      if (doubt === undefined) labels.add(event);
      else warnings.push(`handler ${name} (${shown}) takes ${doubt}`);
    }
    handlers.push({ handler: name, ordered, events, file, idle, modules });
  }
  return { handlers, faults, warnings, labels: [...labels] };
}

/** Tells of what is worth a line in the log and no fault. */
export function logFindings({ warnings, labels }: LoadedHandlers, logger: Pick<DispatchLogger, 'info' | 'warn'>): void {
  for (const warning of warnings) logger.warn(warning);
  if (labels.length > 0) logger.info({ labels }, 'handlers take these as custom labels, and no other spelling of them');
}

function isKnown(event: string): boolean {
  return isCanonicalType(event) || event === UNKNOWN_TYPE || event === '*';
}

/** Such a text never matches an event, or only one with a label of exactly that text; `undefined`: it may be a label. */
function doubtEvent(event: string): string | undefined {
  const shown = /^[\w.:-]+$/.test(event) ? event : JSON.stringify(event);
  const parts = event.split(/[\s,;|]+/).filter((part) => part !== '');
  if (parts.length > 1 && parts.every((part) => readType(part) !== undefined) && readType(event) === undefined) {
    return `${shown} as one name; write each type as an element of its own`;
  }
  if (event.includes('*')) return `${shown}, which is no pattern and counts as a custom label; '*' alone takes all`;
  const meant = suggestType(event);
  const isLikeName = /^[a-z]+(?:[._:][a-z]+)+$/.test(event);
  if (meant === undefined && !isLikeName) return undefined;
  const advice = meant === undefined ? '' : `; did you mean ${meant === '*' ? "'*'" : meant}?`;
  return `${shown}, which is no event type and counts as a custom label${advice}`;
}

/** As one would type it. */
function show(file: string): string {
  const path = relative(process.cwd(), file);
  return path.startsWith('..') ? file : path;
}
