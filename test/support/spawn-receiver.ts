import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CapturedLog } from './capture-log.ts';
import { BOTH_SCHEMES, makeFolder } from './start-receiver.ts';

const ENTRY = fileURLToPath(new URL('../../bin/instantly-receiver.js', import.meta.url));

export interface ReceiverProcess {
  readonly child: ChildProcess;
  readonly log: CapturedLog;
  readonly folder: string;
  /** The SQLite file. */
  readonly file: string;
  readonly port: number;
  /** Without a slash at its end. */
  readonly url: string;
  /** All of it so far. */
  stderr(): string;
  /** Resolves with the exit code, or the signal's name. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
  /** Ends it if it still runs, and removes the folder where it was made for it. */
  stop(): Promise<void>;
}

/** What npm start runs, as a process of its own, on a port and in a folder of its own. */
export async function spawnReceiver(env: NodeJS.ProcessEnv = BOTH_SCHEMES): Promise<ReceiverProcess> {
  const folder = makeFolder();
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    const receiver = await spawnReceiverIn(folder, env);
    return { ...receiver, stop: () => receiver.stop().finally(remove) };
  } catch (error) {
    remove();
    throw error;
  }
}

/** The same in a folder that stays, for one that comes after it. */
export async function spawnReceiverIn(folder: string, env: NodeJS.ProcessEnv = BOTH_SCHEMES): Promise<ReceiverProcess> {
  const { ready, stop } = launchReceiver(folder, env);
  try {
    return await ready;
  } catch (error) {
    await stop();
    throw error;
  }
}

export interface Launch extends Pick<ReceiverProcess, 'child' | 'log' | 'ended' | 'stop'> {
  /** Resolves when it receives; rejects when it ends before that. */
  readonly ready: Promise<ReceiverProcess>;
}

/**
 * The same for those who do not wait until it receives.
 *
 * @param entry the program's file, of another checkout
 * @param under a program and its words that run what follows them
 */
export function launchReceiver(
  folder: string,
  env: NodeJS.ProcessEnv = BOTH_SCHEMES,
  { entry = ENTRY, under = [] }: { readonly entry?: string; readonly under?: readonly string[] } = {},
): Launch {
  const [program = process.execPath, ...words] = [...under, process.execPath, entry, 'serve'];
  const child = spawn(program, words, {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { HOST: '127.0.0.1', PORT: '0', ...env },
  });
  const log = new CapturedLog();
  const stderr = collect(child, log);
  const ended = once(child, 'close').then(
    ([code, signal]: (number | NodeJS.Signals | null)[]) => code ?? signal ?? null,
  );
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await ended;
  };
  const file = join(folder, 'data', 'receiver.db');
  const ready = Promise.race([readPort(log), ended.then((how) => failed(how, stderr()))]).then((port) => {
    return { child, log, folder, file, port, url: `http://127.0.0.1:${port}`, stderr, ended, stop };
  });
  // Whoever kills it during its start does not wait for it.
  ready.catch(() => undefined);
  return { child, log, ended, stop, ready };
}

function collect(child: ChildProcess, log: CapturedLog): () => string {
  let rest = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    const whole = (rest + text).lastIndexOf('\n') + 1;
    const lines = (rest + text).slice(0, whole);
    rest = (rest + text).slice(whole);
    if (lines !== '') log.write(lines);
  });
  let errors = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  return () => errors;
}

async function readPort(log: CapturedLog): Promise<number> {
  const { port } = await log.waitForMessage('receiving');
  return Number(port);
}

function failed(how: unknown, stderr: string): never {
  throw new Error(`the receiver ended with ${String(how)} before it was ready:\n${stderr}`);
}
