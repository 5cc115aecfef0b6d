import { EventEmitter, once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type RawAnswer, takeAnswer } from './parse-answer.ts';

const PATIENCE_MS = 30_000;

/** A TCP connection that says exactly what it is told to, and reads HTTP answers. */
export class RawClient {
  readonly socket: Socket;
  /** When the connection has ended, whichever side ended it. */
  readonly closed: Promise<void>;
  readonly #changes = new EventEmitter();
  #received: Buffer = Buffer.alloc(0);
  #isClosed = false;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#changes.emit('change');
    });
    // A reset is one of the ways a server cuts a line; 'close' follows.
    socket.on('error', () => socket.destroy());
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.#isClosed = true;
        this.#changes.emit('change');
        resolve();
      });
    });
  }

  static async connect(port: number, host = '127.0.0.1'): Promise<RawClient> {
    const socket = connect({ port, host, noDelay: true });
    await once(socket, 'connect', { signal: AbortSignal.timeout(PATIENCE_MS) });
    return new RawClient(socket);
  }

  send(bytes: string | Uint8Array): this {
    if (this.socket.writable) this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
    return this;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Bytes that have come and belong to no answer taken. */
  get received(): Buffer {
    return this.#received;
  }

  /** The next answer; `undefined` where the connection ended before it was whole. */
  async answer(method = 'POST'): Promise<RawAnswer | undefined> {
    for (;;) {
      const taken = takeAnswer(this.#received, this.#isClosed, method);
      if (taken !== undefined) {
        this.#received = taken.rest;
        return taken.answer;
      }
      if (this.#isClosed) return undefined;
      await once(this.#changes, 'change', { signal: AbortSignal.timeout(PATIENCE_MS) });
    }
  }

  /** Goes away without a word more. */
  destroy(): void {
    this.socket.destroy();
  }
}
