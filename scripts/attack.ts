/**
 * Attacks a receiver in each of the ways that once kept genuine deliveries out, or filled memory, log or disk, and measures
 * genuine deliveries before, meanwhile and after. All on loopback. Exits 1 where one of them fails or something grows beyond
 * its bound.
 *
 *   node scripts/attack.ts [--quick] [--only NAME]...
 */
import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { Agent } from 'node:http';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import Table from 'cli-table3';
import { Command, Option } from 'commander';
import { AUDIT_KEY } from '../bench/audit-key.ts';
import { sizeOf } from '../bench/flood.ts';
import { sendPaced } from '../bench/send-paced.ts';
import { RECEIVER, type RunningServer, residentMb, SECRET, startServer } from '../bench/servers.ts';
import { ATTACKS, type Attack } from './attack/attacks.ts';

/** Genuine deliveries a second, each on a connection of its own. */
const PACE = 20;
/** Instantly gives up on a webhook that has not answered by then. */
const GENUINE_LIMIT_MS = 10_000;
const SAMPLE_MS = 100;
/** In turn, so that some come from where the strangers are. */
const ADDRESSES = ['127.0.0.1', '127.1.0.0'];

/** Bounds while an attack is on. */
const MOST_RESIDENT_MB = 600;
const MOST_LOG_KB_A_SECOND = 64;
/** With the genuine deliveries, beside the write-ahead log, which grows to so much and is used again. */
const MOST_DISK_KB_A_SECOND = 256;
const MOST_WAL_KB = 8 * 1_024;

interface Phase {
  readonly p50: number;
  readonly p99: number;
  readonly failures: number;
  readonly residentMb: number;
  readonly logKb: number;
  readonly diskKb: number;
}

const options = new Command('attack')
  .description('Attacks a receiver in known ways and measures genuine deliveries before, meanwhile and after.')
  .option('--quick', 'a few seconds of each')
  .addOption(new Option('--only <name...>', 'these attacks alone').choices(ATTACKS.map(({ name }) => name)))
  .parse()
  .opts<{ readonly quick?: true; readonly only?: readonly string[] }>();

const SECONDS = options.quick ? { calm: 1, attack: 5 } : { calm: 10, attack: 40 };
const table = new Table({
  head: ['attack', 'phase', 'genuine p50', 'p99', 'failed', 'RSS', 'log', 'data'],
  style: { head: [], border: [] },
});
for (const attack of ATTACKS.filter(({ name }) => options.only?.includes(name) ?? true)) {
  process.stderr.write(`${attack.name}: ${attack.what}\n`);
  const phases = await measure(attack);
  for (const [name, phase] of Object.entries(phases)) table.push([attack.name, name, ...describe(phase)]);
  for (const fault of findFaults(attack, phases)) {
    process.stderr.write(`  FAILED: ${fault}\n`);
    process.exitCode = 1;
  }
}
process.stdout.write(`${table.toString()}\n`);

async function measure(attack: Attack): Promise<Record<'before' | 'under attack' | 'after', Phase>> {
  const server = await startServer(RECEIVER, { AUDIT_KEY });
  try {
    // The first ones find code that is not compiled yet.
    await watch(server, 1);
    const before = await watch(server, SECONDS.calm);
    const attacker = spawn(
      process.execPath,
      [fileURLToPath(new URL('./attack/run-attack.ts', import.meta.url)), attack.name, new URL(server.url).port],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    const ended = once(attacker, 'exit');
    try {
      await Promise.race([once(attacker.stdout, 'data'), ended.then(() => Promise.reject(new Error('no attack')))]);
      const during = await watch(server, SECONDS.attack);
      attacker.stdin.end();
      await ended;
      await pause(1_000);
      return { before, 'under attack': during, after: await watch(server, SECONDS.calm) };
    } finally {
      attacker.kill('SIGKILL');
      await ended;
    }
  } finally {
    await server.stop();
  }
}

async function watch(server: RunningServer, seconds: number): Promise<Phase> {
  const log = join(server.dir, 'stdout.log');
  const data = join(server.dir, 'data');
  const sizes = (): number[] => [statSync(log).size, sizeOf(data)];
  const [logBefore = 0, dataBefore = 0] = sizes();
  let peak = 0;
  const timer = setInterval(() => {
    peak = Math.max(peak, residentMb(server.pid));
  }, SAMPLE_MS);
  const answers = await sendPaced(server.url, PACE, PACE * seconds, genuine, {
    agent: new Agent({ keepAlive: false }),
    timeoutMs: GENUINE_LIMIT_MS,
  });
  clearInterval(timer);
  const [logAfter = 0, dataAfter = 0] = sizes();
  const times = answers
    .filter(({ status }) => status === 200)
    .map(({ dueAt, answeredAt }) => Number(answeredAt - dueAt) / 1_000_000)
    .sort((a, b) => a - b);
  return {
    p50: times[Math.floor(times.length * 0.5)] ?? Number.NaN,
    p99: times[Math.floor(times.length * 0.99)] ?? Number.NaN,
    failures: answers.length - times.length,
    residentMb: peak,
    logKb: (logAfter - logBefore) / 1_024,
    diskKb: (dataAfter - dataBefore) / 1_024,
  };
}

function genuine(n: number) {
  const event = {
    event_type: 'reply_received',
    timestamp: new Date().toISOString(),
    lead_email: `lead-${n}@customer.example`,
    reply_text: `${process.hrtime.bigint()} ${'words '.repeat(300)}`,
  };
  const body = JSON.stringify(event);
  const headers = { 'x-instantly-signature': createHmac('sha256', SECRET).update(body).digest('hex') };
  const localAddress = ADDRESSES[n % ADDRESSES.length] ?? '127.0.0.1';
  return { body, headers, localAddress };
}

function findFaults({ name }: Attack, phases: Record<string, Phase>): string[] {
  const faults: string[] = [];
  for (const [phase, { failures }] of Object.entries(phases)) {
    if (failures > 0) faults.push(`${phase}, ${failures} genuine deliveries were not answered 200`);
  }
  const during = phases['under attack'];
  if (during === undefined) return faults;
  if (during.residentMb > MOST_RESIDENT_MB) faults.push(`RSS came to ${during.residentMb.toFixed(0)} MB`);
  if (during.logKb > MOST_LOG_KB_A_SECOND * SECONDS.attack)
    faults.push(`the log grew by ${during.logKb.toFixed(0)} kB`);
  // What a proven sender sends has to be kept.
  if (name !== 'big-bodies' && during.diskKb > MOST_WAL_KB + MOST_DISK_KB_A_SECOND * SECONDS.attack)
    faults.push(`the data folder grew by ${during.diskKb.toFixed(0)} kB`);
  return faults;
}

function describe({ p50, p99, failures, residentMb: mb, logKb, diskKb }: Phase): string[] {
  return [
    `${p50.toFixed(1)} ms`,
    `${p99.toFixed(1)} ms`,
    String(failures),
    `${mb.toFixed(0)} MB`,
    `${logKb.toFixed(0)} kB`,
    `${diskKb.toFixed(0)} kB`,
  ];
}
