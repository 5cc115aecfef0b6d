import type { Logger } from 'pino';
import type { AuditDraft, AuditMetadata } from '../audit/entry.ts';
import { draft } from '../audit/make-draft.ts';
import type { Inbox, ReadEvent } from '../inbox/accept.ts';
import { runAlone } from '../inbox/run-alone.ts';
import type { Store } from '../inbox/store.ts';
import { InstantlyApiError } from './api-error.ts';
import { detectSilence, SILENT_FROM } from './detect-silence.ts';
import { fetchAllFrom, lookAtWebhooks } from './look-at-webhooks.ts';
import type { InstantlyReader } from './reader.ts';
import { searchFor } from './reconcile-options.ts';
import { reconcileRound } from './reconcile-round.ts';
import { explainRefused, seemsRefused, type TokenJudge, withTokens } from './refused-tokens.ts';
import { ownWebhooks } from './register-webhook.ts';
import { resumeDisabled, sooner } from './resume-disabled.ts';
import type { Webhook } from './schemas.ts';
import { readWatchState, type WatchState, writeWatchState } from './watch-state.ts';
import type { InstantlyWriter } from './writer.ts';

/** Milliseconds after which another process may take over from one that vanished. */
const LEASE_MS = 20_000;
/** Of the interval: whoever comes sooner after another process's look goes by what that one has seen. */
const FRESH_SHARE = 0.5;
const DAY_MS = 86_400_000;
/** Between looks while deliveries of a webhook are refused: an operator is at work on it. */
const REFUSED_MS = 30_000;

export interface WatchOptions extends TokenJudge {
  readonly store: Pick<
    Store,
    'readDocument' | 'writeDocument' | 'holdLease' | 'releaseLease' | 'findByKeys' | 'listEvents'
  >;
  readonly reader: InstantlyReader;
  /** `undefined`: nothing is resumed. */
  readonly writer: InstantlyWriter | undefined;
  readonly inbox: Pick<Inbox, 'interpret' | 'accept'>;
  /** PUBLIC_URL and WEBHOOK_PATH. */
  readonly url: string;
  /** Names this process. */
  readonly owner: string;
  readonly intervalMs: number;
  readonly retentionMs: number;
  readonly record: (entry: AuditDraft) => void;
  /** With what this process or another has seen last, and what this one refuses: what is wrong, with its fix. */
  readonly onState: (state: WatchState, refused: string | null) => void;
  readonly onAccepted: (facts: ReadEvent['facts']) => void;
  readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>;
  readonly now?: () => number;
}

/** Looks after our registration at Instantly: has it resumed where it was disabled, and fetches back what did not arrive. */
export class Watch {
  readonly #options: WatchOptions;
  readonly #now: () => number;
  readonly #stopped = new AbortController();
  readonly #said = new Map<string, string>();
  #hasLooked = false;
  #refused: string | null = null;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  start(): void {
    this.#running = this.round()
      .catch((error: unknown) => this.#say('round', 'warn', `the watch failed; it is tried again: ${String(error)}`))
      .finally(() => {
        // Not all replicas at once.
        const intervalMs = this.#refused === null ? this.#options.intervalMs : REFUSED_MS;
        const afterMs = Math.min(intervalMs, this.#options.intervalMs) * (0.9 + 0.2 * Math.random());
        if (!this.#stopped.signal.aborted) this.#timer = setTimeout(() => this.start(), afterMs).unref();
      });
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    clearTimeout(this.#timer);
    await this.#running;
  }

  /** One look, by this process or, where another is at it or was a moment ago, by that one. */
  async round(): Promise<void> {
    const { store, onState } = this.#options;
    await this.#alone('watch', this.#stopped.signal, (signal) => this.#look(signal));
    onState(await readWatchState(store), this.#refused);
  }

  #alone<Result>(name: string, signal: AbortSignal, job: (signal: AbortSignal) => Promise<Result>) {
    const { store, owner } = this.#options;
    return runAlone({ store, name, owner, leaseMs: LEASE_MS, signal }, job);
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { store, intervalMs } = this.#options;
    const now = this.#now();
    let state = await readWatchState(store);
    const isFresh = now - state.at < intervalMs * FRESH_SHARE && now >= state.at;
    // A look before our start may stand in a restored store, and one by another process may be older than a token.
    const isInDoubt = !this.#hasLooked || this.#refused !== null || seemsRefused(state, this.#options);
    if (isFresh && !isInDoubt) return;
    const own = await this.#own(signal);
    if (own instanceof InstantlyApiError) {
      await writeWatchState(store, { ...state, at: now, fault: own.failure });
      return;
    }
    this.#hasLooked = true;
    this.#judgeTokens(own);
    const { webhooks, absent, back } = lookAtWebhooks(state, own, now, this.#options.reader.clockAheadMs);
    const allFrom = fetchAllFrom(back, now);
    state = {
      ...state,
      at: now,
      fault: null,
      webhooks: withTokens(webhooks, own, this.#options),
      absent: [...absent],
      reconcile: sooner(state.reconcile, allFrom),
    };
    // What is to be fetched back must be known before anything else can go wrong.
    await writeWatchState(store, state);
    state = await resumeDisabled(state, now, this.#resuming, signal);
    await writeWatchState(store, state);
    state = await this.#reconcile(state, own, now, signal);
    state = await this.#listen(state, own, now, signal);
    await writeWatchState(store, state);
  }

  /** Our webhooks, or why Instantly does not tell. */
  async #own(signal: AbortSignal): Promise<Webhook[] | InstantlyApiError> {
    const { reader, url } = this.#options;
    try {
      const own = ownWebhooks(await reader.webhooks(signal), url);
      const isMissing = own.length === 0;
      this.#say(
        'status',
        'warn',
        isMissing ? 'no webhook at Instantly posts to this receiver; "webhooks register" makes one' : '',
      );
      return own;
    } catch (error) {
      if (!(error instanceof InstantlyApiError)) throw error;
      this.#say('status', 'warn', `the registration could not be looked at: ${error.message}`);
      return error;
    }
  }

  /** After a restore, or where a token was changed on one side alone, everything that Instantly sends is refused. */
  #judgeTokens(own: readonly Webhook[]): void {
    const before = this.#refused;
    this.#refused = explainRefused(own, this.#options);
    this.#say('token', 'error', this.#refused ?? '');
    if (before !== null && this.#refused === null)
      this.#options.logger.info('the tokens that our webhooks at Instantly carry are let in again');
  }

  async #reconcile(state: WatchState, own: readonly Webhook[], now: number, signal: AbortSignal): Promise<WatchState> {
    const { store, logger, url } = this.#options;
    const search = searchFor(own, url);
    const save = (progress: WatchState['reconcile']) => writeWatchState(store, { ...state, reconcile: progress });
    const onGivenUp = () =>
      logger.error("Instantly's delivery log came to no end; the rest of it is left, and fetching back begins anew");
    try {
      // Nor beside the command of that name.
      const round = await this.#alone('reconcile', signal, (held) =>
        reconcileRound(state.reconcile, now, { ...this.#options, search, save, onGivenUp, signal: held }),
      );
      if (!round.ran) return state;
      const { state: reconcile, report } = round.result;
      this.#say('reconcile', 'warn', '');
      const { found, groups, held, recovered, unreadable, complete } = report;
      const facts = { found, groups, held, recovered, unreadable, complete };
      if (recovered + unreadable > 0) this.#record('reconcile.run', 'success', facts);
      if (recovered > 0)
        logger.warn(facts, "events that had not arrived were fetched back from Instantly's delivery log");
      this.#say(
        'unreadable',
        'warn',
        unreadable > 0
          ? `${unreadable} deliveries in Instantly's log tell no payload that can be read, so they cannot be fetched back`
          : '',
      );
      return { ...state, reconcile };
    } catch (error) {
      if (!(error instanceof InstantlyApiError)) throw error;
      this.#record('reconcile.run', 'failure', { reason: error.failure });
      this.#say('reconcile', 'warn', `the delivery log could not be read: ${error.message}`);
      // As far as the pages that were read have been saved.
      return { ...state, reconcile: (await readWatchState(store)).reconcile };
    }
  }

  /** Where all events of all campaigns should come, emails that are sent without one coming tell that something is wrong. */
  async #listen(state: WatchState, own: readonly Webhook[], now: number, signal: AbortSignal): Promise<WatchState> {
    const { reader, store } = this.#options;
    const theirNow = now + reader.clockAheadMs;
    const hearsAll = own.some(
      ({ status, campaign, event_type: type }) =>
        status !== -1 && !campaign && (type === 'all_events' || type === 'email_sent'),
    );
    if (!hearsAll) return state;
    try {
      const day = (at: number): string => new Date(at).toISOString().slice(0, 10);
      const analytics = await reader.dailyAnalytics(day(theirNow - DAY_MS), day(theirNow + DAY_MS), signal);
      const [newest] = await store.listEvents({ limit: 1 });
      const silence = detectSilence(state.silence, analytics, newest?.receivedAt ?? null);
      const silent = silence.sentSince >= SILENT_FROM;
      this.#say(
        'silence',
        'error',
        silent
          ? 'campaigns go on sending and no event arrives: run "webhooks test", and look at the webhook at Instantly'
          : '',
      );
      return { ...state, silence };
    } catch (error) {
      if (!(error instanceof InstantlyApiError)) throw error;
      this.#say('silence', 'warn', `what campaigns have sent could not be looked at: ${error.message}`);
      return state;
    }
  }

  get #resuming() {
    const { store, writer, logger } = this.#options;
    return {
      writer,
      logger,
      save: (state: WatchState) => writeWatchState(store, state),
      say: (about: string, message: string) => this.#say(about, 'error', message),
      record: this.#record.bind(this),
    };
  }

  /** Once, until it changes; nothing where there is nothing to say. */
  #say(about: string, level: 'warn' | 'error', message: string): void {
    if (this.#said.get(about) === message) return;
    if (message === '') {
      this.#said.delete(about);
      return;
    }
    this.#said.set(about, message);
    this.#options.logger[level](message);
  }

  #record(action: string, result: AuditDraft['result'], metadata: AuditMetadata): void {
    const [resource = action] = action.split('.');
    this.#options.record(draft({ action, userId: 'service', resource, result, metadata, at: this.#now() }));
  }
}
