import type { ExaminedSettings } from '../../config/examine-settings.ts';
import { isLoopbackHost } from '../../config/is-loopback.ts';
import type { Settings } from '../../config/settings.ts';
import { type Deployment, deploymentOf } from '../../instantly/judge-scopes.ts';
import type { ReadableStore } from '../open-store.ts';
import { type Finding, Skipped } from './check.ts';
import type { InstantlyLook } from './look-at-instantly.ts';

export interface OpenedStore {
  readonly store: ReadableStore;
  /** What is wrong with the key of the audit log; `null`: nothing. */
  readonly keyFault: Finding | null;
}

/** Why there is no store to look into. */
export interface ClosedStore {
  readonly skipped: Skipped;
  /** Absent where nothing is wrong: there is none yet. */
  readonly fault?: Finding;
}

/** What the checks look at. */
export interface Context {
  readonly cwd: string;
  readonly examined: ExaminedSettings;
  readonly opened: OpenedStore | ClosedStore;
  /** Instantly by its API, or why it is not asked. */
  readonly instantly: InstantlyLook | Skipped;
}

/** @throws Skipped where they cannot be used */
export function settingsOf({ examined }: Pick<Context, 'examined'>): Settings {
  if (examined.settings !== undefined) return examined.settings;
  throw new Skipped('the settings cannot be used', 'mend what the lines "settings" name');
}

export function deployment({ examined }: Pick<Context, 'examined'>): Deployment {
  return deploymentOf(examined.nodeEnv);
}

/** Whether this is a trial with a fake Instantly on this machine, which delivers where it was told and guards no workspace. */
export function isTrial(context: Pick<Context, 'examined'>): boolean {
  const { apiUrl } = settingsOf(context).instantly;
  return deployment(context) === 'development' && isLoopbackHost(new URL(apiUrl).hostname);
}

/** @throws Skipped where there is none, or it cannot be opened */
export function openedOf({ opened }: Pick<Context, 'opened'>): OpenedStore {
  if ('store' in opened) return opened;
  throw opened.skipped;
}

/** @throws Skipped where there is none, or it cannot be opened */
export function storeOf(context: Pick<Context, 'opened'>): ReadableStore {
  return openedOf(context).store;
}

/** @throws Skipped where it cannot be asked */
export function instantlyOf({ instantly }: Pick<Context, 'instantly'>): InstantlyLook {
  if (instantly instanceof Skipped) throw instantly;
  return instantly;
}
