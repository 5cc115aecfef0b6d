import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { compose, type Receiver, serviceDraft } from '../../src/compose.ts';
import { loadSettings } from '../../src/config/load-settings.ts';
import type { Settings } from '../../src/config/settings.ts';
import { openServingStore } from '../../src/open-store.ts';
import { CapturedLog } from './capture-log.ts';
import { KEY, OLD_KEY, OLD_TOKEN, TOKEN } from './credentials.ts';

/** Both schemes on, two secrets of each. */
export const BOTH_SCHEMES = {
  INSTANTLY_WEBHOOK_TOKEN: `${TOKEN},${OLD_TOKEN}`,
  INSTANTLY_SECRET: `${KEY},${OLD_KEY}`,
} as const;

export interface RunningReceiver {
  readonly receiver: Receiver;
  readonly settings: Settings;
  readonly log: CapturedLog;
  readonly folder: string;
  readonly port: number;
  /** Without a slash at its end. */
  readonly url: string;
  /** Ends it and removes its folder. */
  stop(): Promise<void>;
}

export function makeFolder(): string {
  return mkdtempSync(join(tmpdir(), 'receiver-http-'));
}

/** A whole receiver in this process, on a port and in a folder of its own. */
export async function startReceiver(env: NodeJS.ProcessEnv = BOTH_SCHEMES): Promise<RunningReceiver> {
  const folder = makeFolder();
  const place = { env: { HOST: '127.0.0.1', ...env }, cwd: folder };
  const settings = loadSettings({ ...place, create: true });
  const log = new CapturedLog();
  const logger = pino({ level: settings.logLevel, base: null }, log);
  const receiver = await compose({
    settings,
    logger,
    load: () => loadSettings({ ...place, create: false, isServing: true }),
    opening: openServingStore(settings, logger),
  });
  receiver.server.listen(0, settings.host);
  await once(receiver.server, 'listening');
  receiver.trail.record(serviceDraft('service.start'));
  // The chain's own first entry is not one of the requests that tests count.
  await receiver.commits.settle();
  const { port } = receiver.server.address() as AddressInfo;
  return {
    receiver,
    settings,
    log,
    folder,
    port,
    url: `http://127.0.0.1:${port}`,
    stop: async () => {
      await end(receiver);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function end(receiver: Receiver): Promise<void> {
  receiver.stopAccepting();
  receiver.stopWatching();
  if (receiver.server.listening) {
    const closed = once(receiver.server, 'close');
    receiver.server.close();
    receiver.server.closeAllConnections();
    await closed;
  }
  await receiver.bodies.close();
  await receiver.secrets.stop();
  await receiver.commits.settle();
  await receiver.store.close();
}
