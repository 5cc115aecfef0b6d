import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { SpillChange } from '../../src/stores/spill/intake.ts';
import { SpillingStore } from '../../src/stores/spill/spilling-store.ts';
import { type GuardedFolder, guardFolder } from '../support/guard-folder.ts';
import { PostgresProxy } from '../support/postgres-proxy.ts';
import { makeAccept, makeBatch } from './make-parts.ts';
import { usePostgres } from './postgres-rig.ts';
import { AUDIT_KEY } from './store-contract.ts';

/** Milliseconds in which a call is refused at the latest. */
const REFUSED_WITHIN_MS = 12_000;

const rig = usePostgres();
let folder: GuardedFolder;
let proxy: PostgresProxy;
let store: SpillingStore;
let moved: Promise<void>;

beforeEach(async () => {
  folder = guardFolder('receiver-spill-');
  proxy = await PostgresProxy.open(Number(new URL(rig.database.url).port));
  const { promise, resolve } = Promise.withResolvers<void>();
  moved = promise;
  const onChange = ({ state }: SpillChange): void => {
    if (state === 'direct') resolve();
  };
  store = await SpillingStore.open({
    primary: await rig.open({ url: proxy.through(rig.database.url) }),
    file: join(folder.path, 'spill.db'),
    maxBytes: 64 * 1024 * 1024,
    auditKey: AUDIT_KEY,
    onChange,
    times: { commitLimitMs: 500, probeEveryMs: 50, moveLimitMs: 3_000 },
  });
});
afterEach(async () => {
  await store.close();
  await proxy.close();
  await folder.remove();
});

test('while PostgreSQL is away documents and keys are refused, events are not, and all is there again with it', async () => {
  await store.writeDocument('cursor', 'one', 0);
  const accept = makeAccept({ content: 'spilled' });
  proxy.freeze();
  const { accepted } = await store.commit(makeBatch({ accepts: [accept] }));
  expect(accepted[0]?.status).toBe('accepted');
  const began = performance.now();
  const refused = await Promise.allSettled([
    store.readDocument('cursor'),
    store.listDocuments('', 10),
    store.writeDocument('cursor', 'two', 1),
    store.dropDocument('another'),
    store.findByKeys([accept.event], Date.now()),
  ]);
  expect(performance.now() - began).toBeLessThan(REFUSED_WITHIN_MS);
  const unavailable = { status: 'rejected', reason: { name: 'StoreUnavailable' } };
  expect(refused).toMatchObject(Array(5).fill(unavailable));
  // Not to be known by any outage.
  await expect(store.writeDocument('cursor', '\0', 1)).rejects.toThrow(RangeError);

  proxy.cutAll();
  proxy.thaw();
  await moved;
  expect(await store.findByKeys([accept.event], Date.now())).toEqual([accept.event.id]);
  expect(await store.readDocument('cursor')).toMatchObject({ text: expect.stringMatching(/^(one|two)$/) });
}, 60_000);
