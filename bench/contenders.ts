import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createTestDatabase } from '../test/support/postgres.ts';
import { addressOf } from '../test/support/postgres-broker.ts';
import type { PostgresServer } from '../test/support/postgres-server.ts';
import { AUDIT_KEY } from './audit-key.ts';
import { RECEIVER, type RunningServer, startAdnanh, startServer } from './servers.ts';
import { STORE_NAMES, type StoreKind } from './store-kinds.ts';

export interface Contender {
  readonly name: string;
  /** How its requests are signed: in our header, or as GitHub does it. */
  readonly signing: 'instantly' | 'github';
  start(): Promise<Pick<RunningServer, 'url' | 'pid' | 'stop'>>;
}

const peer = (file: string): readonly string[] => [join(fileURLToPath(new URL('.', import.meta.url)), file)];

/** What everything is held against: a careful hand-made route, which stores nothing. */
export const BARE: Contender = {
  name: 'bare Express route',
  signing: 'instantly',
  start: () => startServer(peer('bare-route.ts')),
};

/** What others take a webhook in with. None of them stores anything. */
export function peers(): readonly Contender[] {
  const found: Contender[] = [
    { name: 'bare node:http', signing: 'instantly', start: () => startServer(peer('bare-http.ts')) },
    { name: 'octokit middleware', signing: 'github', start: () => startServer(peer('octokit-route.ts')) },
  ];
  if (spawnSync('webhook', ['-version']).status === 0)
    found.push({ name: 'adnanh/webhook', signing: 'instantly', start: startAdnanh });
  else process.stderr.write('adnanh/webhook is not on the PATH (Debian: apt-get install webhook), so it is left out\n');
  return found;
}

/** Each start is on an empty store. The limit of failures is out of the way, so that all refusals are the same. */
export function receiverOn(kind: StoreKind, server: PostgresServer | undefined): Contender {
  const name = `receiver on ${STORE_NAMES[kind]}`;
  const env = { AUDIT_KEY, FAILED_AUTH_PER_MINUTE: '1000000' };
  if (kind === 'sqlite' || server === undefined)
    return { name, signing: 'instantly', start: () => startServer(RECEIVER, env) };
  return {
    name,
    signing: 'instantly',
    async start() {
      const database = await createTestDatabase(addressOf(server));
      try {
        const receiver = await startServer(RECEIVER, { ...env, DATABASE_URL: database.url });
        return { ...receiver, stop: () => receiver.stop().finally(() => database.drop()) };
      } catch (error) {
        await database.drop();
        throw error;
      }
    },
  };
}
