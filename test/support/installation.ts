import { chmodSync, cpSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { loadSettings } from '../../src/config/load-settings.ts';
import type { NewKey } from '../../src/fake-instantly/api-keys.ts';
import { type FakeInstantly, startFakeInstantly } from '../../src/fake-instantly/start-fake-instantly.ts';
import { fingerprintSecrets } from '../../src/fingerprint-secrets.ts';
import { rightScopes } from '../../src/instantly/judge-scopes.ts';
import { EMPTY_BOOK, type TokenBook } from '../../src/instantly/token-book.ts';
import { makeAccept, makeBatch, makeQuarantine } from '../contract/make-parts.ts';
import { freePort } from './free-port.ts';
import { GIT_ENV, makeRepository } from './git-repository.ts';
import { makeToken } from './made-secrets.ts';
import { addEvent, handlerOf, openStore } from './make-store.ts';
import { runCommand } from './run-command.ts';
import { spawnReceiverIn } from './spawn-receiver.ts';
import { startFront } from './start-front.ts';
import { makeFolder } from './start-receiver.ts';

const DAY_MS = 86_400_000;
const PATIENCE_MS = 20_000;

export interface Installation {
  readonly folder: string;
  /** For its commands. */
  readonly env: Readonly<Record<string, string>>;
  readonly fake: FakeInstantly;
  /** Every secret of it: none of them may ever be printed. */
  readonly secrets: readonly string[];
  stop(): Promise<void>;
}

/** A receiver in production, with keys that may do what they should, registered at an Instantly. */
export async function makeGoodInstallation(moreKeys: readonly NewKey[] = []): Promise<Installation> {
  const folder = makeFolder();
  const fake = await startFakeInstantly({
    keys: [
      { name: 'reader', scopes: rightScopes('reading', 'production') },
      { name: 'writer', scopes: rightScopes('writing', 'production') },
      ...moreKeys,
    ],
  });
  const port = await freePort();
  const secrets = {
    INSTANTLY_WEBHOOK_TOKEN: makeToken(),
    AUDIT_KEY: makeToken(),
    INSTANTLY_READ_KEY: String(fake.keys['reader']),
    INSTANTLY_WRITE_KEY: String(fake.keys['writer']),
  };
  const settings = {
    NODE_ENV: 'production',
    HOST: '127.0.0.1',
    PORT: String(port),
    PUBLIC_URL: `http://127.0.0.1:${port}`,
    INSTANTLY_API_URL: fake.url,
    INSTANTLY_WATCH_SECONDS: '1',
    MIN_FREE_DISK: '1mb',
    ...secrets,
  };
  writeDotEnv(folder, settings, 0o600);
  const env = GIT_ENV;
  const receiver = await spawnReceiverIn(folder, { ...env, PORT: settings.PORT });
  const installation = {
    folder,
    env,
    fake,
    secrets: Object.values(secrets),
    stop: async () => {
      await receiver.stop();
      await fake.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  try {
    const registered = await runCommand(folder, ['webhooks', 'register', '--insecure'], { env });
    if (registered.code !== 0) throw new Error(registered.stderr);
    await untilWatched(receiver.url);
    return installation;
  } catch (error) {
    await installation.stop();
    throw error;
  }
}

async function untilWatched(url: string): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const { registration } = (await (await fetch(`${url}/readyz`)).json()) as {
      registration?: { readonly status: string };
    };
    if (registration?.status === 'active') return;
    if (performance.now() > deadline) throw new Error(`the registration is ${registration?.status} still`);
    await pause(100);
  }
}

/** One that is wrong in more than ten ways. */
export async function makeBrokenInstallation(): Promise<Installation> {
  const other = await makeGoodInstallation();
  const folder = makeFolder();
  const fake = await startFakeInstantly();
  const ahead = await startFront(fake.url, { aheadMs: 10 * 60_000 });
  const token = makeToken();
  const leaked = makeToken();
  const settings = {
    NODE_ENV: 'production',
    PUBLIC_URL: new URL(String(other.fake.webhooks()[0]?.target_hook_url)).origin,
    INSTANTLY_API_URL: ahead.url,
    INSTANTLY_API_KEY: fake.keys.all,
    INSTANTLY_WEBHOOK_TOKEN: `${token},changeme-changeme-changeme`,
    METRICS_TOKEN: token,
    HANDLER_TIMEOUT_SECONDS: 'soon',
    MIN_FREE_DISK: '1023gb',
  };
  const repository = makeRepository(folder);
  writeDotEnv(folder, settings, 0o644);
  repository.commit({ 'compose.yml': `INSTANTLY_WEBHOOK_TOKEN: ${leaked}\n`, '.gitignore': 'data/\n' });
  await fillStore(folder, settings);
  const url = `${settings.PUBLIC_URL}/webhooks/instantly`;
  await createWebhook(fake, { target_hook_url: url, event_type: 'all_events', name: 'old' });
  await createWebhook(fake, {
    target_hook_url: url,
    event_type: 'email_sent',
    name: 'new',
    headers: { 'x-webhook-secret': makeToken() },
  });
  fake.disable(String(fake.webhooks()[0]?.id));
  return {
    folder,
    env: GIT_ENV,
    fake,
    secrets: [token, leaked, fake.keys.all],
    stop: async () => {
      await ahead.stop();
      await fake.close();
      await other.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function createWebhook(fake: FakeInstantly, body: unknown): Promise<void> {
  const response = await fetch(`${fake.url}/api/v2/webhooks`, {
    method: 'POST',
    headers: { authorization: `Bearer ${fake.keys.all}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(await response.text());
}

/** Dead and waiting deliveries, an unreadable body, an old secret, and a rotation that stopped half way. */
async function fillStore(
  folder: string,
  { HANDLER_TIMEOUT_SECONDS: _, ...settings }: NodeJS.ProcessEnv,
): Promise<void> {
  // In a folder without these settings, which cannot be used as a whole.
  const made = makeFolder();
  const store = await openStore(made);
  const fingerprints = fingerprintSecrets(loadSettings({ env: settings, cwd: made, create: false }));
  const old = [...fingerprints].flatMap(([name, fingerprint]) => (name.includes('TOKEN') ? fingerprint : []));
  await store.firstSeen(old, Date.now() - 100 * DAY_MS);
  await store.registerHandlers([handlerOf('crm')]);
  await addEvent(store, makeAccept(), { crm: 'dead' });
  await addEvent(store, makeAccept({ receivedAt: Date.now() - 10 * DAY_MS }), { mail: 'pending' });
  await store.commit(makeBatch({ quarantines: [makeQuarantine('{"broken"')] }));
  const book: TokenBook = {
    ...EMPTY_BOOK,
    rotation: { id: 'stopped', startedAt: Date.now() - DAY_MS, fingerprint: '0'.repeat(32), stage: 'made' },
  };
  await store.writeDocument('tokens', JSON.stringify(book), 0);
  await store.close();
  cpSync(join(made, 'data'), join(folder, 'data'), { recursive: true });
  rmSync(made, { recursive: true, force: true });
}

function writeDotEnv(folder: string, settings: Readonly<Record<string, string>>, mode: number): void {
  const file = join(folder, '.env');
  writeFileSync(
    file,
    Object.entries(settings)
      .map(([name, value]) => `${name}='${value}'\n`)
      .join(''),
  );
  chmodSync(file, mode);
}
