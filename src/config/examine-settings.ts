import { SettingsError } from '../errors/problem.ts';
import { isSettingName, type SettingName } from './catalogue.ts';
import { loadSettings } from './load-settings.ts';
import { readEnvironment } from './read-environment.ts';
import type { Settings } from './settings.ts';

/** The settings of a process that looks at them rather than works by them. */
export interface ExaminedSettings {
  /** Those that can be used, the others as if nobody had set them; `undefined`: that does not help. */
  readonly settings: Settings | undefined;
  /** All that keeps them from being loaded as they are; one line each. */
  readonly faults: readonly string[];
  readonly leftOut: ReadonlySet<SettingName>;
  /** As it is set. */
  readonly nodeEnv: string | undefined;
}

/** Never throws for a fault of the settings. Makes nothing. */
export function examineSettings(env: NodeJS.ProcessEnv, cwd: string): ExaminedSettings {
  const leftOut = new Set<SettingName>();
  const faults: string[] = [];
  const nodeEnv = readEnvironment(env, cwd).values.get('NODE_ENV');
  // Each turn leaves out one more at least, or is the last.
  for (;;) {
    try {
      const settings = loadSettings({ env, cwd, create: false, without: leftOut });
      return { settings, faults, leftOut, nodeEnv };
    } catch (error) {
      if (!(error instanceof SettingsError)) throw error;
      const found = error.faults.map((fault) => ({ fault, names: namesIn(fault) }));
      // What another one lacks because it was left out is no fault of its own.
      const own = found.filter(
        ({ fault, names }) => !faults.includes(fault) && !names.some((name) => leftOut.has(name)),
      );
      const next = found.flatMap(({ names }) => names.find((name) => !leftOut.has(name)) ?? []);
      faults.push(...own.map(({ fault }) => fault));
      if (next.length === 0) return { settings: undefined, faults, leftOut, nodeEnv };
      for (const name of next) leftOut.add(name);
    }
  }
}

/** The settings that a fault speaks of: the one that is at fault comes first. */
function namesIn(fault: string): SettingName[] {
  return [...fault.matchAll(/[A-Z]+(?:_[A-Z]+)*/g)]
    .map(([name]) => (isSettingName(name) ? name : name.replace(/_FILE$/, '')))
    .filter(isSettingName);
}
