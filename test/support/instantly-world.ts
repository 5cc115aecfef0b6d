import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { draft } from '../../src/audit/make-draft.ts';
import { digestToken, fingerprintToken, tokenId } from '../../src/authenticate/index.ts';
import { Secret } from '../../src/config/secret.ts';
import type { Settings } from '../../src/config/settings.ts';
import type { AuditCursor, AuditTail, StoredDocument } from '../../src/inbox/store.ts';
import { Pacer } from '../../src/instantly/pacer.ts';
import { reportPresence } from '../../src/instantly/presence.ts';
import { InstantlyReader } from '../../src/instantly/reader.ts';
import { registerWebhook } from '../../src/instantly/register-webhook.ts';
import { rotateToken } from '../../src/instantly/rotate-token.ts';
import { ServiceAccount } from '../../src/instantly/service-account.ts';
import { EMPTY_BOOK, type TokenBook, type TokenStore } from '../../src/instantly/token-book.ts';
import { InstantlyWriter } from '../../src/instantly/writer.ts';
import { TokenSource } from '../../src/token-source.ts';

export const HEADER = 'x-webhook-secret';
const URL_OF_OURS = 'https://hooks.example.com/webhooks/instantly';
/** Its marks cost next to nothing, and others are made as those that are there. */
const CHEAP_BOOK: TokenBook = {
  ...EMPTY_BOOK,
  retirements: [
    {
      fingerprint: 'f'.repeat(32),
      acceptUntil: 0,
      isAudited: true,
      mark: `scrypt$2$${'0'.repeat(32)}$${'0'.repeat(64)}`,
    },
  ],
};
const NEVER = new AbortController().signal;

/** How Instantly takes a call: it does it; it refuses; it does it and its answer is lost; it answers well and does nothing; it
 * gives no good answer, and does it so many calls later. */
export type Luck = 'done' | 'refused' | 'lost' | 'ignored' | 1 | 2 | 3;

interface Webhook {
  readonly id: string;
  name: string;
  target_hook_url: string;
  event_type: string | null;
  headers: Record<string, string>;
  status: number;
}

/** Two receivers on one store and Instantly, all in memory and by a clock of their own, for what may come in any order. */
export class World {
  now = Date.UTC(2026, 10, 20);
  /** Only the first receiver brings itself up to date while somebody waits for all of them. */
  isSlow = false;
  readonly webhooks: Webhook[] = [];
  readonly receivers: TokenSource[] = [];
  readonly retired: string[] = [];
  readonly #settings: Settings;
  readonly #documents = new Map<string, StoredDocument>();
  readonly #deliveries: string[] = [];
  #luck: Luck[] = [];
  #late: { calls: number; readonly work: () => void }[] = [];

  constructor(settings: Settings) {
    this.#settings = settings;
    const text = JSON.stringify(CHEAP_BOOK);
    this.#documents.set('tokens', { name: 'tokens', text, version: 1, ageMs: 0 });
  }

  async start(): Promise<void> {
    const source = new TokenSource({
      store: this.store,
      settings: () => this.#settings,
      copy: join(this.#settings.dataDir, randomUUID()),
      carried: async () => undefined,
      record: ({ metadata }) => this.retired.push(String(metadata['tokenId'])),
      onChange: () => undefined,
      onReplaced: () => undefined,
      logger: { info: () => undefined, warn: () => undefined, error: () => undefined },
    });
    await source.load();
    this.receivers.push(source);
    await this.refresh(this.receivers.length - 1);
  }

  /** What a receiver does every few seconds. */
  async refresh(index: number): Promise<void> {
    const source = this.receivers[index % this.receivers.length];
    await source?.refresh();
    const tokens = [...(source?.accepted ?? [])];
    await reportPresence(this.store, String(index % this.receivers.length), { role: 'all', tokens, apiKeys: [] });
  }

  /** @param luck of its calls in turn; those after them are done */
  rotate(keepMs: number, luck: readonly Luck[]): Promise<unknown> {
    const onStep = async (): Promise<void> => undefined;
    return this.#with(luck, (tools) => rotateToken({ ...tools, url: URL_OF_OURS, keepMs, withinMs: 0, onStep }));
  }

  register(name: string, luck: readonly Luck[]): Promise<unknown> {
    const registration = { url: URL_OF_OURS, name, eventType: 'all_events', label: undefined, campaign: null };
    return this.#with(luck, (tools) =>
      registerWebhook({ ...tools, registration, withinMs: 0, onStep: () => undefined }),
    );
  }

  /** Those that some receiver refuses: the webhook, and which receiver. */
  refusals(): string[] {
    return this.webhooks.flatMap(({ name, headers }) =>
      this.receivers.flatMap((receiver, index) =>
        this.isLetIn(receiver, headers[HEADER] ?? '') ? [] : [`${name} at receiver ${index}`],
      ),
    );
  }

  isLetIn({ inForce: { authenticator } }: TokenSource, token: string): boolean {
    return authenticator.inspectHeaders([HEADER, token]).verdict !== 'refused';
  }

  async #with(luck: readonly Luck[], work: (tools: Tools) => Promise<unknown>): Promise<unknown> {
    this.#luck = [...luck];
    const account = new ServiceAccount({
      apiUrl: 'http://in.memory',
      send: async (url, { method, body }) => {
        const answer = this.answer(url, method, body === undefined ? undefined : JSON.parse(body));
        return { status: answer.status, headers: {}, content: await answer.text() };
      },
      key: { setting: 'INSTANTLY_API_KEY', secret: new Secret('key-of-this-test-0001') },
      pacer: new Pacer(1_000_000),
      onCall: () => undefined,
      pause: async () => undefined,
    });
    const [reader, writer] = [new InstantlyReader(account), new InstantlyWriter(account)];
    return work({ reader, writer, store: this.store, settings: this.#settings, signal: NEVER }).then(
      () => undefined,
      (error: unknown) => error,
    );
  }

  /** Time goes by, in which everything late is done. */
  pass(ms: number): void {
    this.now += ms;
    for (const { work } of this.#late.splice(0)) work();
  }

  readonly store: TokenStore = {
    readDocument: async (name) => this.#documents.get(name),
    writeDocument: async (name, text, version) => {
      const before = this.#documents.get(name)?.version ?? 0;
      if (version !== null && version !== before) return false;
      this.#documents.set(name, { name, text, version: before + 1, ageMs: 0 });
      return true;
    },
    dropDocument: async (name) => void this.#documents.delete(name),
    listDocuments: async (prefix) => {
      for (const index of this.receivers.keys()) if (index === 0 || !this.isSlow) await this.refresh(index);
      return [...this.#documents.values()].filter(({ name }) => name.startsWith(prefix));
    },
    tailAudit: async (_limit, after): Promise<AuditTail> => {
      const from = typeof after === 'number' ? after : this.#deliveries.length;
      const cursor: AuditCursor = this.#deliveries.length;
      const entries = this.#deliveries.slice(from).map((id) => ({
        ...draft({
          action: 'webhook.receive',
          userId: 'instantly:token:1',
          resource: '/',
          result: 'success',
          metadata: { tokenId: id, reason: 'accepted' },
          at: this.now,
        }),
        writer: 'w',
        seq: 1,
        prevHash: '',
        hash: '',
      }));
      return { entries, cursor };
    },
  };

  answer(url: URL, method: string, body: unknown): Response {
    for (const late of this.#late) late.calls -= 1;
    const due = this.#late.filter(({ calls }) => calls <= 0);
    this.#late = this.#late.filter(({ calls }) => calls > 0);
    for (const { work } of due) work();
    const luck = this.#luck.shift() ?? 'done';
    if (luck === 'refused') return Response.json({ message: 'no' }, { status: 400 });
    const work = (): unknown => this.#carryOut(url, method, body);
    // Only of what sets a token: to make a second webhook is another matter.
    if (luck === 'ignored' && method === 'PATCH') return Response.json({ ...this.#find(url), ...Object(body) });
    if (typeof luck === 'number' && method === 'PATCH') {
      this.#late.push({ calls: luck, work });
      // As if all attempts had gone so; what is tried again at once is soon made good.
      return Response.json({ message: 'later' }, { status: 404 });
    }
    const done = work();
    return luck === 'lost' ? Response.json({ message: 'lost' }, { status: 503 }) : Response.json(done);
  }

  #carryOut(url: URL, method: string, body: unknown): unknown {
    if (method === 'GET') return { items: this.webhooks };
    const webhook = this.#find(url);
    if (url.pathname.endsWith('/test')) return this.#deliver(webhook?.headers[HEADER] ?? '');
    if (webhook !== undefined) return Object.assign(webhook, body);
    const made: Webhook = {
      id: `webhook-${this.webhooks.length + 1}`,
      name: '',
      target_hook_url: '',
      event_type: null,
      headers: {},
      status: 1,
    };
    this.webhooks.push(Object.assign(made, body));
    return made;
  }

  #find({ pathname }: URL): Webhook | undefined {
    return this.webhooks.find(({ id }) => pathname.split('/').includes(id));
  }

  #deliver(token: string): unknown {
    const [receiver] = this.receivers;
    const success = receiver !== undefined && this.isLetIn(receiver, token);
    if (success) this.#deliveries.push(tokenId(fingerprintToken(this.#settings.audit.key, digestToken(token))));
    return { success };
  }
}

interface Tools {
  readonly reader: InstantlyReader;
  readonly writer: InstantlyWriter;
  readonly store: TokenStore;
  readonly settings: Settings;
  readonly signal: AbortSignal;
}
