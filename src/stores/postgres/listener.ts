import { setTimeout as pause } from 'node:timers/promises';
import type pg from 'pg';
import { endConnection } from './connect.ts';
import { HOLD_OWNER } from './recover-leases.ts';
import type { Server } from './server.ts';
import { runOn } from './transaction.ts';

const CHANNEL = 'instantly_receiver';
/** Milliseconds between two notifications of this process: one wakes everybody for all that came meanwhile. */
const NOTIFY_MS = 20;
/** Milliseconds after which everybody looks though nobody was notified: a notification is a hint, the table is the truth. */
const POLL_MS = 2_500;
/** Milliseconds for the answer that shows that the connection is one still. */
const ALIVE_MS = 2_500;
const RECONNECT_MS = 500;
/** The types do not know that one query may have a limit of its own. */
const ASK: pg.QueryConfig & { readonly query_timeout: number } = { text: 'SELECT 1', query_timeout: ALIVE_MS };

/**
 * The connection that hears other processes and lets them hear this one. It also holds the owner's lock, by which others see
 * that this process lives. Notifications are sent here and not inside the transactions they tell of, because those that
 * notify commit one after the other, however many there are.
 */
export class Listener {
  readonly #server: Server;
  readonly #owner: string;
  readonly #listeners = new Set<() => void>();
  readonly #end = new AbortController();
  #client: pg.Client | undefined;
  #notifying: NodeJS.Timeout | undefined;
  #mustNotifyAgain = false;
  #running: Promise<void> | undefined;

  constructor(server: Server, owner: string) {
    this.#server = server;
    this.#owner = owner;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  add(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** At once, and then at most every 20 ms. */
  notify(): void {
    if (this.#notifying !== undefined) {
      this.#mustNotifyAgain = true;
      return;
    }
    this.#mustNotifyAgain = false;
    // Where it cannot be sent, the others' poll finds what it would have told them.
    this.#client?.query('SELECT pg_notify($1, $2)', [CHANNEL, this.#owner]).catch(() => undefined);
    this.#notifying = setTimeout(() => {
      this.#notifying = undefined;
      if (this.#mustNotifyAgain) this.notify();
    }, NOTIFY_MS);
  }

  /** What was to be told is told first. */
  async close(): Promise<void> {
    clearTimeout(this.#notifying);
    this.#notifying = undefined;
    if (this.#mustNotifyAgain) this.notify();
    clearTimeout(this.#notifying);
    this.#end.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#end;
    while (!signal.aborted) {
      try {
        const client = await this.#listen();
        const lost = new Promise<void>((resolve) => client.once('end', resolve));
        this.#tell();
        await this.#pollUntil(client, lost);
        this.#client = undefined;
        await endConnection(client);
      } catch {
        // The server is away; others say so, and it is tried again.
        this.#client = undefined;
      }
      await this.#wait(RECONNECT_MS);
    }
  }

  async #listen(): Promise<pg.Client> {
    const client = await this.#server.connect();
    try {
      client.on('notification', ({ payload }) => {
        if (payload !== this.#owner) this.#tell();
      });
      await runOn(client).all(HOLD_OWNER, this.#owner);
      await client.query(`LISTEN ${CHANNEL}`);
      this.#client = client;
      return client;
    } catch (error) {
      await endConnection(client);
      throw error;
    }
  }

  async #pollUntil(client: pg.Client, lost: Promise<void>): Promise<void> {
    let isLost = false;
    void lost.then(() => {
      isLost = true;
    });
    while (!isLost && !this.#end.signal.aborted) {
      await Promise.race([lost, this.#wait(POLL_MS)]);
      // A connection that was cut without a word looks open: only a question tells, and whoever is deaf has lost the owner's
      // lock too. It rejects when no answer comes.
      if (!isLost) await client.query(ASK);
      this.#tell();
    }
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }

  async #wait(milliseconds: number): Promise<void> {
    try {
      await pause(milliseconds, undefined, { signal: this.#end.signal });
    } catch {
      // Aborted: the store is closing.
    }
  }
}
