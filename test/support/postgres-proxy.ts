import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** How a statement and the answer of its completion end in PostgreSQL's protocol. */
const COMMIT = Buffer.from('COMMIT\0');
/** Bytes before it: the message's kind and length. */
const MESSAGE_HEAD = 5;

export type Direction = 'to-server' | 'to-client';

/** When to cut: before the server is told, at once after, or when it has said that it is done. */
export type CommitCut = 'before' | 'during' | 'after';

interface Line {
  readonly client: Socket;
  readonly upstream: Socket;
  /** Bytes that may still pass. */
  readonly left: Record<Direction, number>;
  isCommitting: boolean;
}

/** A TCP proxy in front of PostgreSQL that fails as networks do. */
export class PostgresProxy {
  readonly port: number;
  readonly #server: Server;
  readonly #lines = new Set<Line>();
  readonly #forgotten = new Set<Socket>();
  #isFrozen = false;
  #cut: { readonly when: CommitCut; readonly done: () => void } | undefined;

  private constructor(server: Server, port: number, target: number) {
    this.port = port;
    this.#server = server;
    server.on('connection', (client) => this.#join(client, target));
  }

  /** @param target the port of PostgreSQL on this machine */
  static async open(target: number): Promise<PostgresProxy> {
    // One side that ends is told to the other side behind what it sent before, not at once.
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new PostgresProxy(server, (server.address() as AddressInfo).port, target);
  }

  /** The same database by way of this proxy. */
  through(url: string): string {
    const changed = new URL(url);
    changed.port = String(this.port);
    return changed.href;
  }

  get connections(): number {
    return this.#lines.size;
  }

  /** Resets the connection on which the next COMMIT goes to the server. Resolves when it has done so. */
  cutNextCommit(when: CommitCut): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#cut = { when, done: resolve };
    return promise;
  }

  /** Resets one connection after that many more bytes in this direction. */
  cutAfter(index: number, direction: Direction, bytes: number): void {
    const line = [...this.#lines][index % this.#lines.size];
    if (line !== undefined) line.left[direction] = bytes;
  }

  cutAll(): void {
    for (const line of this.#lines) reset(line);
  }

  /** Nothing passes any more, and nobody is told; what comes meanwhile passes after `thaw`, as after a partition. */
  freeze(): void {
    this.#isFrozen = true;
    for (const { client, upstream } of this.#lines) {
      client.pause();
      upstream.pause();
    }
  }

  thaw(): void {
    this.#isFrozen = false;
    for (const { client, upstream } of this.#lines) {
      client.resume();
      upstream.resume();
    }
  }

  /** The server is told that the connections of now have ended, the clients are not, as after a failover: they write, and
   * nobody answers. New ones work. */
  forget(): void {
    for (const { client, upstream } of this.#lines) {
      for (const socket of [client, upstream]) socket.removeAllListeners().on('error', () => undefined);
      client.pause();
      upstream.destroy();
      this.#forgotten.add(client);
    }
    this.#lines.clear();
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.cutAll();
    for (const client of this.#forgotten) client.destroy();
    await closed;
  }

  #join(client: Socket, target: number): void {
    const upstream = connect({ port: target, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    const unlimited = { 'to-server': Number.POSITIVE_INFINITY, 'to-client': Number.POSITIVE_INFINITY };
    const line: Line = { client, upstream, left: unlimited, isCommitting: false };
    this.#lines.add(line);
    this.#pump(line, client, upstream, 'to-server');
    this.#pump(line, upstream, client, 'to-client');
    if (this.#isFrozen) this.freeze();
  }

  #pump(line: Line, from: Socket, to: Socket, direction: Direction): void {
    from.on('data', (chunk: Buffer) => this.#pass(line, to, direction, chunk));
    from.on('end', () => to.end());
    // Whichever end is gone, so is the line; a reset is told as a reset.
    from.on('error', () => reset(line));
    from.on('close', () => {
      this.#lines.delete(line);
      to.end();
    });
    to.on('drain', () => {
      if (!this.#isFrozen) from.resume();
    });
  }

  #pass(line: Line, to: Socket, direction: Direction, chunk: Buffer): void {
    if (this.#cutsCommit(line, direction, chunk)) return;
    const left = line.left[direction];
    if (chunk.byteLength > left) {
      to.write(chunk.subarray(0, left), () => reset(line));
      return;
    }
    line.left[direction] = left - chunk.byteLength;
    if (!to.write(chunk)) (to === line.client ? line.upstream : line.client).pause();
  }

  /** Whether the line ends here. */
  #cutsCommit(line: Line, direction: Direction, chunk: Buffer): boolean {
    const at = chunk.indexOf(COMMIT);
    if (this.#cut === undefined || at === -1) return false;
    const { when, done } = this.#cut;
    if (direction === 'to-server') {
      line.isCommitting = true;
      if (when === 'after') return false;
      const end = when === 'before' ? at - MESSAGE_HEAD : at + COMMIT.byteLength;
      line.upstream.write(chunk.subarray(0, Math.max(0, end)), () => reset(line));
    } else {
      if (when !== 'after' || !line.isCommitting) return false;
      reset(line);
    }
    this.#cut = undefined;
    done();
    return true;
  }
}

function reset({ client, upstream }: Line): void {
  client.resetAndDestroy();
  upstream.resetAndDestroy();
}
