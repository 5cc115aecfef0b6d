import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** Strangers who connect at once while this many are still connecting make the system drop connections. */
const CONNECTING_AT_ONCE = 100;

export interface Habits {
  readonly port: number;
  readonly connections: number;
  /** They connect from 127.x.y.z, in turn. */
  readonly addresses: number;
  /** What each sends at once. */
  readonly start: Uint8Array;
  /** What each sends then, again and again. */
  readonly more?: Uint8Array;
  readonly everyMs?: number;
  /** A stranger whose connection has ended comes again, after so many milliseconds (1). */
  readonly comesAgain?: boolean;
  readonly afterMs?: number;
  /** Answers are left in the receiver's buffers. */
  readonly neverReads?: boolean;
}

/** Strangers who begin requests and take their time, or do not. */
export class Crowd {
  readonly #habits: Habits;
  readonly #sockets = new Set<Socket>();
  readonly #timer: NodeJS.Timeout | undefined;
  #isOver = false;
  /** Connections that the receiver has ended. */
  ended = 0;
  /** The first bytes of the answers, by how often each came. */
  readonly answers = new Map<string, number>();

  constructor(habits: Habits) {
    this.#habits = habits;
    const { more, everyMs } = habits;
    if (more === undefined || everyMs === undefined) return;
    this.#timer = setInterval(() => {
      for (const socket of this.#sockets) if (socket.writable && socket.writableLength === 0) socket.write(more);
    }, everyMs);
  }

  /** Resolves when all have come and sent what they send at once. */
  async gather(): Promise<this> {
    const { connections } = this.#habits;
    for (let from = 0; from < connections; from += CONNECTING_AT_ONCE) {
      const batch = Array.from({ length: Math.min(CONNECTING_AT_ONCE, connections - from) }, (_, at) => from + at);
      await Promise.all(batch.map((stranger) => this.#come(stranger)));
    }
    return this;
  }

  get present(): number {
    return this.#sockets.size;
  }

  leave(): void {
    this.#isOver = true;
    clearInterval(this.#timer);
    for (const socket of this.#sockets) socket.destroy();
  }

  #come(stranger: number): Promise<void> {
    const { port, addresses, start, comesAgain = false, afterMs = 1, neverReads = false } = this.#habits;
    const address = stranger % addresses;
    const localAddress = `127.1.${address >> 8}.${address & 255}`;
    const socket = connect({ port, host: '127.0.0.1', localAddress, noDelay: true });
    this.#sockets.add(socket);
    socket.on('error', () => socket.destroy());
    if (neverReads) socket.pause();
    else socket.on('data', (chunk: Buffer) => this.#count(chunk.toString('latin1').slice(9, 12)));
    return new Promise((resolve) => {
      socket.once('connect', () => socket.write(start, () => resolve()));
      socket.once('close', () => {
        this.#sockets.delete(socket);
        resolve();
        if (this.#isOver) return;
        this.ended += 1;
        if (comesAgain) void pause(afterMs).then(() => (this.#isOver ? undefined : this.#come(stranger)));
      });
    });
  }

  #count(status: string): void {
    this.answers.set(status, (this.answers.get(status) ?? 0) + 1);
  }
}
