import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { checkStore, NO_FAULTS } from '../support/check-store.ts';
import { TOKEN } from '../support/credentials.ts';
import { ask } from '../support/post.ts';
import { launchReceiver, type ReceiverProcess, spawnReceiverIn } from '../support/spawn-receiver.ts';
import { makeFolder } from '../support/start-receiver.ts';
import { SteadyLoad } from '../support/steady-load.ts';

/** The issue asks for 50 by hand, and for 10 in every run. */
const KILLS = Number(process.env['KILLS'] ?? 10);
const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
const CLIENTS = 24;
/** Milliseconds of load at the most before a kill, and of a start. */
const LOAD_MS = 500;
const START_MS = 1_000;
/** Milliseconds from the start of the process to its first 200, and how many starts of an empty Node that may last where
 * the machine is busy with something else. */
const SERVES_WITHIN_MS = 2_000;
const SERVES_WITHIN_STARTS = 25;
/** Milliseconds in which what is left when the load ends has been delivered. */
const DELIVERS_WITHIN_MS = 20_000;

const ENV = { INSTANTLY_WEBHOOK_TOKEN: TOKEN, LOG_LEVEL: 'info' };

/** Each notes the events it is given, before it is done with them. */
const HANDLERS = ['first', 'second'];

function makeHandlers(): void {
  mkdirSync(join(folder, 'handlers'));
  for (const name of HANDLERS) {
    writeFileSync(
      join(folder, 'handlers', `${name}.mjs`),
      `import { appendFileSync } from 'node:fs';
      export default { name: '${name}', events: ['*'], handle: (event) => appendFileSync('${notesOf(name)}', event.id + '\\n') };`,
    );
  }
}

function notesOf(handler: string): string {
  return join(folder, `${handler}.txt`);
}

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

let folder = '';
let load = new SteadyLoad(0);
let running: Pick<ReceiverProcess, 'stop'> | undefined;

beforeEach(() => {
  folder = makeFolder();
  load = new SteadyLoad(CLIENTS);
});

afterEach(async () => {
  await Promise.all([load.end(), running?.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

/** Milliseconds until it answers its health check and accepts an event. */
async function start(): Promise<{ receiver: ReceiverProcess; milliseconds: number }> {
  const started = performance.now();
  const receiver = await spawnReceiverIn(folder, ENV);
  running = receiver;
  const accepted = load.aim(receiver.port);
  const health = await ask(receiver, { method: 'get', path: '/healthz' });
  expect(health.status).toBe(200);
  await accepted;
  return { receiver, milliseconds: performance.now() - started };
}

/** Milliseconds that a Node with nothing to do takes. */
async function startEmpty(): Promise<number> {
  const started = performance.now();
  await once(spawn(process.execPath, ['--eval', '']), 'close');
  return performance.now() - started;
}

async function killWhileItStarts(afterMs: number): Promise<void> {
  const { child, ended, stop } = launchReceiver(folder, ENV);
  running = { stop };
  await pause(afterMs);
  child.kill('SIGKILL');
  expect(await ended).toBe('SIGKILL');
}

/** Resolves when no delivery is unfinished. */
async function waitUntilDelivered({ url }: ReceiverProcess): Promise<void> {
  const patience = AbortSignal.timeout(DELIVERS_WITHIN_MS);
  for (let unfinished = 1; unfinished > 0; ) {
    const { text } = await ask({ url }, { method: 'get', path: '/metrics' });
    const counts = [...text.matchAll(/^instantly_deliveries\{state="(?:pending|running)"\} (\d+)$/gm)];
    expect(counts).toHaveLength(2);
    unfinished = counts.reduce((sum, [, n]) => sum + Number(n), 0);
    // The gauges are read anew twice a second.
    if (unfinished > 0) await pause(250, undefined, { signal: patience });
  }
}

test(
  `killed ${KILLS} times under load, it has whatever it answered 200, delivers it and goes on at once (SEED=${SEED})`,
  async () => {
    const random = seeded(SEED);
    const starts: number[] = [];
    const emptyStarts: number[] = [];
    makeHandlers();
    for (let kill = 0; kill < KILLS; kill += 1) {
      if (random() < 0.2) {
        await killWhileItStarts(random() * START_MS);
        continue;
      }
      emptyStarts.push(await startEmpty());
      const { receiver, milliseconds } = await start();
      starts.push(milliseconds);
      await pause(random() * LOAD_MS);
      receiver.child.kill('SIGKILL');
      expect(await receiver.ended).toBe('SIGKILL');
    }
    const { receiver, milliseconds } = await start();
    starts.push(milliseconds);
    await load.end();
    await waitUntilDelivered(receiver);
    receiver.child.kill('SIGTERM');
    expect(await receiver.ended).toBe(0);

    const { faults, ids, deliveries, audit } = await checkStore(folder, load.events, HANDLERS);
    expect(faults).toEqual(NO_FAULTS);
    expect(audit).toMatchObject({ ok: true });
    expect(deliveries).toEqual({ done: ids.size * HANDLERS.length });
    for (const handler of HANDLERS) {
      const seen = new Set(readFileSync(notesOf(handler), 'utf8').split('\n'));
      expect([...ids].filter((id) => !seen.has(id))).toEqual([]);
    }
    expect(load.unanswered).toBeGreaterThan(0);
    report(ids.size, audit.entries, starts);
    const limit = Math.max(SERVES_WITHIN_MS, SERVES_WITHIN_STARTS * middle(emptyStarts));
    expect({ starts, emptyStarts, inTime: middle(starts) < limit }).toMatchObject({ inTime: true });
  },
  30_000 + KILLS * 6_000,
);

function middle(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

/** Where somebody asked for more than every run does. */
function report(events: number, entries: number, starts: readonly number[]): void {
  if (process.env['KILLS'] === undefined) return;
  const answers = load.answers.filter(({ status }) => status === 200).length;
  process.stderr.write(
    `SEED=${SEED}: ${KILLS} kills, ${answers} answered 200, ${events} events stored, ${load.unanswered} requests cut, ${entries} audit entries; starts: middle ${Math.round(middle(starts))} ms, longest ${Math.round(Math.max(...starts))} ms\n`,
  );
}
