import type { Logger } from 'pino';
import type { AuditDraft } from '../audit/entry.ts';
import type { InstantlySettings, KeyInUse } from '../config/settings.ts';
import { claimNotice, isNoticeDue } from '../inbox/claim-notice.ts';
import { runAlone } from '../inbox/run-alone.ts';
import type { Store } from '../inbox/store.ts';
import { InstantlyApiError, lacksScope } from './api-error.ts';
import { identifyKey } from './identify-key.ts';
import { deploymentOf, excessScopes, explainExcess } from './judge-scopes.ts';
import { openAccounts } from './open-accounts.ts';
import type { ListedApiKey } from './schemas.ts';
import { daysOfLog, findUnused, readScopeUse, type ScopeUse, USE_DAYS } from './scope-use.ts';

const DAY_MS = 86_400_000;
const WEEK_MS = 7 * DAY_MS;
/** Between two looks whether anything is due. By the clock, since a timer of a day stands still while a machine sleeps. */
const TICK_MS = 10 * 60_000;
/** Days of the audit log that say something of use. */
const LEAST_DAYS = 7;
/** Milliseconds after which another process may read the log in the place of one that vanished. */
const LEASE_MS = 60_000;
/** Between two pages of the log, for the commits that wait. */
const PAGE_PAUSE_MS = 20;
const USE_NOTICE = 'scope-use';
/** Messages of one process that are told once. */
const MAX_SAID = 100;

export interface KeyWatchOptions {
  readonly store: Pick<Store, 'readDocument' | 'writeDocument' | 'tailAudit' | 'holdLease' | 'releaseLease'>;
  /** As they are now. */
  readonly settings: () => {
    readonly instantly: InstantlySettings;
    readonly audit: { readonly retentionMs: number };
  };
  /** Names this process. */
  readonly owner: string;
  readonly record: (entry: AuditDraft) => void;
  /** By setting, when Instantly made the key, epoch milliseconds. */
  readonly onMade: (madeAt: ReadonlyMap<string, number>) => void;
  readonly logger: Pick<Logger, 'info' | 'warn'>;
  readonly now?: () => number;
}

interface KnownKey {
  readonly used: KeyInUse;
  readonly id: string;
  readonly scopes: readonly string[];
}

/** Looks daily at what our keys may do, and weekly at what they were used for. */
export class KeyWatch {
  readonly #options: KeyWatchOptions;
  readonly #now: () => number;
  readonly #stopped = new AbortController();
  readonly #said = new Set<string>();
  #known: readonly KnownKey[] = [];
  #lookedAt: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(options: KeyWatchOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  start(): void {
    this.#tick();
    this.#timer = setInterval(() => this.#tick(), TICK_MS).unref();
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    clearInterval(this.#timer);
    await this.#running;
  }

  /** The keys are others now. */
  changed(): void {
    this.#lookedAt = undefined;
    this.#known = [];
    this.#options.onMade(new Map());
    if (this.#timer !== undefined) this.#tick();
  }

  /** Scopes beyond what each key may hold, by its setting; a key whose scopes are not known is absent. */
  get excess(): ReadonlyMap<string, readonly string[]> {
    const deployment = deploymentOf(this.#options.settings().instantly.nodeEnv);
    return new Map(
      this.#known.map(({ used, scopes }) => [
        used.key.setting,
        excessScopes({ scopes, purpose: used.purpose, deployment }),
      ]),
    );
  }

  /** One look at whatever is due. */
  async round(): Promise<void> {
    await this.#lookAtScopes();
    await this.#tellUse();
  }

  #tick(): void {
    this.#running = this.#running
      .then(() => (this.#stopped.signal.aborted ? undefined : this.round()))
      .catch((error: unknown) => {
        const why = error instanceof InstantlyApiError ? error.message : String(error);
        if (!this.#stopped.signal.aborted)
          this.#sayOnce(`the API keys could not be looked at; it is tried again: ${why}`);
      });
  }

  async #lookAtScopes(): Promise<void> {
    const { settings, store, logger, onMade } = this.#options;
    const now = this.#now();
    const isFirst = this.#lookedAt === undefined;
    if (this.#lookedAt !== undefined && now >= this.#lookedAt && now - this.#lookedAt < DAY_MS) return;
    const { instantly } = settings();
    const listed = await this.#list(instantly);
    this.#lookedAt = now;
    const entries = instantly.keys.flatMap((used) => this.#identify(listed, used) ?? []);
    this.#known = entries.flatMap(({ used, entry: { id, scopes } }) => (scopes ? [{ used, id, scopes }] : []));
    onMade(
      new Map(
        entries.flatMap(({ used, entry }) => {
          const at = Date.parse(entry.timestamp_created ?? '');
          return Number.isNaN(at) ? [] : [[used.key.setting, at] as const];
        }),
      ),
    );
    const { excess } = this;
    const wide = this.#known.filter(({ used }) => (excess.get(used.key.setting)?.length ?? 0) > 0);
    if (wide.length === 0) return;
    // Each process at its start; from then on one of all.
    const isDue = await claimNotice(store, 'excess-scopes', DAY_MS, now);
    if (!isFirst && !isDue) return;
    for (const { used } of wide) {
      const scopes = excess.get(used.key.setting) ?? [];
      const why = explainExcess(used, scopes, deploymentOf(instantly.nodeEnv));
      logger.warn({ key: used.key.setting, scopes }, `the key in ${used.key.setting} has excess scopes: ${why}`);
    }
  }

  /** By the first key that may list them; empty: none may. */
  async #list(instantly: InstantlySettings): Promise<readonly ListedApiKey[]> {
    for (const { key } of instantly.keys) {
      const { reader } = this.#open({ ...instantly, readKey: key });
      try {
        return (await reader?.apiKeys(this.#stopped.signal)) ?? [];
      } catch (error) {
        if (!(error instanceof InstantlyApiError) || error.isPassing) throw error;
        const why = lacksScope(error) ? 'the key lacks api_keys:read' : error.message;
        this.#sayOnce(`the API keys cannot be listed with the key in ${key.setting}: ${why}`);
      }
    }
    return [];
  }

  #identify(listed: readonly ListedApiKey[], used: KeyInUse) {
    const entry = identifyKey(listed, used.key.secret)?.entry;
    // An empty list has been told of.
    if (!entry?.scopes && listed.length > 0)
      this.#sayOnce(`the scopes of the key in ${used.key.setting} are not known: Instantly's list does not tell them`);
    return entry && { used, entry };
  }

  /** Quietly: it is no fault that a key may not be known. */
  #sayOnce(message: string): void {
    if (this.#said.has(message) || this.#said.size >= MAX_SAID) return;
    this.#said.add(message);
    this.#options.logger.info(message);
  }

  #open(instantly: InstantlySettings) {
    return openAccounts({ ...instantly, writeKey: undefined }, 'service', this.#options.record);
  }

  async #tellUse(): Promise<void> {
    const { store, owner, settings } = this.#options;
    const now = this.#now();
    if (this.#known.length === 0 || !(await isNoticeDue(store, USE_NOTICE, WEEK_MS, now))) return;
    if ((await daysOfLog(store, now)) < LEAST_DAYS) return;
    const alone = { store, name: USE_NOTICE, owner, leaseMs: LEASE_MS, signal: this.#stopped.signal };
    await runAlone(alone, async (signal) => {
      const { instantly, audit } = settings();
      const { reader } = this.#open(instantly);
      const use = await readScopeUse({
        store,
        reader,
        auditRetentionMs: audit.retentionMs,
        now,
        pauseMs: PAGE_PAUSE_MS,
        signal,
      });
      if (await claimNotice(store, USE_NOTICE, WEEK_MS, now)) this.#sayUnused(use, instantly);
    });
  }

  #sayUnused(use: ScopeUse, { nodeEnv }: InstantlySettings): void {
    const { logger } = this.#options;
    for (const { used, id, scopes } of this.#known) {
      const unused = findUnused({ used, id, scopes, deployment: deploymentOf(nodeEnv), use });
      if (unused === undefined) continue;
      const { setting } = used.key;
      const facts = { key: setting, scopes: unused.drop };
      const until = use.isWhole ? '' : ` (${USE_DAYS} days are needed to tell)`;
      const message = `the key in ${setting} ${unused.found}${until}; ${unused.fix}`;
      if (use.isWhole) logger.warn(facts, message);
      else logger.info(facts, message);
    }
  }
}
