import type { Logger } from 'pino';
import type { Metrics } from './compose-metrics.ts';
import type { Settings } from './config/settings.ts';
import type { ReadEvent } from './events/interpret-body.ts';
import { typeLabel } from './events/names.ts';
import type { Registration } from './http/operations.ts';
import type { Inbox } from './inbox/accept.ts';
import type { AuditTrail } from './inbox/audit-trail.ts';
import type { BodyInterpreter } from './inbox/body-interpreter.ts';
import type { Store } from './inbox/store.ts';
import { rememberFirstStart } from './instantly/first-start.ts';
import type { Watch } from './instantly/watch.ts';
import type { WatchState } from './instantly/watch-state.ts';
import type { LiveSettings } from './live-settings.ts';
import { createRegistrationMetrics, type RegistrationReadings } from './metrics/registration-metrics.ts';
import type { TokenSource } from './token-source.ts';

const STATUS = { active: 1, disabled: -1, unknown: 0 } as const;
const REFUSED = -2;

export interface WatchParts {
  readonly live: LiveSettings;
  /** `undefined`: this process takes no webhooks. */
  readonly tokens: Pick<TokenSource, 'accepted' | 'compare' | 'isOn'> | undefined;
  /** Names this process. */
  readonly owner: string;
  readonly store: Store;
  readonly inbox: Inbox;
  readonly bodies: Pick<BodyInterpreter, 'splitPage'>;
  readonly trail: Pick<AuditTrail, 'record'>;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** What looks after the registration at Instantly, where there is a key for it. */
export class RegistrationWatch {
  readonly #parts: WatchParts;
  readonly #reconciled: { inc(): void };
  #watch: Watch | undefined;
  #state: WatchState | undefined;
  #refused: string | null = null;
  #hasStarted = false;
  /** One after the other: two at once would leave a watch that nobody stops. */
  #remaking: Promise<void> = Promise.resolve();

  private constructor(parts: WatchParts) {
    this.#parts = parts;
    this.#reconciled = createRegistrationMetrics(parts.metrics.registries, () => this.#readings());
    parts.live.onChange(() => {
      this.#remaking = this.#remaking.then(() => this.#remake());
    });
  }

  static async create(parts: WatchParts): Promise<RegistrationWatch> {
    const watch = new RegistrationWatch(parts);
    watch.#watch = await watch.#make(parts.live.current);
    return watch;
  }

  start(): void {
    this.#hasStarted = true;
    rememberFirstStart(this.#parts.store, Date.now()).catch((error: unknown) =>
      this.#parts.logger.warn({ err: error }, 'the time of the first start could not be written'),
    );
    this.#watch?.start();
  }

  async stop(): Promise<void> {
    this.#hasStarted = false;
    await this.#remaking;
    await this.#watch?.stop();
  }

  /** For /readyz; `undefined`: nobody looks. */
  get registration(): Registration | undefined {
    if (this.#watch === undefined) return undefined;
    if (this.#state === undefined) return { status: 'unknown', checkedAt: null };
    const { at, fault, webhooks } = this.#state;
    const checkedAt = new Date(at).toISOString();
    if (fault !== null) return { status: 'unknown', checkedAt };
    if (webhooks.length === 0) return { status: 'missing', checkedAt };
    if (this.#refused !== null) return { status: 'refused', reason: this.#refused, checkedAt };
    if (webhooks.some(({ status }) => status === 'disabled')) return { status: 'disabled', checkedAt };
    return { status: webhooks.some(({ status }) => status === 'unknown') ? 'unknown' : 'active', checkedAt };
  }

  async #make({ instantly, retentionMs }: Settings): Promise<Watch | undefined> {
    const { live, tokens, store, inbox, bodies, trail, logger, owner, metrics } = this.#parts;
    if (instantly.webhookUrl === undefined || instantly.readKey === undefined) return undefined;
    // Here and not above: who has no key need not wait for what they do not use.
    const [{ openAccounts }, { carriedToken }, { Watch }] = await Promise.all([
      import('./instantly/open-accounts.ts'),
      import('./instantly/describe-webhook.ts'),
      import('./instantly/watch.ts'),
    ]);
    const { reader, writer } = openAccounts(
      instantly,
      'service',
      (entry) => void trail.record(entry),
      (page) => bodies.splitPage(page),
    );
    if (reader === undefined) return undefined;
    const { proxy } = instantly;
    if (proxy !== undefined) {
      const except = proxy.except === undefined ? '' : `, save for ${proxy.except} (NO_PROXY)`;
      logger.info(`calls to Instantly go through the proxy ${proxy.location} (HTTPS_PROXY)${except}`);
    }
    return new Watch({
      store,
      reader,
      writer: instantly.autoResume ? writer : undefined,
      inbox,
      url: instantly.webhookUrl,
      owner,
      intervalMs: instantly.watchMs,
      retentionMs,
      record: (entry) => trail.record(entry),
      tokenOf: (webhook) => carriedToken(webhook, live.current, (token) => tokens?.accepted.includes(token) === true),
      isRefused: (token) => this.#isRefused(token),
      onState: (state, refused) => {
        this.#state = state;
        this.#refused = refused;
        tokens?.compare(state.webhooks.flatMap(({ token }) => token ?? []));
      },
      onAccepted: (facts: ReadEvent['facts']) => {
        this.#reconciled.inc();
        metrics.events.events.inc({ event_type: typeLabel(facts.type) });
        metrics.events.lastEvent.setToCurrentTime();
      },
      logger,
    });
  }

  /** With the token alone, or a wrong one: where a webhook carries none, something in front may sign what it sends. */
  #isRefused(token: string | null): boolean {
    const { live, tokens } = this.#parts;
    if (tokens === undefined || !tokens.isOn) return false;
    const { INSTANTLY_SECRET: signing = 'generated' } = live.current.secretOrigins;
    return token === null ? signing === 'generated' : !tokens.accepted.includes(token);
  }

  /** Keys have changed. */
  async #remake(): Promise<void> {
    await this.#watch?.stop();
    this.#watch = await this.#make(this.#parts.live.current);
    if (this.#hasStarted) this.#watch?.start();
  }

  #readings(): RegistrationReadings | undefined {
    if (this.#state === undefined) return undefined;
    return {
      status: new Map(
        this.#state.webhooks.map(({ id, status, token }) => [
          id,
          this.#refused !== null && token !== undefined && this.#isRefused(token) ? REFUSED : STATUS[status],
        ]),
      ),
      sentWithoutEvent: this.#state.silence.sentSince,
    };
  }
}
