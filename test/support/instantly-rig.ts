import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FakeInstantlyOptions } from '../../src/fake-instantly/options.ts';
import { type FakeInstantly, startFakeInstantly } from '../../src/fake-instantly/start-fake-instantly.ts';
import { freePort } from './free-port.ts';
import { type Ran, runCommand, runJson } from './run-command.ts';
import { type ReceiverProcess, spawnReceiverIn } from './spawn-receiver.ts';
import { makeFolder } from './start-receiver.ts';

const PUBLIC_URL = 'https://hooks.example.com';
export const WEBHOOK_URL = `${PUBLIC_URL}/webhooks/instantly`;
const TOKEN = 'token-of-the-settings-0001';

export interface RigOptions {
  readonly fake?: FakeInstantlyOptions;
  /** More settings, of the receiver and of the commands alike. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Handler files by name. */
  readonly handlers?: Readonly<Record<string, string>>;
  /** Which of the fake's keys is for writing; default: the one with all scopes. */
  readonly writeKey?: string;
  /** Before the receiver starts. */
  readonly prepare?: (place: { readonly folder: string; readonly fake: FakeInstantly }) => void;
}

/** A fake Instantly that delivers to a receiver, a process of its own, and commands in that one's folder. */
export interface InstantlyRig {
  readonly fake: FakeInstantly;
  readonly folder: string;
  /** What INSTANTLY_WEBHOOK_TOKEN holds. */
  readonly token: string;
  receiver: ReceiverProcess;
  run(...words: string[]): Promise<Ran>;
  json<T>(...words: string[]): Promise<T>;
  /** Writes other settings; for what starts from then on. */
  set(settings: Readonly<Record<string, string>>): void;
  /** Starts the receiver again, in its folder and on its port. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export async function startRig(options: RigOptions = {}): Promise<InstantlyRig> {
  const { fake: fakeOptions, settings = {}, handlers = {} } = options;
  const folder = makeFolder();
  const port = await freePort();
  const fake = await startFakeInstantly({ deliverTo: `http://127.0.0.1:${port}`, ...fakeOptions });
  const base = {
    HOST: '127.0.0.1',
    PORT: String(port),
    PUBLIC_URL,
    INSTANTLY_WEBHOOK_TOKEN: TOKEN,
    INSTANTLY_API_URL: fake.url,
    INSTANTLY_READ_KEY: fake.keys.read,
    INSTANTLY_WRITE_KEY: fake.keys[options.writeKey ?? 'all'] ?? '',
  };
  const write = (more: Readonly<Record<string, string>>): void => {
    const lines = Object.entries({ ...base, ...settings, ...more }).map(([name, value]) => `${name}=${value}\n`);
    writeFileSync(join(folder, '.env'), lines.join(''), { mode: 0o600 });
  };
  write({});
  mkdirSync(join(folder, 'handlers'));
  for (const [name, text] of Object.entries(handlers)) writeFileSync(join(folder, 'handlers', name), text);
  options.prepare?.({ folder, fake });
  const rig: InstantlyRig = {
    fake,
    folder,
    token: TOKEN,
    receiver: await spawnReceiverIn(folder, { PORT: String(port) }),
    run: (...words) => runCommand(folder, words),
    json: (...words) => runJson(folder, words),
    set: write,
    restart: async () => {
      rig.receiver = await spawnReceiverIn(folder, { PORT: String(port) });
    },
    stop: async () => {
      await rig.receiver.stop();
      await fake.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return rig;
}
