import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Logger } from 'pino';
import type { AuditDraft } from './audit/entry.ts';
import { draft } from './audit/make-draft.ts';
import { createAuthenticator } from './authenticate/index.ts';
import { Secret } from './config/secret.ts';
import type { Settings } from './config/settings.ts';
import { SettingsError } from './errors/problem.ts';

/** Milliseconds between two looks at the files. By content and not by notice: Kubernetes puts a link elsewhere, editors put
 * a new file in place, and a shared folder tells nobody. */
const LOOK_MS = 5_000;

/** What a process can take on while it runs. All else is wired into it at the start. */
const CHANGEABLE = [
  'authentication',
  'metricsToken',
  'instantly',
  'secretMaxAgeMs',
] as const satisfies (keyof Settings)[];

export interface LiveSettingsOptions {
  readonly settings: Settings;
  /** Reads them anew. @throws SettingsError */
  readonly load: () => Settings;
  readonly record: (entry: AuditDraft) => void;
  readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>;
}

/** The settings as they are now: some of them may change under a running process, by SIGHUP or by the files of secrets. */
export class LiveSettings {
  readonly #options: LiveSettingsOptions;
  readonly #listeners: (() => void | Promise<void>)[] = [];
  #current: Settings;
  #seen: string;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: LiveSettingsOptions) {
    this.#options = options;
    this.#current = options.settings;
    this.#seen = digestFiles(options.settings);
  }

  get current(): Settings {
    return this.#current;
  }

  /** Called after each change. The log says that the settings are in force once every listener's promise has resolved. */
  onChange(listener: () => void | Promise<void>): void {
    this.#listeners.push(listener);
  }

  start(): void {
    if (Object.keys(this.#current.secretFiles).length === 0) return;
    this.#timer = setInterval(() => {
      if (digestFiles(this.#current) !== this.#seen) this.reload('a file of a secret has changed');
    }, LOOK_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Settings that cannot be used change nothing: the process goes on with those it has. */
  reload(reason: string): void {
    const { load, logger } = this.#options;
    this.#seen = digestFiles(this.#current);
    try {
      const read = load();
      const changed = CHANGEABLE.filter((name) => differ(this.#current[name], read[name]));
      const next = { ...this.#current, ...Object.fromEntries(changed.map((name) => [name, read[name]])) };
      // Whatever cannot be used is refused here, before it is in force.
      if (next.role !== 'worker') createAuthenticator(next.authentication);
      this.#current = Object.freeze(next);
      for (const warning of read.warnings) {
        if (!this.#options.settings.warnings.includes(warning)) logger.warn(warning);
      }
      const later = findUnchangeable(this.#current, read);
      this.#record('success', { reason, changed });
      if (changed.length === 0) logger.info({ reason, changed }, 'the settings have not changed');
      else void this.#apply({ reason, changed });
      if (later.length > 0) logger.warn({ settings: later }, 'other settings have changed too: they need a restart');
    } catch (error) {
      if (!(error instanceof SettingsError)) throw error;
      this.#record('failure', { reason, faults: error.faults.length });
      logger.error({ reason, faults: error.faults }, 'the new settings cannot be used; the old ones stay in force');
    }
  }

  async #apply(facts: { readonly reason: string; readonly changed: readonly string[] }): Promise<void> {
    await Promise.all(this.#listeners.map((listener) => listener()));
    this.#options.logger.info(facts, 'new settings are in force');
  }

  #record(result: AuditDraft['result'], metadata: AuditDraft['metadata']): void {
    const entry = { action: 'settings.reload', userId: 'service', resource: 'settings', at: Date.now() };
    this.#options.record(draft({ ...entry, result, metadata }));
  }
}

function findUnchangeable(current: Settings, read: Settings): string[] {
  const changeable: readonly string[] = CHANGEABLE;
  // Notices about a start, which a reload has none of; and the key, which cannot be read where there is none.
  const passedOver = ['warnings', 'generatedSecrets', 'secretOrigins', 'secretFiles', 'audit'];
  const names = Object.keys(current).filter((name) => !changeable.includes(name) && !passedOver.includes(name));
  return names.filter((name) => differ(current[name as keyof Settings], read[name as keyof Settings]));
}

/** Secrets included, which show themselves to nobody. */
function differ(a: unknown, b: unknown): boolean {
  if (a instanceof Secret && b instanceof Secret) return a.reveal() !== b.reveal();
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a !== b;
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  const at = (object: object, name: string): unknown => Object.entries(object).find(([one]) => one === name)?.[1];
  return [...names].some((name) => differ(at(a, name), at(b, name)));
}

/** A file that cannot be read counts as changed, and the reload says what is wrong with it. */
function digestFiles({ secretFiles }: Settings): string {
  return Object.values(secretFiles)
    .map((file) => {
      try {
        return hash('sha256', readFileSync(file));
      } catch (error) {
        return String(error);
      }
    })
    .join();
}
