import type { Logger } from 'pino';
import { tokenId } from './authenticate/index.ts';
import type { Settings } from './config/settings.ts';
import { fingerprintSecrets } from './fingerprint-secrets.ts';
import { claimNotice } from './inbox/claim-notice.ts';
import type { Store } from './inbox/store.ts';

const DAY_MS = 86_400_000;
/** Between two looks whether the daily line is due. */
const TICK_MS = 10 * 60_000;

type AgesStore = Pick<Store, 'firstSeen' | 'readDocument' | 'writeDocument'>;

/** Tokens of the record of rotations, by fingerprint. */
export interface RecordedTokens {
  /** Made by a rotation, and current. */
  readonly minted: readonly string[];
  /** Replaced by a rotation: they are on their way out, whatever their age. */
  readonly replaced: readonly string[];
}

/** Since when each secret is in use, by its name. */
export class SecretAges {
  readonly #store: AgesStore;
  readonly #logger: Pick<Logger, 'warn'>;
  readonly #now: () => number;
  #firstSeen: ReadonlyMap<string, number> = new Map();
  #madeAt: ReadonlyMap<string, number> = new Map();
  #maxAgeMs = Number.POSITIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #telling: Promise<void> = Promise.resolve();

  constructor(store: AgesStore, logger: Pick<Logger, 'warn'>, now: () => number = Date.now) {
    this.#store = store;
    this.#logger = logger;
    this.#now = now;
  }

  /** Epoch milliseconds by name: when this receiver first saw it, or when Instantly made it, where that is known. */
  get since(): ReadonlyMap<string, number> {
    return new Map([...this.#firstSeen].map(([name, seen]) => [name, this.#madeAt.get(name) ?? seen]));
  }

  /** Names and ages of those beyond SECRET_MAX_AGE_DAYS, milliseconds. That of the audit log is not to be replaced. */
  get old(): ReadonlyMap<string, number> {
    const now = this.#now();
    const ages = [...this.since].map(([name, since]) => [name, now - since] as const);
    return new Map(ages.filter(([name, age]) => name !== 'AUDIT_KEY' && age > this.#maxAgeMs));
  }

  /** @param madeAt by the setting of an API key, epoch milliseconds */
  setMadeAt(madeAt: ReadonlyMap<string, number>): void {
    this.#madeAt = madeAt;
    this.#tick();
  }

  start(): void {
    this.#timer = setInterval(() => this.#tick(), TICK_MS).unref();
    this.#tick();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    await this.#telling;
  }

  /** Never rejects: where the store cannot write now, ages begin at this call. */
  async refresh(settings: Settings, { minted, replaced }: RecordedTokens): Promise<void> {
    this.#maxAgeMs = settings.secretMaxAgeMs;
    const named = fingerprintSecrets(settings);
    for (const [name, fingerprint] of named) if (replaced.includes(fingerprint)) named.delete(name);
    for (const fingerprint of minted) named.set(`rotated-token:${tokenId(fingerprint)}`, fingerprint);
    const now = this.#now();
    const seen = await this.#store.firstSeen([...named.values()], now).catch((error: unknown) => {
      this.#logger.warn({ err: error }, 'the age of the secrets is not known: the store cannot write now');
      return new Map<string, number>();
    });
    this.#firstSeen = new Map([...named].map(([name, fingerprint]) => [name, seen.get(fingerprint) ?? now]));
  }

  /** Once a day of all processes with this store. */
  async tell(): Promise<void> {
    const { old } = this;
    if (old.size === 0 || !(await claimNotice(this.#store, 'secret-age', DAY_MS, this.#now()))) return;
    for (const [secret, age] of old) {
      const days = Math.floor(age / DAY_MS);
      const limit = Math.round(this.#maxAgeMs / DAY_MS);
      this.#logger.warn(
        { secret, days },
        `${secret} is ${days} days old, and SECRET_MAX_AGE_DAYS is ${limit}: ${explainRotation(secret)}`,
      );
    }
  }

  #tick(): void {
    if (this.#timer === undefined) return;
    this.#telling = this.#telling
      .then(() => this.tell())
      // Other code reports a store that is away; the next look is soon.
      .catch(() => undefined);
  }
}

/** The command that replaces a secret, by the name that its age has. */
export function explainRotation(name: string): string {
  const [setting = name] = name.split(':');
  if (setting === 'INSTANTLY_WEBHOOK_TOKEN' || setting === 'rotated-token') {
    return 'run "instantly-receiver secrets rotate", which replaces it without refusing a delivery';
  }
  if (setting === 'INSTANTLY_SECRET') {
    return 'run "instantly-receiver secrets new --kind signature", put the new key first in INSTANTLY_SECRET, give it to what signs, and take the old one out a day later';
  }
  if (setting.startsWith('INSTANTLY_')) {
    return `make another key at Instantly, and run "instantly-receiver secrets rotate --api-key --setting ${setting}"`;
  }
  return `run "instantly-receiver secrets new --kind ${setting === 'METRICS_TOKEN' ? 'metrics' : 'admin'}", and put the new one in the place of ${setting}`;
}
