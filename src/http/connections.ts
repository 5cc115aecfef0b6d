import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { ipKeyGenerator } from 'express-rate-limit';
import { monotonicMilliseconds } from '../inbox/clock.ts';
import { type Exchange, exchangeOf } from './exchange.ts';
import { connectionAddress } from './read-address.ts';

/** The block that one customer is commonly given at the least. */
const IPV6_BITS = 64;
/** Requests of one connection that may wait for their answers; none of ours sends more than one at once. */
const MAX_UNANSWERED = 16;
/** Bytes of answers that clients have not read: of one connection, and of all. */
const MAX_UNREAD_BYTES = 1024 * 1024;
const MAX_UNREAD_BYTES_IN_ALL = 16 * MAX_UNREAD_BYTES;
/** A client that has read none of its waiting answers for so long has stopped reading. */
const MAX_UNREAD_MS = 5_000;
/** A new connection has so long to send its header fields before it counts as idle. */
const GRACE_MS = 1_000;
/** Where connections run short, this part of them is given up at once, so that not every newcomer looks through them all. */
const GIVEN_UP_AT_ONCE = 1 / 64;

export interface Asked {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

export class Connection {
  readonly socket: Socket;
  readonly addressKey: string;
  /** Monotonic milliseconds. */
  readonly openedAt = monotonicMilliseconds();
  /** The newest request that reached the application. */
  newest: Asked | undefined;
  /** What else comes on it is ignored: it asked for more than may wait, or its newest answer ends it. */
  isCut = false;
  /** What came was no request. All that follows is part of the same fault. */
  isBroken = false;
  #wasProven = false;
  /** Bytes of answers that the system has taken, and when that was first seen. */
  #taken: { readonly bytes: number; readonly at: number } | undefined;
  /** In the order of the requests, which is that of the answers. */
  readonly #unanswered: ServerResponse[] = [];
  readonly #onAnswered = (): void => void this.#unanswered.shift();
  /** Not begun yet: what came in one segment begins one by one, in turn with the other connections. */
  readonly #waiting: { readonly asked: Asked; readonly begin: () => void }[] = [];
  /** The newest that has begun. */
  #begun: Asked | undefined;
  readonly #beginNext = (): void => {
    if (this.#waiting.length > 0) this.#endWhereLast();
    const next = this.#waiting.shift();
    if (next === undefined) return;
    this.#wasProven = this.isProven;
    this.#begun = next.asked;
    next.begin();
    if (this.#waiting.length > 0) setImmediate(this.#beginNext);
  };

  constructor(socket: Socket) {
    this.socket = socket;
    this.addressKey = ipKeyGenerator(connectionAddress(socket), IPV6_BITS);
  }

  /** Begins with a request at once, or in its turn. `false`: too many wait for their answers already, or the connection is
   * cut. */
  ask(asked: Asked, begin: () => void): boolean {
    if (this.#waiting.length === 0) this.#endWhereLast();
    if (this.isCut || this.#unanswered.length >= MAX_UNANSWERED) return false;
    this.#unanswered.push(asked.response);
    asked.response.on('close', this.#onAnswered);
    this.newest = asked;
    this.#waiting.push({ asked, begin });
    if (this.#unanswered.length === 1) this.#beginNext();
    else if (this.#waiting.length === 1) setImmediate(this.#beginNext);
    return true;
  }

  /** The connection has ended, or what comes is no request: the application has to see all that came before. */
  beginAll(): void {
    while (this.#waiting.length > 0) this.#beginNext();
  }

  /** The connection has ended, and Node has let go of it: ends what waits as Node would, the requests first. */
  abandon(): void {
    for (const { req } of this.#unanswered) req.destroy(new Error('aborted'));
    for (const response of this.#unanswered) response.destroy();
  }

  /** RFC 9112, 9.6: after an answer that ends the connection no request is processed. */
  #endWhereLast(): void {
    const { exchange } = this;
    if (this.isCut || this.#begun === undefined) return;
    const { headersSent, shouldKeepAlive } = this.#begun.response;
    const isLast = exchange?.isLast === true || exchange?.awaitsContinue === true || (headersSent && !shouldKeepAlive);
    if (!isLast) return;
    this.isCut = true;
    this.#waiting.length = 0;
    if (!headersSent) this.#begun.response.setHeader('Connection', 'close');
  }

  get unreadBytes(): number {
    return this.#unanswered.reduce((sum, response) => sum + response.writableLength, 0);
  }

  /** Whether the client has read nothing for too long. To be asked again and again while answers are unread. */
  hasStoppedReading(now: number): boolean {
    const takenBytes = this.socket.bytesWritten - this.socket.writableLength;
    if (takenBytes !== this.#taken?.bytes) this.#taken = { bytes: takenBytes, at: now };
    return now - this.#taken.at > MAX_UNREAD_MS;
  }

  /** Whether anything authentic has come on it. */
  get isProven(): boolean {
    return this.#wasProven || this.exchange?.isProven === true;
  }

  get exchange(): Exchange | undefined {
    return this.#begun && exchangeOf(this.#begun.request);
  }

  /** No request is being received or answered on it, as far as the application knows. */
  get isIdle(): boolean {
    return this.newest === undefined || this.newest.response.closed;
  }

  /** Whether its header fields or its body are arriving as those of a genuine sender do. */
  isMoving(now: number): boolean {
    if (this.newest === undefined) return now - this.openedAt < GRACE_MS;
    return this.exchange?.pending?.isSlow(now) === false;
  }
}

export type GiveUpReason = 'connections-full' | 'address-connections-full' | 'answers-unread';

export interface ConnectionsOptions {
  readonly max: number;
  readonly maxUnprovenPerAddress: number;
  readonly giveUp: (connection: Connection, reason: GiveUpReason) => void;
}

/** In the order of going. `excess`: its address has more unproven connections than its share. */
const RANKS = ['resting-excess', 'moving-excess', 'resting', 'moving', 'proven-idle'] as const;

type Rank = (typeof RANKS)[number];

/** `undefined`: it stays. */
function rankOf(connection: Connection, isExcess: boolean, now: number): Rank | undefined {
  if (connection.isProven) {
    // A proxy sends strangers' requests on the connection that genuine ones came on.
    if (connection.exchange?.pending?.isSlow(now) === true) return 'resting';
    return connection.isIdle ? 'proven-idle' : undefined;
  }
  const isMoving = connection.isMoving(now);
  if (isExcess) return isMoving ? 'moving-excess' : 'resting-excess';
  return isMoving ? 'moving' : 'resting';
}

/**
 * The open connections, the oldest first. Those that have sent nothing authentic make room for newcomers, so that they never
 * keep a genuine sender out.
 */
export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #all = new Map<Socket, Connection>();

  constructor(options: ConnectionsOptions) {
    this.#options = options;
  }

  of(socket: Socket): Connection | undefined {
    return this.#all.get(socket);
  }

  /** Gives up others where there are too many; `undefined`: all others are proven and busy. */
  add(socket: Socket): Connection | undefined {
    if (this.#all.size >= this.#options.max && !this.#makeRoom()) return undefined;
    const connection = new Connection(socket);
    this.#all.set(socket, connection);
    socket.once('close', () => {
      this.#all.delete(socket);
      connection.beginAll();
    });
    return connection;
  }

  /** Gives up the oldest unproven connections of each address that has too many. To be called about once a second. */
  trim(): void {
    const excess = new Map<string, number>();
    for (const [key, count] of this.#countUnproven()) excess.set(key, count - this.#options.maxUnprovenPerAddress);
    const now = monotonicMilliseconds();
    for (const connection of this.#all.values()) {
      const left = excess.get(connection.addressKey) ?? 0;
      // Many at once may be a sender with much to send, whose requests have yet to be read.
      if (left <= 0 || connection.isProven || connection.isMoving(now)) continue;
      excess.set(connection.addressKey, left - 1);
      this.#giveUp(connection, 'address-connections-full');
    }
  }

  /** Gives up connections that leave too much unread, the largest first. To be called about once a second. */
  dropUnread(): void {
    const now = monotonicMilliseconds();
    const unread = [...this.#all.values()]
      .map((connection) => ({ connection, bytes: connection.unreadBytes }))
      .filter(({ bytes }) => bytes > 0)
      .toSorted((a, b) => b.bytes - a.bytes);
    let sum = unread.reduce((total, { bytes }) => total + bytes, 0);
    for (const { connection, bytes } of unread) {
      const isStopped = connection.hasStoppedReading(now);
      if (bytes <= MAX_UNREAD_BYTES && sum <= MAX_UNREAD_BYTES_IN_ALL && !isStopped) continue;
      sum -= bytes;
      this.#giveUp(connection, 'answers-unread');
    }
  }

  #makeRoom(): boolean {
    const now = monotonicMilliseconds();
    const counts = this.#countUnproven();
    const ranks = new Map<Rank, Connection[]>(RANKS.map((rank) => [rank, []]));
    for (const connection of this.#all.values()) {
      const isExcess = (counts.get(connection.addressKey) ?? 0) > this.#options.maxUnprovenPerAddress;
      const rank = rankOf(connection, isExcess, now);
      if (rank !== undefined) ranks.get(rank)?.push(connection);
    }
    const [rank, victims] = [...ranks].find(([, connections]) => connections.length > 0) ?? [];
    if (rank === undefined || victims === undefined) return false;
    const isResting = rank === 'resting-excess' || rank === 'resting';
    const number = isResting ? Math.max(1, Math.floor(this.#options.max * GIVEN_UP_AT_ONCE)) : 1;
    for (const victim of victims.slice(0, number)) this.#giveUp(victim, 'connections-full');
    return true;
  }

  #countUnproven(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const connection of this.#all.values()) {
      if (!connection.isProven) counts.set(connection.addressKey, (counts.get(connection.addressKey) ?? 0) + 1);
    }
    return counts;
  }

  #giveUp(connection: Connection, reason: GiveUpReason): void {
    this.#all.delete(connection.socket);
    this.#options.giveUp(connection, reason);
  }
}
