import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { checkStore, NO_FAULTS } from '../../test/support/check-store.ts';
import { TOKEN } from '../../test/support/credentials.ts';
import { launchReceiver, type ReceiverProcess } from '../../test/support/spawn-receiver.ts';
import type { SteadyLoad } from '../../test/support/steady-load.ts';

const STRACE = process.env['STRACE'] ?? 'strace';

const ENV = { INSTANTLY_WEBHOOK_TOKEN: TOKEN, MIN_FREE_DISK: '1mb' };
/** Milliseconds between looks at a condition, and until it is given up. */
const LOOK_MS = 50;
const PATIENCE_MS = 30_000;

/** A folder for one trial, removed at its end whichever way that comes. */
export async function inFolder<T>(trial: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'durability-'));
  try {
    return await trial(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export interface Trial {
  readonly receiver: ReceiverProcess;
  /** Ends the receiver itself and waits until what runs it has ended too. */
  end(signal: NodeJS.Signals): Promise<void>;
}

export interface TrialOptions {
  /** The program's file, of another checkout. */
  readonly entry?: string;
  /** Words for strace; without them the receiver is not traced. */
  readonly strace?: readonly string[];
}

/** Runs a receiver in a folder while `work` is at it; ends it if it still runs. */
export async function withReceiver<T>(
  folder: string,
  { entry, strace }: TrialOptions,
  work: (trial: Trial) => Promise<T>,
): Promise<T> {
  const under = strace === undefined ? [] : [STRACE, '-f', '-qq', '-y', ...strace];
  const launched = launchReceiver(folder, ENV, { under, ...(entry === undefined ? {} : { entry }) });
  const { child, ended, ready } = launched;
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const { pid } = child;
    if (pid !== undefined && child.exitCode === null && child.signalCode === null) {
      // The end of strace would leave the receiver running.
      for (const id of strace === undefined ? [pid] : childrenOf(pid)) process.kill(id, signal);
    }
    await ended;
  };
  try {
    return await work({ receiver: await ready, end });
  } finally {
    await end('SIGKILL');
  }
}

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
}

/** @throws where something sent and answered 200 is not there, before or after another start. */
export async function requireAll(folder: string, load: SteadyLoad): Promise<number> {
  const count = await requireStored(folder, load);
  await withReceiver(folder, {}, ({ end }) => end('SIGTERM'));
  await requireStored(folder, load);
  return count;
}

async function requireStored(folder: string, load: SteadyLoad): Promise<number> {
  const { faults, ids, audit } = await checkStore(folder, load.events);
  const found = Object.entries(faults).filter(([, list]) => list.length > 0);
  if (found.length > 0 || Object.keys(faults).length !== Object.keys(NO_FAULTS).length)
    throw new Error(`the store does not hold: ${JSON.stringify(Object.fromEntries(found)).slice(0, 500)}`);
  if (!audit.ok) throw new Error(`the audit log does not hold: ${JSON.stringify(audit.fault)}`);
  return ids.size;
}

/** @throws where an answer is neither 200 nor 503 with Retry-After. Gives how many were 503. */
export function requireAnswers(load: SteadyLoad): number {
  const refused = load.answers.filter(({ status }) => status !== 200);
  const wrong = refused.find(({ status, retryAfter }) => status !== 503 || retryAfter === undefined);
  if (wrong !== undefined) throw new Error(`answered ${wrong.status}, Retry-After ${String(wrong.retryAfter)}`);
  return refused.length;
}

export async function until(condition: () => boolean, what: string): Promise<void> {
  const patience = AbortSignal.timeout(PATIENCE_MS);
  while (!condition()) {
    if (patience.aborted) throw new Error(`waited in vain: ${what}`);
    await pause(LOOK_MS);
  }
}

/** Gives what the command said where it succeeded, else nothing. */
export function run(command: string, ...words: readonly string[]): string | undefined {
  const { status, stdout } = spawnSync(command, words, { encoding: 'utf8' });
  return status === 0 ? stdout : undefined;
}
