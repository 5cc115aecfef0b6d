import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from '@jest/globals';
import { makeAccept, makeBatch } from './make-parts.ts';
import { untilWaiting, usePostgres } from './postgres-rig.ts';
import { AUDIT_KEY } from './store-contract.ts';

const PROCESS = fileURLToPath(new URL('../support/postgres-process.ts', import.meta.url));
const ROUTES = [{ handler: 'crm', ordered: false }];
/** Milliseconds for which a process has to be gone. */
const GONE_AFTER_MS = 300;
const MAX_ATTEMPTS = 12;

const rig = usePostgres();
const spawned: ChildProcessWithoutNullStreams[] = [];

afterEach(() => {
  for (const child of spawned.splice(0)) child.kill('SIGKILL');
});

function spawnProcess(...words: string[]): ChildProcessWithoutNullStreams {
  const child = spawn(process.execPath, [PROCESS, rig.database.url, AUDIT_KEY, ...words], { stdio: 'pipe' });
  spawned.push(child);
  return child;
}

/** Resolves once it has said so. */
async function said(child: ChildProcessWithoutNullStreams, words: string): Promise<void> {
  let heard = '';
  for await (const chunk of child.stdout.iterator({ destroyOnReturn: false })) {
    heard += String(chunk);
    if (heard.includes(words)) return;
  }
  throw new Error(`it ended without saying "${words}": ${heard}${await text(child.stderr)}`);
}

async function accept(contents: readonly string[]): Promise<void> {
  const store = await rig.open();
  await store.commit(makeBatch({ accepts: contents.map((content) => makeAccept({ content, routes: ROUTES })) }));
}

describe('a process of its own', () => {
  test('that is killed with deliveries in hand loses their leases, but not before it is surely gone', async () => {
    await accept(['one', 'two', 'three']);
    const child = spawnProcess('crm');
    child.stdin.write('go');
    await said(child, 'claimed 3');
    const store = await rig.open({ goneAfterMs: GONE_AFTER_MS });
    const recover = (): Promise<number> => store.recoverLeases(Date.now(), MAX_ATTEMPTS);
    // It lives, however often one looks.
    expect(await recover()).toBe(0);
    await pause(GONE_AFTER_MS + 50);
    expect(await recover()).toBe(0);

    child.kill('SIGKILL');
    await once(child, 'close');
    const patience = AbortSignal.timeout(10_000);
    const killed = performance.now();
    let recovered = await recover();
    while (recovered === 0) {
      await pause(20, undefined, { signal: patience });
      recovered = await recover();
    }
    expect(recovered).toBe(3);
    expect(performance.now() - killed).toBeGreaterThanOrEqual(GONE_AFTER_MS);
    const now = Date.now();
    const places = [{ handler: 'crm', limit: 10 }];
    const { deliveries } = await store.claim({ now, places, lease: 'again', leaseUntil: now + 1_000 });
    expect(deliveries.map(({ attempt }) => attempt)).toEqual([2, 2, 2]);
  });

  test('that ends in order leaves what it had in hand to others at once', async () => {
    await accept(['one']);
    const child = spawnProcess('crm');
    child.stdin.write('go');
    await said(child, 'claimed 1');
    child.stdin.end();
    expect(await once(child, 'close')).toEqual([0, null]);
    const store = await rig.open();
    expect(await store.recoverLeases(Date.now(), MAX_ATTEMPTS)).toBe(1);
  });

  test('twenty that start at once on an empty database apply each migration once', async () => {
    const children = Array.from({ length: 20 }, () => spawnProcess());
    await Promise.all(children.map((child) => said(child, 'loaded')));
    // Whoever makes this table waits to see what becomes of ours, so that all of them are there before any goes on.
    await rig.database.query('BEGIN');
    await rig.database.query('CREATE TABLE schema_migrations ()');
    for (const child of children) child.stdin.write('go');
    await untilWaiting(rig.database, children.length);
    await rig.database.query('ROLLBACK');
    await Promise.all(children.map((child) => said(child, 'connected')));
    const ends = children.map(async (child) => {
      child.stdin.end();
      const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, 'close')]);
      return { stderr, code };
    });
    expect(await Promise.all(ends)).toEqual(Array(20).fill({ stderr: '', code: 0 }));
    const applied = await rig.database.query<{ version: number }>('SELECT version FROM schema_migrations');
    expect(applied.length).toBeGreaterThan(0);
    expect(new Set(applied.map(({ version }) => version)).size).toBe(applied.length);
    // Rows that the first migration makes each time it runs.
    const [twice] = await rig.database.query(
      'SELECT count(*)::int AS n FROM (SELECT FROM delivery_counts GROUP BY shard, state HAVING count(*) > 1) AS t',
    );
    expect(twice).toEqual({ n: 0 });
  }, 90_000);
});
