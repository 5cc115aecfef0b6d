import { randomBytes } from 'node:crypto';
import { ApiError, notFound } from './api-error.ts';
import type { AuditTrail, Caller } from './audit-log.ts';
import { ACTIVITIES, type ApiKey } from './shapes.ts';

const MAX_KEYS = 1_000;
/** Characters of a key that may be shown, and how long it has to be for that. */
const SHOWN = 4;
const LONG = 32;

export interface ApiKeysOptions {
  readonly workspaceId: string;
  readonly newId: () => string;
  readonly isoNow: () => string;
  readonly audit: AuditTrail;
}

export interface NewKey {
  readonly name: string;
  readonly scopes: readonly string[];
  /** Made at random where absent. */
  readonly key?: string;
}

/** The workspace's keys, by their text. */
export class ApiKeys {
  readonly #byText = new Map<string, ApiKey>();
  readonly #options: ApiKeysOptions;

  constructor(options: ApiKeysOptions) {
    this.#options = options;
  }

  /** Without an entry in the audit log, which begins after it. */
  add({ name, scopes, key }: NewKey): ApiKey {
    if (this.#byText.size >= MAX_KEYS) throw new ApiError(400, 'Too many API keys');
    const id = this.#options.newId();
    const now = this.#options.isoNow();
    const whole: ApiKey = {
      id,
      name,
      scopes: [...scopes],
      key: key ?? makeKey(id),
      organization_id: this.#options.workspaceId,
      timestamp_created: now,
      timestamp_updated: now,
    };
    if (this.#byText.has(whole.key))
      throw new Error(`the keys ${this.#byText.get(whole.key)?.name} and ${name} are the same text`);
    this.#byText.set(whole.key, whole);
    return whole;
  }

  /** The only answer that has the key's text. */
  create(draft: NewKey, caller: Caller): ApiKey {
    const made = this.add(draft);
    this.#record(ACTIVITIES.keyCreated, made, caller);
    return made;
  }

  /** @throws ApiError 404 */
  delete(id: string, caller: Caller): ApiKey {
    const found = [...this.#byText.values()].find((key) => key.id === id.toLowerCase());
    if (found === undefined) throw notFound();
    this.#byText.delete(found.key);
    this.#record(ACTIVITIES.keyDeleted, found, caller);
    return mask(found);
  }

  findByText(text: string): ApiKey | undefined {
    return this.#byText.get(text);
  }

  newestFirst(): ApiKey[] {
    return [...this.#byText.values()].reverse().map(mask);
  }

  #record(activity: typeof ACTIVITIES.keyCreated | typeof ACTIVITIES.keyDeleted, key: ApiKey, caller: Caller): void {
    const metadata = { key_id: key.id, name: key.name, scopes: key.scopes };
    this.#options.audit.record({ activity, caller, metadata });
  }
}

/** Of the form of Instantly's own: base64 of an id and a random part. */
function makeKey(id: string): string {
  return Buffer.from(`${id}:${randomBytes(12).toString('base64url')}`).toString('base64');
}

function mask(key: ApiKey): ApiKey {
  return { ...key, key: `...${key.key.length < LONG ? '' : key.key.slice(-SHOWN)}` };
}
