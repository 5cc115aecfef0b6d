/**
 * A process of its own beside a test, on a database: waits for a word on stdin, then for the database, claims what is due
 * for one handler, says on stdout what it got, and stays until it is killed or its stdin ends.
 *
 *   node postgres-process.ts URL AUDIT_KEY [HANDLER]
 */
import { once } from 'node:events';
import process from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import { StoreUnavailable } from '../../src/errors/problem.ts';
import { PostgresStore } from '../../src/stores/postgres/postgres-store.ts';

const LEASE_MS = 600_000;
/** Milliseconds until it gives up, and between two tries, on a machine that is busy. */
const CONNECTED_WITHIN_MS = 50_000;
const RETRY_MS = 100;

const [url = '', auditKey = '', handler] = process.argv.slice(2);
process.stdout.write('loaded\n');
await once(process.stdin, 'data');
const store = PostgresStore.open({ url, location: 'a database of the tests', auditKey, serve: true });
await connected();
process.stdout.write('connected\n');
if (handler !== undefined) {
  const now = Date.now();
  const places = [{ handler, limit: 10 }];
  const { deliveries } = await store.claim({ now, places, lease: 'claimed', leaseUntil: now + LEASE_MS });
  process.stdout.write(`claimed ${deliveries.length}\n`);
}
process.stdin.once('end', () => {
  void store.close();
});
process.stdin.resume();

async function connected(): Promise<void> {
  const deadline = performance.now() + CONNECTED_WITHIN_MS;
  for (;;) {
    try {
      await store.connected();
      return;
    } catch (error) {
      // Whatever the server answers is what the test is about.
      const isReached = !(error instanceof StoreUnavailable && error.message.includes('cannot be reached'));
      if (isReached || performance.now() > deadline) throw error;
    }
    await pause(RETRY_MS);
  }
}
