import { relative } from 'node:path';
import { editDistance } from '../config/suggest-name.ts';
import { SettingsError } from '../errors/problem.ts';
import { CANONICAL_TYPES, canonicalType, isCanonicalType, UNKNOWN_TYPE } from '../events/names.ts';
import type { HandlerRoute } from '../inbox/store.ts';
import { type ExamineOptions, examineFiles } from './examine-files.ts';
import { findHandlerFiles } from './find-handler-files.ts';
import { handlerEnvironment } from './handler-environment.ts';
import type { KeptModules } from './kept-modules.ts';

const LOAD_LIMIT_MS = 10_000;
const MAX_TYPING_ERRORS = 3;

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
}

/**
 * Imports every handler file of a folder once, in a thread of its own, and says what each one takes.
 *
 * @throws SettingsError naming each file that cannot be used, with its reason.
 */
export async function loadHandlers(dir: string, options: Partial<ExamineOptions> = {}): Promise<LoadedHandlers> {
  const files = await findHandlerFiles(dir);
  const { results, modules } = await examineFiles(dir, files, {
    logLevel: 'info',
    logFd: 1,
    limitMs: LOAD_LIMIT_MS,
    ...options,
    env: handlerEnvironment(options.env),
  });
  const handlers: LoadedHandler[] = [];
  const faults: string[] = [];
  const warnings: string[] = [];
  for (const [index, file] of files.entries()) {
    const result = results[index] ?? { reasons: ['it was not looked at'] };
    const shown = show(file);
    if ('reasons' in result) {
      for (const reason of result.reasons) {
        faults.push(`${shown} is no usable handler: ${reason}; mend it, or move it out of HANDLERS_DIR`);
      }
      continue;
    }
    const { name, ordered, idle } = result.facts;
    const namesake = handlers.find(({ handler }) => handler === name);
    if (namesake !== undefined) {
      faults.push(`${shown} and ${show(namesake.file)} both name their handler ${name}; give one of them another name`);
    }
    const events = [...new Set(result.facts.events.map(canonicalType))];
    for (const event of events) warnings.push(...doubt(event, name, shown));
    handlers.push({ handler: name, ordered, events, file, idle, modules });
  }
  if (faults.length > 0) throw new SettingsError(faults);
  return { handlers, warnings };
}

/** A name in the style of Instantly's types that is none of them is a slip more often than somebody's label. */
function doubt(event: string, handler: string, file: string): string[] {
  if (!/^[a-z]+(?:[._][a-z]+)+$/.test(event) || isCanonicalType(event) || event === UNKNOWN_TYPE) return [];
  const meant = CANONICAL_TYPES.find((type) => editDistance(event.replaceAll('.', '_'), type) <= MAX_TYPING_ERRORS);
  const advice = event === 'all_events' ? "; did you mean '*'?" : meant === undefined ? '' : `; did you mean ${meant}?`;
  return [`handler ${handler} (${file}) takes ${event}, which is no event type and counts as a custom label${advice}`];
}

/** As one would type it. */
function show(file: string): string {
  const path = relative(process.cwd(), file);
  return path.startsWith('..') ? file : path;
}
