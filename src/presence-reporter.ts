import type { Logger } from 'pino';
import type { Store } from './inbox/store.ts';
import { forgetOthers, livePresences, reportPresence, signOff } from './instantly/presence.ts';

const LOOK_MS = 1_000;
/** Milliseconds after which a process tells of itself again though nothing has changed. */
const REPORT_MS = 60_000;

export interface PresenceReporterOptions {
  readonly store: Pick<Store, 'writeDocument' | 'listDocuments' | 'dropDocument'>;
  /** Names this process. */
  readonly owner: string;
  /** Whether no other process can serve on this store. */
  readonly isAlone: boolean;
  readonly read: () => Parameters<typeof reportPresence>[2];
  readonly logger: Pick<Logger, 'warn'>;
}

/** Tells the store that this process serves, and with which secrets, so that a rotation can wait until all know the new one. */
export class PresenceReporter {
  readonly #options: PresenceReporterOptions;
  #told = { text: '', at: Number.NEGATIVE_INFINITY };
  #isAway = false;
  #timer: NodeJS.Timeout | undefined;
  #telling: Promise<void> | undefined;

  constructor(options: PresenceReporterOptions) {
    this.#options = options;
  }

  start(): void {
    this.#look();
    this.#timer = setInterval(() => this.#look(), LOOK_MS).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#telling;
    // Where the store is away, it is forgotten after ten minutes.
    await signOff(this.#options.store, this.#options.owner).catch(() => undefined);
  }

  #look(): void {
    this.#telling ??= this.#tell().finally(() => {
      this.#telling = undefined;
    });
  }

  async #tell(): Promise<void> {
    const { store, owner, isAlone, read, logger } = this.#options;
    const presence = read();
    const text = JSON.stringify(presence);
    if (text === this.#told.text && performance.now() - this.#told.at < REPORT_MS) return;
    try {
      // Whoever was killed has not signed off, and each start has a name of its own: looking at them forgets the old ones.
      if (isAlone) await forgetOthers(store, owner);
      await reportPresence(store, owner, presence);
      await livePresences(store);
      this.#told = { text, at: performance.now() };
      this.#isAway = false;
    } catch (error) {
      // Once for each outage.
      if (!this.#isAway) logger.warn({ err: error }, 'this process could not tell the store that it serves');
      this.#isAway = true;
    }
  }
}
