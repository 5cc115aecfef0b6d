import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { guardFolder } from '../test/support/guard-folder.ts';
import { AUDIT_KEY } from './audit-key.ts';
import { median, round } from './figures.ts';
import type { LatencyOrder } from './latency-load.ts';
import { runGenerator } from './run-generator.ts';
import { runLoad } from './run-load.ts';
import { RECEIVER, type RunningServer, SECRET, startServer } from './servers.ts';

export interface LatencyResult {
  /** Milliseconds from the answer's arrival at the sender to the start of the handler; one that starts before counts as 0. */
  readonly fromAnswer: { readonly p50: number; readonly p99: number };
  /** Milliseconds from sending. */
  readonly fromSending: { readonly p50: number; readonly p99: number };
  readonly early: number;
  readonly events: number;
}

export interface DrainResult {
  readonly deliveries: number;
  readonly seconds: number;
  readonly rate: number;
}

const LOAD = fileURLToPath(new URL('./latency-load.ts', import.meta.url));
/** Milliseconds until which everything has to have run. */
const END_MS = 60_000;
/** What comes in them is not counted. */
const WARM_UP_SECONDS = 3;

/** Notes when it was called for which event, in memory, and writes it down now and then. */
const NOTING = `
import { appendFileSync } from 'node:fs';
let lines = '';
setInterval(() => { if (lines !== '') appendFileSync('started.txt', lines); lines = ''; }, 200);
export default { name: 'note', events: ['*'], handle: ({ payload }) => { lines += payload.n + ' ' + process.hrtime.bigint() + '\\n'; } };
`;

/** Waits for a file, then does nothing. */
const GATED = `
import { existsSync } from 'node:fs';
let isOpen = false;
export default { name: 'gated', events: ['*'], async handle() {
  while (!isOpen) { isOpen = existsSync('open'); if (!isOpen) await new Promise((resolve) => setTimeout(resolve, 5)); }
} };
`;

/** From an answer to the start of the handler, at so many events a second for so many seconds. */
export async function measureLatency(rounds: number, pace: number, seconds: number): Promise<readonly LatencyResult[]> {
  const results: LatencyResult[] = [];
  for (let n = 1; n <= rounds; n += 1) {
    results.push(await withHandler(NOTING, (server) => latencyOf(server, pace, pace * (WARM_UP_SECONDS + seconds))));
  }
  const middle = (read: (result: LatencyResult) => number): string => round(median(results.map(read)), 2);
  process.stdout.write(
    `\nhandler starts after the answer, median of ${rounds} rounds at ${pace}/s: p50 ${middle((one) => one.fromAnswer.p50)} ms, p99 ${middle((one) => one.fromAnswer.p99)} ms; after sending: p50 ${middle((one) => one.fromSending.p50)} ms, p99 ${middle((one) => one.fromSending.p99)} ms; ${middle((one) => one.early)} of ${results[0]?.events} started before the answer was read\n`,
  );
  return results;
}

async function latencyOf(server: RunningServer, pace: number, amount: number): Promise<LatencyResult> {
  const file = join(server.dir, 'answered.txt');
  const order: LatencyOrder = { url: server.url, secret: SECRET, amount, pace, file };
  // It fails where not all were answered 200.
  await runGenerator(LOAD, [JSON.stringify(order)], amount, pace);
  const started = await until(() => readStarted(join(server.dir, 'started.txt'), amount));
  const answered = readFileSync(file, 'utf8').trimEnd().split('\n');
  const waits: number[] = [];
  const whole: number[] = [];
  for (const line of answered) {
    const [n = '', sentAt = '', answeredAt = ''] = line.split(' ');
    if (Number(n) < pace * WARM_UP_SECONDS) continue;
    const at = started.get(n);
    if (at === undefined) throw new Error(`event ${n} never came to the handler`);
    waits.push(Number(at - BigInt(answeredAt)) / 1_000_000);
    whole.push(Number(at - BigInt(sentAt)) / 1_000_000);
  }
  const early = waits.filter((wait) => wait < 0).length;
  return {
    fromAnswer: shares(waits.map((wait) => Math.max(0, wait))),
    fromSending: shares(whole),
    early,
    events: waits.length,
  };
}

function readStarted(file: string, amount: number): Map<string, bigint> | undefined {
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : [];
  // The last line may be half written, so only what ends is counted.
  const started = new Map(lines.map((line) => line.split(' ')).map(([n = '', at = '0']) => [n, BigInt(at)]));
  return started.size < amount ? undefined : started;
}

function shares(values: readonly number[]): { p50: number; p99: number } {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99) };
}

/** Deliveries that wait are let go at once, to a handler that does nothing; until the last outcome is stored. */
export async function measureDrain(rounds: number, deliveries: number): Promise<readonly DrainResult[]> {
  const results: DrainResult[] = [];
  for (let n = 1; n <= rounds; n += 1) {
    results.push(
      await withHandler(GATED, async (server) => {
        const order = { url: server.url, secret: SECRET, connections: 64, leads: 5_000, amount: deliveries };
        const { ok } = await runLoad(order);
        if (ok !== deliveries) throw new Error('not all events were answered 200');
        const db = new DatabaseSync(join(server.dir, 'data/receiver.db'), { readOnly: true });
        const done = db.prepare(`SELECT count(*) AS n FROM deliveries WHERE state = 'done'`);
        const started = performance.now();
        writeFileSync(join(server.dir, 'open'), '');
        await until(() => (Number(done.get()?.['n']) === deliveries ? true : undefined));
        const seconds = (performance.now() - started) / 1_000;
        db.close();
        return { deliveries, seconds, rate: deliveries / seconds };
      }),
    );
  }
  const rate = median(results.map((one) => one.rate));
  process.stdout.write(
    `\n${deliveries} queued deliveries drained: ${round(rate)} a second, median of ${rounds} rounds\n`,
  );
  return results;
}

async function withHandler<T>(text: string, work: (server: RunningServer) => Promise<T>): Promise<T> {
  const folder = guardFolder('receiver-bench-handlers-');
  try {
    mkdirSync(join(folder.path, 'handlers'));
    writeFileSync(join(folder.path, 'handlers/bench.mjs'), text);
    const server = await startServer(RECEIVER, { AUDIT_KEY, HANDLERS_DIR: join(folder.path, 'handlers') });
    try {
      return await work(server);
    } finally {
      await server.stop();
    }
  } finally {
    await folder.remove();
  }
}

async function until<T>(look: () => T | undefined): Promise<T> {
  const deadline = performance.now() + END_MS;
  for (;;) {
    const found = look();
    if (found !== undefined) return found;
    if (performance.now() > deadline) throw new Error('the deliveries did not come to their end');
    await pause(20);
  }
}
