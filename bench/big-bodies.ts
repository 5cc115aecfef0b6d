import { createHmac } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { AUDIT_KEY } from './audit-key.ts';
import { runGenerator } from './run-generator.ts';
import { sendPaced } from './send-paced.ts';
import { RECEIVER, residentMb, SECRET, startServer } from './servers.ts';

export interface BigBodiesResult {
  /** What the bodies are filled with; `none`: there are none. */
  readonly kind: string;
  readonly atOnce: number;
  readonly ok: number;
  readonly other: number;
  readonly longestMs: number;
  /** Of small events, milliseconds from when each was due. */
  readonly p50: number;
  readonly p99: number;
  readonly failures: number;
  readonly peakMb: number;
}

const GENERATOR = fileURLToPath(new URL('./big-bodies-load.ts', import.meta.url));
const SECONDS = 10;
/** Small events a second. */
const PACE = 50;
const RUNS = [
  ['none', 0],
  ['text', 1],
  ['numbers', 1],
  ['numbers', 6],
  ['objects', 6],
  ['members', 1],
  ['members', 6],
  ['levels', 6],
] as const;

/** What small events wait while a proven sender sends bodies of 10 MB, one or six at once. */
export async function measureBigBodies(): Promise<readonly BigBodiesResult[]> {
  const results: BigBodiesResult[] = [];
  for (const [kind, atOnce] of RUNS) results.push(await measure(kind, atOnce));
  console.table(results);
  return results;
}

async function measure(kind: string, atOnce: number): Promise<BigBodiesResult> {
  const server = await startServer(RECEIVER, { AUDIT_KEY });
  try {
    await sendPaced(server.url, PACE, PACE * 2, makeSmall);
    const args = [server.url, kind, String(atOnce), String(SECONDS)];
    const big = atOnce === 0 ? undefined : runGenerator(GENERATOR, args, 1_000);
    // It makes its bodies first.
    await pause(1_000);
    const answers = await sendPaced(server.url, PACE, PACE * SECONDS, makeSmall);
    const sent = JSON.parse((await big) ?? '{"ok":0,"other":0,"longestMs":0}') as Pick<
      BigBodiesResult,
      'ok' | 'other' | 'longestMs'
    >;
    const times = answers.map(({ dueAt, answeredAt }) => Number(answeredAt - dueAt) / 1_000_000).sort((a, b) => a - b);
    const at = (share: number): number => Math.round(10 * (times[Math.floor(times.length * share)] ?? Number.NaN)) / 10;
    const failures = answers.filter(({ status }) => status !== 200).length;
    const peakMb = Math.round(residentMb(server.pid, 'VmHWM'));
    return { kind, atOnce, ...sent, p50: at(0.5), p99: at(0.99), failures, peakMb };
  } finally {
    await server.stop();
  }
}

function makeSmall(n: number) {
  const event = {
    event_type: 'reply_received',
    timestamp: new Date().toISOString(),
    lead_email: `lead-${n}@customer.example`,
    reply_text: `${process.hrtime.bigint()} ${'words '.repeat(150)}`,
  };
  const body = JSON.stringify(event);
  return { body, headers: { 'x-instantly-signature': createHmac('sha256', SECRET).update(body).digest('hex') } };
}
