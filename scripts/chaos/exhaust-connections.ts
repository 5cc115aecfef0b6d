import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { within } from './service.ts';
import type { Site } from './site.ts';
import { nothing, type Scene, type Trial, tryUnderLoad } from './trial.ts';

const MAX_CONNECTIONS = 40;
/** Milliseconds of load before they are taken. */
const BEFORE_MS = 2_000;
/** Milliseconds until another client has all of them. */
const TAKEN_WITHIN_MS = 20_000;

/** Ends the sessions of the services again and again and takes what that sets free. */
async function takeAll(site: Site, taken: pg.Client[]): Promise<void> {
  const first = await connectTo(site.database.adminUrl);
  taken.push(first);
  while (taken.length < MAX_CONNECTIONS) {
    await first.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1', ['receiver']);
    const more = Array.from({ length: MAX_CONNECTIONS - taken.length }, () => connectTo(site.database.adminUrl));
    for (const result of await Promise.allSettled(more)) {
      // Refused: the services were faster this time.
      if (result.status === 'fulfilled') taken.push(result.value);
    }
  }
}

async function connectTo(connectionString: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return client;
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  }
}

async function takeTimes({ site, random, quick }: Scene): Promise<string> {
  const rounds = quick ? 1 : 3;
  let held = 0;
  for (let round = 0; round < rounds; round += 1) {
    await site.recovered();
    await pause(BEFORE_MS);
    const taken: pg.Client[] = [];
    try {
      await within(takeAll(site, taken), TAKEN_WITHIN_MS, 'every connection');
      const seconds = quick ? 6 : 10 + random.below(10);
      await pause(seconds * 1_000);
      held += seconds;
    } finally {
      await Promise.all(taken.map((client) => client.end()));
    }
  }
  await site.recovered();
  return `taken ${rounds} times, for ${held} s`;
}

export const exhaustConnections: Trial = {
  name: 'connections-taken',
  what: 'another client takes every connection of PostgreSQL',
  run: (choices) =>
    tryUnderLoad(
      { options: { maxConnections: MAX_CONNECTIONS }, prepare: nothing, refusals: 'none', disturb: takeTimes },
      choices,
    ),
};
