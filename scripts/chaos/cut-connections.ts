import { setTimeout as pause } from 'node:timers/promises';
import { PostgresProxy } from '../../test/support/postgres-proxy.ts';
import { within } from './service.ts';
import type { Ground, Surroundings } from './site.ts';
import { type Scene, type Trial, tryUnderLoad } from './trial.ts';

/** Milliseconds between cuts at the most, and of a time in which nothing passes. */
const BETWEEN_MS = 300;
const FROZEN_MS = 4_000;
/** Every so many cuts, the network is frozen once. */
const FREEZE_EVERY = 25;
/** Bytes after which a cut comes at the most: the middle of a statement, of a body, of an answer. */
const CUT_WITHIN_BYTES = 20_000;
/** Milliseconds in which some COMMIT passes. */
const COMMIT_WITHIN_MS = 30_000;

interface BehindProxy extends Surroundings {
  readonly proxy: PostgresProxy;
}

async function openProxy({ server, database }: Ground): Promise<BehindProxy> {
  const proxy = await PostgresProxy.open(server.port);
  return { proxy, env: { DATABASE_URL: proxy.through(database.url) }, release: () => proxy.close() };
}

async function cutTimes({ site, random, quick }: Scene<BehindProxy>): Promise<string> {
  const { proxy } = site.around;
  const cuts = quick ? 30 : 300;
  let frozen = 0;
  for (let cut = 1; cut <= cuts; cut += 1) {
    await pause(random.next() * BETWEEN_MS);
    if (random.next() < 0.5) {
      const when = random.pick(['before', 'during', 'after'] as const);
      await within(proxy.cutNextCommit(when), COMMIT_WITHIN_MS, 'a COMMIT');
    } else {
      proxy.cutAfter(random.below(1_000), random.pick(['to-server', 'to-client']), random.below(CUT_WITHIN_BYTES));
    }
    if (cut % FREEZE_EVERY !== 0) continue;
    frozen += 1;
    proxy.freeze();
    await pause(random.next() * FROZEN_MS);
    proxy.thaw();
    await site.recovered();
  }
  await site.recovered();
  return `${cuts} resets, frozen ${frozen} times`;
}

export const cutConnections: Trial = {
  name: 'connections-cut',
  what: 'connections to PostgreSQL break inside commits, and fall silent',
  run: (choices) => tryUnderLoad({ prepare: openProxy, refusals: 'none', disturb: cutTimes }, choices),
};
