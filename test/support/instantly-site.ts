import { randomUUID } from 'node:crypto';
import { deriveAuditKey } from '../../src/audit/chain.ts';
import type { AuditEntry } from '../../src/audit/entry.ts';
import { newId } from '../../src/audit/new-id.ts';
import { type AuditVerdict, verifyAudit } from '../../src/audit/verify.ts';
import { recordAction } from '../../src/cli/open-store.ts';
import type { WritingTools } from '../../src/cli/with-instantly.ts';
import { Secret } from '../../src/config/secret.ts';
import type { ApiKey } from '../../src/config/settings.ts';
import type { FakeInstantlyOptions } from '../../src/fake-instantly/options.ts';
import { type FakeInstantly, startFakeInstantly } from '../../src/fake-instantly/start-fake-instantly.ts';
import type { AuditPosition, Store, StoredEvent } from '../../src/inbox/store.ts';
import { callDraft } from '../../src/instantly/open-accounts.ts';
import { Pacer } from '../../src/instantly/pacer.ts';
import { reportPresence } from '../../src/instantly/presence.ts';
import { InstantlyReader } from '../../src/instantly/reader.ts';
import { createSend } from '../../src/instantly/send-request.ts';
import { ServiceAccount } from '../../src/instantly/service-account.ts';
import { InstantlyWriter } from '../../src/instantly/writer.ts';
import { SqliteStore } from '../../src/stores/sqlite/sqlite-store.ts';
import { type RunningReceiver, startReceiver } from './start-receiver.ts';
import { storeFile } from './store-file.ts';

export const SITE_TOKEN = 'token-of-the-settings-0001';
const PATH = '/webhooks/instantly';
const PRESENCE = 'in-this-process';
/** Nobody listens there. */
const NOWHERE = 'http://127.0.0.1:1';
const MANY = 100_000;

/** Without a way to read: whatever reads with it is refused. */
const WRITING = ['webhooks:create', 'webhooks:update', 'webhooks:delete'];

export interface StageOptions extends Omit<FakeInstantlyOptions, 'deliverTo' | 'keys'> {
  /** `false`: no delivery arrives. */
  readonly delivers?: boolean;
}

export interface ToolOptions {
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** A fake Instantly, and what a command would have at hand, with time between attempts that takes none. */
export interface Stage {
  readonly fake: FakeInstantly;
  /** Where the webhooks of this stage post to; no other stage has it. */
  readonly url: string;
  /** The UUID of a campaign that no other stage has. */
  readonly campaign: string;
  tools(options?: ToolOptions): WritingTools;
  /** The status of a delivery with this token. */
  post(token: string): Promise<number>;
  /** Of the audit log, since the stage was set. */
  entries(): Promise<AuditEntry[]>;
  /** Events of its campaign. */
  stored(): Promise<StoredEvent[]>;
  close(): Promise<void>;
}

export interface InstantlySite {
  readonly running: RunningReceiver;
  /** As a command opens it, beside the receiver's own. */
  readonly store: Store;
  /** Forgets what the stage before has left of tokens, rotations and rounds. */
  stage(options?: StageOptions): Promise<Stage>;
  verify(): Promise<AuditVerdict>;
  stop(): Promise<void>;
}

/** A receiver in this process that tells of itself when it is asked for, and a store beside it. */
export async function startSite(env: NodeJS.ProcessEnv = {}): Promise<InstantlySite> {
  const running = await startReceiver({ INSTANTLY_WEBHOOK_TOKEN: SITE_TOKEN, ...env });
  const { receiver, settings } = running;
  const file = storeFile(settings);
  const own = await SqliteStore.open({ file, writer: newId(), auditKey: settings.audit.key.reveal(), serve: false });
  const tell = async (): Promise<void> => {
    await receiver.secrets.tokens?.refresh();
    const tokens = [...(receiver.secrets.tokens?.accepted ?? [])];
    await reportPresence(own, PRESENCE, { role: 'all', tokens, apiKeys: [] });
  };
  const store = tellingStore(own, tell);
  return {
    running,
    store,
    stage: async (options = {}) => {
      for (const name of ['tokens', 'watch', 'first-start']) await own.dropDocument(name);
      await tell();
      return makeStage(running, store, options);
    },
    verify: async () => {
      await receiver.commits.settle();
      return verifyAudit(() => readAll(own), deriveAuditKey(settings.audit.key));
    },
    stop: async () => {
      await own.close();
      await running.stop();
    },
  };
}

/** The same store, save that the receiver brings itself up to date whenever somebody looks who is there. */
function tellingStore(store: SqliteStore, tell: () => Promise<void>): Store {
  return new Proxy<Store>(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      const method = value.bind(target);
      if (name !== 'listDocuments') return method;
      return async (...words: unknown[]) => {
        await tell();
        return method(...words);
      };
    },
  });
}

async function makeStage(running: RunningReceiver, store: Store, options: StageOptions): Promise<Stage> {
  const { delivers = true, ...more } = options;
  const keys = [{ name: 'write', scopes: WRITING }];
  const fake = await startFakeInstantly({ ...more, keys, deliverTo: delivers ? running.url : NOWHERE });
  const campaign = randomUUID();
  const send = createSend(undefined);
  const { cursor } = await store.tailAudit(1);
  return {
    fake,
    campaign,
    url: `https://${campaign}.example.com${PATH}`,
    tools: ({ timeoutMs = 15_000, signal = new AbortController().signal } = {}) => {
      const account = (setting: ApiKey['setting'], text = ''): ServiceAccount =>
        new ServiceAccount({
          apiUrl: fake.url,
          send,
          key: { setting, secret: new Secret(text) },
          pacer: new Pacer(10_000),
          onCall: async (call) => void (await recordAction(store, callDraft(call, 'operator'))),
          pause: async (_, until) => until.throwIfAborted(),
          timeoutMs,
        });
      const reader = new InstantlyReader(account('INSTANTLY_READ_KEY', fake.keys.read));
      const writer = new InstantlyWriter(account('INSTANTLY_WRITE_KEY', fake.keys['write']));
      return { settings: running.settings, store, reader, writer, signal };
    },
    post: async (token) => {
      const body = JSON.stringify({ event_type: 'email_sent', timestamp: new Date(), n: randomUUID() });
      const headers = { 'x-webhook-secret': token };
      const { status } = await fetch(`${running.url}${PATH}`, { method: 'POST', headers, body });
      return status;
    },
    entries: async () => {
      await running.receiver.commits.settle();
      return (await store.tailAudit(MANY, cursor)).entries;
    },
    stored: () => store.listEvents({ limit: MANY, campaign }),
    close: () => fake.close(),
  };
}

async function* readAll(store: Store): AsyncGenerator<AuditEntry> {
  const snapshot = await store.openAuditSnapshot();
  try {
    let after: AuditPosition | undefined;
    for (;;) {
      const entries = await snapshot.read(after, 1_000);
      yield* entries;
      const last = entries.at(-1);
      if (last === undefined) return;
      after = { writer: last.writer, seq: last.seq };
    }
  } finally {
    await snapshot.close();
  }
}
