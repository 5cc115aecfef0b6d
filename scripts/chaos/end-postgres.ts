import { setTimeout as pause } from 'node:timers/promises';
import { nothing, type Scene, type Trial, tryUnderLoad } from './trial.ts';

/** Milliseconds of work at the most before a kill, and of the time that the server is down after it. */
const WORK_MS = 2_000;
const DOWN_MS = 1_000;
/** Milliseconds of load before and after a long outage. */
const AROUND_MS = 2_000;

async function killTimes({ site, random, quick }: Scene): Promise<string> {
  const kills = quick ? 2 : 10;
  for (let kill = 0; kill < kills; kill += 1) {
    await site.recovered();
    await pause(random.next() * WORK_MS);
    await site.server.halt('SIGKILL');
    // At once, as a supervisor would, or a little later.
    if (random.next() < 0.5) await pause(random.next() * DOWN_MS);
    await site.server.start();
  }
  await site.recovered();
  return `${kills} SIGKILLs`;
}

async function stayAway({ site, quick }: Scene): Promise<string> {
  const seconds = quick ? 6 : 60;
  await pause(AROUND_MS);
  await site.server.halt();
  await pause(seconds * 1_000);
  await site.server.start();
  await site.recovered();
  await pause(AROUND_MS);
  return `away for ${seconds} s`;
}

export const killPostgres: Trial = {
  name: 'postgres-killed',
  what: 'PostgreSQL is killed and recovers',
  run: (choices) => tryUnderLoad({ prepare: nothing, refusals: 'none', disturb: killTimes }, choices),
};

export const stopPostgres: Trial = {
  name: 'postgres-stopped',
  what: 'PostgreSQL is stopped for a minute',
  run: (choices) => tryUnderLoad({ prepare: nothing, refusals: 'none', disturb: stayAway }, choices),
};
