import { existsSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { TOKEN } from '../../test/support/credentials.ts';
import { freePort } from '../../test/support/free-port.ts';
import { type GuardedFolder, guardFolder } from '../../test/support/guard-folder.ts';
import { createTestDatabase, type TestDatabase } from '../../test/support/postgres.ts';
import { addressOf } from '../../test/support/postgres-broker.ts';
import { PostgresServer } from '../../test/support/postgres-server.ts';
import { type Ran, runCommand } from '../../test/support/run-command.ts';
import { HANDLERS, notesFile, writeHandlers } from './handlers.ts';
import { Service } from './service.ts';

const MAX_CONNECTIONS = 80;
/** Milliseconds in which something has to come nearer to its end while not everything that was accepted is delivered; and those
 * after which all of it has to be. How long it takes tells of the machine: few leads, whose deliveries follow each other. */
const STALLED_MS = 60_000;
const QUIET_WITHIN_MS = 1_200_000;
/** Milliseconds in which receivers have moved their spill while more is coming. */
const RECOVERS_WITHIN_MS = 60_000;
const LOOK_MS = 250;

/** What the services are about to be started on. */
export interface Ground {
  readonly folder: string;
  readonly server: PostgresServer;
  readonly database: TestDatabase;
}

/** What a trial puts around the services. */
export interface Surroundings {
  /** More settings of each service, such as another DATABASE_URL. */
  readonly env?: NodeJS.ProcessEnv;
  /** Where the receivers' folders lie, where not beside the rest. */
  readonly receiversIn?: string;
  /** Takes it away again. */
  readonly release?: () => Promise<void>;
}

export interface SiteOptions {
  readonly maxConnections?: number;
}

const sites = new Set<Site>();

/** Ends whatever is open, for a programme that has to stop. */
export async function closeSites(): Promise<void> {
  await Promise.all([...sites].map((site) => site.close()));
}

/** Two receivers and two workers, processes of their own, on a PostgreSQL of their own that syncs its disk. */
export class Site<Around extends Surroundings = Surroundings> {
  readonly server: PostgresServer;
  readonly database: TestDatabase;
  readonly around: Around;
  readonly receivers: readonly Service[];
  readonly workers: readonly Service[];
  readonly #folder: GuardedFolder;
  readonly #env: NodeJS.ProcessEnv;

  private constructor(ground: Ground, folder: GuardedFolder, around: Around, ports: readonly number[]) {
    const [one = 0, two = 0, three = 0, four = 0] = ports;
    this.server = ground.server;
    this.database = ground.database;
    this.around = around;
    this.#folder = folder;
    sites.add(this);
    this.#env = { ...environment(ground), ...around.env };
    const place = (name: string): string => join(around.receiversIn ?? folder.path, name);
    this.receivers = [
      new Service('receiver', place('receiver-1'), one, this.#env),
      new Service('receiver', place('receiver-2'), two, this.#env),
    ];
    this.workers = [
      new Service('worker', join(folder.path, 'worker-1'), three, this.#env),
      new Service('worker', join(folder.path, 'worker-2'), four, this.#env),
    ];
  }

  static async open<Around extends Surroundings>(
    prepare: (ground: Ground) => Promise<Around>,
    { maxConnections = MAX_CONNECTIONS }: SiteOptions = {},
  ): Promise<Site<Around>> {
    const folder = guardFolder('receiver-chaos-');
    const opened: (() => Promise<unknown>)[] = [() => folder.remove()];
    try {
      const settings = { max_connections: maxConnections };
      const server = await PostgresServer.start({ durable: true, settings });
      opened.unshift(() => server.remove());
      const database = await createTestDatabase(addressOf(server));
      opened.unshift(() => database.close());
      const ground = { folder: folder.path, server, database };
      const around = await prepare(ground);
      opened.unshift(async () => around.release?.());
      writeHandlers(folder.path);
      const ports = [await freePort(), await freePort(), await freePort(), await freePort()];
      const site = new Site(ground, folder, around, ports);
      opened.unshift(() => site.killServices());
      // The workers first: receivers learn from them which handlers there are.
      await Promise.all(site.workers.map((worker) => worker.start()));
      await Promise.all(site.receivers.map((receiver) => receiver.start()));
      return site;
    } catch (error) {
      for (const close of opened) await close();
      throw error;
    }
  }

  get services(): Service[] {
    return [...this.receivers, ...this.workers];
  }

  get ports(): number[] {
    return this.receivers.map(({ port }) => port);
  }

  /** A command of the service. */
  run(...words: string[]): Promise<Ran> {
    const env = { ...this.#env, DATABASE_URL: this.database.url };
    return runCommand(this.receivers[0]?.folder ?? '', words, { env });
  }

  /** Resolves when each receiver stores in PostgreSQL again, load or not. */
  async recovered(): Promise<void> {
    const deadline = performance.now() + RECOVERS_WITHIN_MS;
    for (const receiver of this.receivers) {
      while (!(await receiver.isDirect())) {
        if (performance.now() > deadline) throw new Error('a receiver did not come back to PostgreSQL under load');
        await pause(LOOK_MS);
      }
    }
  }

  /** Resolves when no receiver keeps an event to itself and no delivery is unfinished. */
  async quiet(): Promise<void> {
    const started = performance.now();
    let least = { left: Number.POSITIVE_INFINITY, at: started };
    for (;;) {
      const { left, what } = await this.#unfinished();
      if (left === 0) return;
      const now = performance.now();
      if (left < least.left) least = { left, at: now };
      if (now - least.at > STALLED_MS || now - started > QUIET_WITHIN_MS) {
        const seconds = Math.round((now - started) / 1_000);
        throw new Error(`unfinished: ${what}, ${seconds} s after the load`);
      }
      await pause(LOOK_MS);
    }
  }

  /** The ids that a handler has noted. */
  notes(handler: string): Set<string> {
    const file = notesFile(this.#folder.path, handler);
    return new Set(existsSync(file) ? readFileSync(file, 'utf8').split('\n') : []);
  }

  /** Ends all of it, whatever state it is in. */
  async close(): Promise<void> {
    if (!sites.delete(this)) return;
    await this.killServices();
    await this.around.release?.();
    await this.database.close();
    await this.server.remove();
    await this.#folder.remove();
  }

  /** SIGKILL to whichever still run. */
  async killServices(): Promise<void> {
    await Promise.all(this.services.map((service) => service.kill()));
  }

  async #unfinished(): Promise<{ readonly left: number; readonly what: string }> {
    let spilled = 0;
    for (const receiver of this.receivers) {
      const events = await receiver.spilledEvents();
      // It does not say: whatever it has is still to be moved.
      if (events === undefined) return { left: Number.POSITIVE_INFINITY, what: 'a receiver that does not answer' };
      spilled += events;
    }
    const [row] = await this.database.query<{ n: string }>(
      `SELECT count(*) AS n FROM deliveries WHERE state IN ('pending', 'running')`,
    );
    const deliveries = Number(row?.n ?? 0);
    // A spilled event becomes deliveries of as many handlers as there are, so it weighs more than they do.
    const left = spilled * (HANDLERS.length + 1) + deliveries;
    return { left, what: `${spilled} events in spills and ${deliveries} deliveries to make` };
  }
}

function environment({ folder, database }: Ground): NodeJS.ProcessEnv {
  return {
    DATABASE_URL: database.url,
    HANDLERS_DIR: join(folder, 'handlers'),
    INSTANTLY_WEBHOOK_TOKEN: TOKEN,
    AUDIT_KEY: 'the audit key of the chaos programme',
    LOG_LEVEL: 'info',
    MIN_FREE_DISK: '1mb',
    // Half of a start is compiling, and there are hundreds.
    NODE_COMPILE_CACHE: join(tmpdir(), 'receiver-compile-cache'),
    // A lease that is lost is for this long, and has to come back before the account is settled.
    HANDLER_TIMEOUT_SECONDS: '5',
    HANDLER_BACKOFF_BASE_SECONDS: '1',
  };
}
