import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { type Launch, launchReceiver } from '../../test/support/spawn-receiver.ts';

export type Role = 'receiver' | 'worker';

/** Milliseconds from the start of a process until it receives, on a machine that is busy. */
const READY_WITHIN_MS = 60_000;
const LOOK_MS = 50;
/** Milliseconds for an answer to us. */
const ANSWER_MS = 5_000;
/** Milliseconds for a stop; the service promises 10 s. */
const STOP_WITHIN_MS = 15_000;

/** Ends with us even where we are killed; not every machine has it. */
const DIES_WITH_US = ['setpriv', '--pdeathsig', 'KILL'];
const UNDER = spawnSync('setpriv', ['--pdeathsig', 'KILL', 'true']).status === 0 ? DIES_WITH_US : [];

/** One process of the service, with a folder and a port that it keeps over its restarts. */
export class Service {
  readonly role: Role;
  readonly folder: string;
  readonly port: number;
  readonly #env: NodeJS.ProcessEnv;
  #launch: Launch | undefined;

  constructor(role: Role, folder: string, port: number, env: NodeJS.ProcessEnv) {
    this.role = role;
    this.folder = folder;
    this.port = port;
    this.#env = { ...env, ROLE: role, PORT: String(port) };
    mkdirSync(folder, { recursive: true });
  }

  /** Starts it without waiting for it. */
  launch(): void {
    this.#launch = launchReceiver(this.folder, this.#env, { under: UNDER });
  }

  /** Resolves once it answers. */
  async ready(): Promise<void> {
    const deadline = performance.now() + READY_WITHIN_MS;
    while (!(await this.#answers())) {
      const { child, ready } = this.#running();
      // It tells what it said last.
      if (child.exitCode !== null || child.signalCode !== null) await ready;
      if (performance.now() > deadline) throw new Error(`the ${this.role} was not ready in time`);
      await pause(LOOK_MS);
    }
  }

  async start(): Promise<void> {
    this.launch();
    await this.ready();
  }

  /** Resolves when it is gone. */
  async kill(): Promise<void> {
    await this.#launch?.stop();
  }

  /** @throws where it does not end as it should */
  async stop(): Promise<void> {
    const { child, ended } = this.#running();
    child.kill('SIGTERM');
    const how = await within(ended, STOP_WITHIN_MS, `the ${this.role} to stop`);
    if (how !== 0) throw new Error(`the ${this.role} ended with ${String(how)}`);
  }

  #running(): Launch {
    if (this.#launch === undefined) throw new Error('it was not started');
    return this.#launch;
  }

  async #answers(): Promise<boolean> {
    return (await this.get('/healthz')) !== undefined;
  }

  /** What it answers 200; `undefined` where it does not. */
  async get(path: string): Promise<string | undefined> {
    try {
      const answer = await fetch(`http://127.0.0.1:${this.port}${path}`, { signal: AbortSignal.timeout(ANSWER_MS) });
      return answer.ok ? await answer.text() : undefined;
    } catch {
      // Who asks asks again.
      return undefined;
    }
  }

  /** Whether its events go to PostgreSQL, and to no spill. */
  async isDirect(): Promise<boolean> {
    return /"status":"ok"/.test((await this.get('/readyz')) ?? '');
  }

  /** Events that it keeps to itself; `undefined` where it does not say. */
  async spilledEvents(): Promise<number | undefined> {
    const value = /^instantly_spilled_events (\d+)$/m.exec((await this.get('/metrics')) ?? '')?.[1];
    return value === undefined ? undefined : Number(value);
  }
}

/** Rejects where it takes longer than that. */
export async function within<T>(work: Promise<T>, limitMs: number, what: string): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`waited in vain for ${what}`)), limitMs);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}
