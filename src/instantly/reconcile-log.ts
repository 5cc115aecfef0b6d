import { hash } from 'node:crypto';
import { draft } from '../audit/make-draft.ts';
import { leadsTo } from '../authenticate/index.ts';
import { typeLabel } from '../events/names.ts';
import { monotonicMilliseconds } from '../inbox/clock.ts';
import { LogOrder } from './log-order.ts';
import { dayOf, groupOf, type LoggedEvent, readLogged, timeOf } from './logged-attempt.ts';
import type { LogWindow, ReconcileOptions, ReconcileReport } from './reconcile-options.ts';
import type { Page, WebhookEvent } from './schemas.ts';

/** Groups that one run remembers at the most; a run over more of them ends early and goes on later. */
const MAX_GROUPS = 200_000;
/** The log knows days, and nobody has said of which clock: one more on both sides. */
const DAY_MS = 86_400_000;
/** Without which nobody knows whose an attempt is. One that lacks it is passed over; a page that lacks it throughout is no answer. */
const TELLING = 'webhook_url';
/** Of the pages and the time of a run, for finding out what has succeeded; the rest is for going on. */
const SUCCESS_SHARE = 0.5;

type Counts = Partial<Record<'pages' | 'found' | 'groups' | 'succeeded' | 'held' | 'recovered' | 'unreadable', number>>;

interface Candidate extends LoggedEvent {
  readonly group: string;
}

/**
 * Puts what Instantly's delivery log holds and the store does not through the same accept path that a request takes. A second
 * time finds everything held.
 *
 * @throws InstantlyApiError, also after the last page where some of them told nothing of use; Problem and StoreUnavailable where nothing can be accepted now: what was read so far is accepted
 */
export async function reconcileLog(options: ReconcileOptions): Promise<ReconcileReport> {
  const run = new Run(options);
  await run.all();
  const { lacking } = run.report;
  if (lacking !== undefined) throw options.reader.unreadable('webhook-events.list', lacking);
  return run.report;
}

class Run {
  readonly #options: ReconcileOptions;
  readonly #seen = new Set<string>();
  /** Groups of which no attempt so far could be read. */
  readonly #unreadable = new Set<string>();
  #succeededGroups: ReadonlySet<string> = new Set();
  #report: ReconcileReport;

  constructor(options: ReconcileOptions) {
    this.#options = options;
    this.#report = {
      pages: 0,
      found: 0,
      groups: 0,
      succeeded: 0,
      held: 0,
      recovered: 0,
      unreadable: 0,
      lacking: undefined,
      complete: false,
      startingAfter: options.window.startingAfter,
      undated: [],
    };
  }

  get report(): ReconcileReport {
    return this.#report;
  }

  /** By Instantly's clock, which everything in its log goes by. */
  get #window(): Pick<LogWindow, 'from' | 'to'> {
    const { reader, window } = this.#options;
    return { from: window.from + reader.clockAheadMs, to: window.to + reader.clockAheadMs };
  }

  async all(): Promise<void> {
    const { window, maxPages, withinMs, onPage, includeSucceeded } = this.#options;
    const started = performance.now();
    const isWithin = (share: number): boolean =>
      this.#report.pages < Math.floor(maxPages * share) && performance.now() < started + withinMs * share;
    if (window.mode === 'all' && !includeSucceeded) {
      this.#succeededGroups = await this.#findSucceeded(() => isWithin(SUCCESS_SHARE));
    }
    const mayGoOn = (): boolean => isWithin(1) && this.#seen.size + this.#unreadable.size < MAX_GROUPS;
    const success = window.mode === 'failed' ? false : undefined;
    for await (const page of this.#pages(success, window.startingAfter, mayGoOn)) {
      this.#judge(page);
      await this.#take(page.items);
      this.#report = { ...this.#report, startingAfter: page.next, complete: page.isLast };
      await onPage(this.#report);
    }
  }

  /** Groups that a later attempt has brought home, which may stand on another page than the failed one. Those that are not found
   * are looked for in the store all the same. */
  async #findSucceeded(mayGoOn: () => boolean): Promise<Set<string>> {
    const groups = new Set<string>();
    for await (const { items } of this.#pages(true, undefined, () => mayGoOn() && groups.size < MAX_GROUPS)) {
      for (const item of items) groups.add(groupOf(item));
    }
    return groups;
  }

  async *#pages(
    success: boolean | undefined,
    startingAfter: string | undefined,
    mayGoOn: () => boolean,
  ): AsyncGenerator<Page<WebhookEvent> & { readonly isLast: boolean }> {
    const order = new LogOrder();
    let after = startingAfter;
    // A log that leads in a circle has told all it has.
    const been = new Set([after]);
    while (mayGoOn()) {
      const page = await this.#page(success, after);
      const { items, odd, next } = page;
      this.#add({ pages: 1 });
      order.take(items);
      const isEnd = items.length + odd.length === 0 || next === undefined || been.has(next);
      // Where the newest come first, nothing behind a page of what is too old can be of use.
      const isLast = isEnd || (odd.length === 0 && order.isPast(items, this.#window.from));
      yield { ...page, isLast };
      if (isLast) return;
      been.add(next);
      after = next;
    }
  }

  #page(success: boolean | undefined, startingAfter: string | undefined) {
    const { reader, search, signal } = this.#options;
    const { from, to } = this.#window;
    const end = Math.min(to, Date.now() + reader.clockAheadMs);
    const query = { from: dayOf(from - DAY_MS), to: dayOf(end + DAY_MS) };
    return reader.webhookEvents(
      {
        ...query,
        ...(search === undefined ? {} : { search }),
        ...(success === undefined ? {} : { success }),
        ...(startingAfter === undefined ? {} : { startingAfter }),
      },
      signal,
    );
  }

  #judge({ items, odd }: Page<WebhookEvent>): void {
    this.#add({ unreadable: odd.length });
    const lacking =
      items.length === 0
        ? odd[0]
        : items.every((item) => item[TELLING] === undefined)
          ? `items.0.${TELLING}`
          : undefined;
    if (lacking !== undefined) this.#report = { ...this.#report, lacking };
  }

  async #take(items: readonly WebhookEvent[]): Promise<void> {
    const { store, url } = this.#options;
    const window = this.#window;
    const candidates: Candidate[] = [];
    for (const item of items) {
      const at = timeOf(item) ?? window.to;
      if (!leadsTo(item.webhook_url ?? '', url) || at < window.from || at > window.to) continue;
      this.#add({ found: 1 });
      const candidate = await this.#examine(item);
      if (candidate !== undefined) candidates.push(candidate);
    }
    if (candidates.length === 0) return;
    const held = await store.findByKeys(
      candidates.map(({ event }) => ({ timestamp: event.facts.timestamp, dedupKey: event.dedupKey })),
      Date.now(),
    );
    await Promise.all(
      candidates.map((candidate, index) =>
        held[index] === undefined ? this.#accept(candidate) : this.#conclude(candidate, 'held'),
      ),
    );
  }

  /** `undefined`: nothing is to be done about it. */
  async #examine(item: WebhookEvent): Promise<Candidate | undefined> {
    const { includeSucceeded, known, url, inbox } = this.#options;
    const group = groupOf(item);
    if (this.#seen.has(group)) return undefined;
    const hasSucceeded = item.success === true || item.retry_successful === true || this.#succeededGroups.has(group);
    if (hasSucceeded && !includeSucceeded) {
      this.#see(group, { succeeded: 1 });
      return undefined;
    }
    if (known.has(group)) {
      this.#see(group, { held: 1 });
      return undefined;
    }
    const read = await readLogged(item, url, inbox);
    if (read === undefined) {
      // Another attempt of it may tell the payload.
      if (!this.#unreadable.has(group)) this.#add({ groups: 1, unreadable: 1 });
      this.#unreadable.add(group);
      return undefined;
    }
    this.#see(group, {});
    // Where the attempt does not tell when it was made, the event, which came before it, may.
    const at = timeOf(item) ?? read.event.facts.timestamp ?? this.#window.from;
    return at < this.#window.from ? undefined : { group, ...read };
  }

  #see(group: string, outcome: Counts): void {
    this.#seen.add(group);
    this.#add(this.#unreadable.delete(group) ? { unreadable: -1, ...outcome } : { groups: 1, ...outcome });
  }

  async #accept(candidate: Candidate): Promise<void> {
    const { delivery, event } = candidate;
    const { dryRun, inbox, onAccepted } = this.#options;
    if (!dryRun) {
      const result = await inbox.accept(delivery, event, {
        startedAt: monotonicMilliseconds(),
        draft: draft({
          action: 'reconcile.accept',
          userId: delivery.principal,
          resource: '/api/v2/webhook-events',
          result: 'success',
          metadata: {
            bytes: delivery.body.byteLength,
            bodySha256: hash('sha256', delivery.body, 'hex'),
            eventType: typeLabel(event.facts.type),
          },
          at: Date.now(),
        }),
      });
      // It has come in by itself meanwhile.
      if (result.status === 'duplicate') {
        this.#conclude(candidate, 'held');
        return;
      }
      onAccepted(event.facts);
    }
    this.#conclude(candidate, 'recovered');
  }

  #conclude({ group, event }: Candidate, as: 'held' | 'recovered'): void {
    this.#add({ [as]: 1 });
    if (event.facts.timestamp === null) this.#report = { ...this.#report, undated: [...this.#report.undated, group] };
  }

  #add(more: Counts) {
    const sums = Object.entries(more).map(([name, n]) => [name, this.#report[name as keyof typeof more] + n] as const);
    this.#report = { ...this.#report, ...Object.fromEntries(sums) };
  }
}
