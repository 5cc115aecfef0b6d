import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { freePort } from './free-port.ts';
import { type GuardedFolder, guardFolder } from './guard-folder.ts';
import { findPrograms, type PostgresPrograms } from './postgres-programs.ts';

/** Milliseconds until a start is given up; after a kill, the sessions of the one before have to end first. */
const START_WITHIN_MS = 30_000;
const RETRY_MS = 100;
/** Milliseconds in which a shutdown ends by itself. */
const STOP_WITHIN_MS = 30_000;
const LINES_KEPT = 30;

export interface PostgresOptions {
  /** Whether commits survive a crash of the machine too, at the cost of time. */
  readonly durable?: boolean;
  /** More settings of the server. */
  readonly settings?: Readonly<Record<string, string | number>>;
}

export type ShutdownSignal = 'SIGINT' | 'SIGQUIT' | 'SIGKILL';

/** The role that the databases belong to, as a receiver's would: it may do nothing else. */
export const OWNER = 'receiver';

/** A real PostgreSQL of our own: on a free port of the loopback, with a random password, in a folder that goes with it. */
export class PostgresServer {
  readonly folder: GuardedFolder;
  readonly #programs: PostgresPrograms;
  readonly #words: readonly string[];
  readonly #password = randomBytes(16).toString('hex');
  #port = 0;
  #child: ChildProcess | undefined;
  #ended: Promise<unknown> = Promise.resolve();
  /** What it said last, for whoever has to find out why it does not start. */
  readonly #lines: string[] = [];

  private constructor(folder: GuardedFolder, programs: PostgresPrograms, { durable, settings }: PostgresOptions) {
    this.folder = folder;
    this.#programs = programs;
    this.#words = Object.entries({
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      max_connections: 400,
      // Statements that fail on purpose would fill the log.
      log_min_messages: 'log',
      ...(durable ? {} : { fsync: 'off', full_page_writes: 'off' }),
      ...settings,
    }).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  }

  /** In a folder of its own, or in one that is there already and goes with the server too. */
  static async start(
    options: PostgresOptions = {},
    folder = guardFolder('receiver-postgres-'),
  ): Promise<PostgresServer> {
    try {
      const server = new PostgresServer(folder, findPrograms(folder.path), options);
      server.#initialise(options.durable === true);
      server.#port = await freePort();
      await server.start();
      await server.#createOwner();
      return server;
    } catch (error) {
      await folder.remove();
      throw error;
    }
  }

  get port(): number {
    return this.#port;
  }

  /** Of the superuser. */
  adminUrl(database = 'postgres'): string {
    return this.#url('postgres', database);
  }

  ownerUrl(database: string): string {
    return this.#url(OWNER, database);
  }

  /** Starts it where it is down; resolves once it takes connections. */
  async start(): Promise<void> {
    const deadline = performance.now() + START_WITHIN_MS;
    while (!(await this.#launch())) {
      if (performance.now() > deadline) throw new Error(`PostgreSQL does not start:\n${this.#lines.join('\n')}`);
      await pause(RETRY_MS);
    }
  }

  /** Ends it; its data stays. SIGKILL ends the main process alone, as the kernel would. */
  async halt(signal: ShutdownSignal = 'SIGINT'): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGQUIT'), STOP_WITHIN_MS);
    await this.#ended;
    clearTimeout(timer);
  }

  /** Ends it and removes all that was its own. */
  async remove(): Promise<void> {
    // Without a look at its data: nobody will need them.
    await this.halt('SIGQUIT');
    await this.folder.remove();
  }

  get #data(): string {
    return join(this.folder.path, 'data');
  }

  #url(user: string, database: string): string {
    return `postgres://${user}:${this.#password}@127.0.0.1:${this.#port}/${database}`;
  }

  #initialise(durable: boolean): void {
    const { initdb, user } = this.#programs;
    const passwordFile = join(this.folder.path, 'password');
    mkdirSync(this.#data, { mode: 0o700 });
    writeFileSync(passwordFile, this.#password, { mode: 0o600 });
    if (user.uid !== undefined && user.gid !== undefined) {
      for (const path of [this.#data, passwordFile]) chownSync(path, user.uid, user.gid);
    }
    const words = ['--username=postgres', `--pwfile=${passwordFile}`, '--auth=scram-sha-256'];
    // The same on every machine, and messages in English.
    words.push('--encoding=UTF8', '--locale=C', ...(durable ? [] : ['--no-sync']));
    const ran = spawnSync(initdb, [`--pgdata=${this.#data}`, ...words], { ...user, encoding: 'utf8', cwd: '/' });
    if (ran.status !== 0) throw new Error(`${initdb} failed: ${ran.error?.message ?? ran.stderr}`);
  }

  /** Whether it came up. */
  async #launch(): Promise<boolean> {
    const { postgres, user } = this.#programs;
    const child = spawn(postgres, ['-D', this.#data, '-p', String(this.#port), ...this.#words], {
      ...user,
      cwd: '/',
      // A Ctrl-C is for those who use it; they end it.
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.folder.watch(child.pid);
    this.#child = child;
    // Not 'close': sessions that outlive a killed main process keep its pipe open.
    const ended = once(child, 'exit').then(() => {
      this.#child = undefined;
      this.folder.watch(undefined);
    });
    this.#ended = ended;
    const ready = new Promise<boolean>((resolve) => {
      createInterface(child.stderr).on('line', (line) => {
        this.#lines.push(line);
        this.#lines.splice(0, this.#lines.length - LINES_KEPT);
        if (line.includes('ready to accept connections')) resolve(true);
      });
    });
    return Promise.race([ready, ended.then(() => false)]);
  }

  async #createOwner(): Promise<void> {
    const client = new pg.Client({ connectionString: this.adminUrl() });
    await client.connect();
    try {
      await client.query(`CREATE ROLE ${OWNER} LOGIN PASSWORD '${this.#password}'`);
    } finally {
      await client.end();
    }
  }
}
