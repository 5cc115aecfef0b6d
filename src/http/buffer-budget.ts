import { ipKeyGenerator } from 'express-rate-limit';
import type { HttpSettings } from '../config/settings.ts';
import { Problem } from '../errors/problem.ts';
import { monotonicMilliseconds } from '../inbox/clock.ts';
import type { Exchange } from './exchange.ts';

/** A quarter of the memory for bodies is kept for requests whose token is already proven. */
const KEPT_FOR_PROVEN = 0.25;
/** Making room goes on until this part is free, so that a full memory is not looked through for every chunk. */
const HEADROOM = 1 / 16;
/** A body makes progress each time that so many more bytes have come. */
const PROGRESS_BYTES = 16 * 1024;
/** Without progress for so long a body is slow. A round trip across the world takes less. */
const SLOW_MS = 250;
/** Without progress for so long an unproven body is given up even where there is room: 16 KB in ten seconds is the least rate. */
const LEAST_RATE_MS = 10_000;
/** The block that one customer is commonly given at the least. */
const IPV6_BITS = 64;
/** Addresses remembered for having proven a delivery; the one seen first is forgotten for a new one. */
const MAX_KNOWN = 1_000;

/** A body that is arriving from a sender who is not proven before it is whole. */
export class PendingBody {
  #progressAt: number;
  readonly #declaredBytes: number | undefined;
  readonly #ip: string;
  #nextProgress = PROGRESS_BYTES;
  #addressKey: string | undefined;

  /** @param declaredBytes `undefined`: it comes in chunks */
  constructor({ startedAt, ip }: Pick<Exchange, 'startedAt' | 'ip'>, declaredBytes: number | undefined) {
    this.#progressAt = startedAt;
    this.#ip = ip;
    this.#declaredBytes = declaredBytes;
  }

  /** Milliseconds since it last made progress.
   * @param now monotonic milliseconds */
  stalledMs(now: number): number {
    return now - this.#progressAt;
  }

  isSlow(now: number): boolean {
    return this.stalledMs(now) >= SLOW_MS;
  }

  /** The address it counts for. Computed only where memory runs short, because IPv6 is slow to parse. */
  get addressKey(): string {
    this.#addressKey ??= ipKeyGenerator(this.#ip, IPV6_BITS);
    return this.#addressKey;
  }

  arrived(bytes: number): void {
    if (bytes < this.#nextProgress) return;
    this.#progressAt = monotonicMilliseconds();
    this.#nextProgress = bytes + PROGRESS_BYTES;
  }

  /** How large it is going to be. A body in chunks counts as half arrived. */
  expectedBytes(arrived: number): number {
    return this.#declaredBytes ?? 2 * arrived;
  }
}

interface Candidate {
  readonly exchange: Exchange;
  /** Of two candidates the higher class goes first, and within a class the higher score. */
  readonly class: number;
  readonly score: number;
}

type Open = Iterable<{ readonly exchange: Exchange }>;

/**
 * Bytes of bodies in memory at once, over all requests. An unproven body never keeps a better one out: see
 * docs/adr/0006-unproven-bodies.md.
 */
export class BufferBudget {
  readonly #limits: { readonly proven: number; readonly unproven: number };
  readonly #open: Open;
  readonly #known = new Set<string>();
  #used = 0;

  /** @param keepForProven whether any request can be proven before its body is read */
  constructor(
    { maxBufferedBytes, bodyLimitBytes }: Pick<HttpSettings, 'maxBufferedBytes' | 'bodyLimitBytes'>,
    keepForProven: boolean,
    open: Open,
  ) {
    const shared = Math.max(bodyLimitBytes, maxBufferedBytes * (1 - KEPT_FOR_PROVEN));
    this.#limits = { proven: maxBufferedBytes, unproven: keepForProven ? shared : maxBufferedBytes };
    this.#open = open;
  }

  get used(): number {
    return this.#used;
  }

  /** Takes the bytes for this request, giving up worse bodies where they do not fit; `false`: they do not fit all the same. */
  take(exchange: Exchange, bytes: number): boolean {
    const { pending } = exchange;
    const limit = pending === undefined ? this.#limits.proven : this.#limits.unproven;
    if (this.#used + bytes > limit && !this.#makeRoom(exchange, bytes, limit)) return false;
    this.#used += bytes;
    exchange.bufferedBytes += bytes;
    pending?.arrived(exchange.bufferedBytes);
    return true;
  }

  /** Gives back all that was taken for this request. */
  release(exchange: Exchange): void {
    this.#used -= exchange.bufferedBytes;
    exchange.bufferedBytes = 0;
  }

  /** Remembers that an authentic delivery came from this address. */
  know(ip: string): void {
    if (this.#known.has(ip)) return;
    const [oldest] = this.#known;
    if (oldest !== undefined && this.#known.size >= MAX_KNOWN) this.#known.delete(oldest);
    this.#known.add(ip);
  }

  /** Gives up unproven bodies that come more slowly than the least rate. To be called about once a second. */
  giveUpStalled(): void {
    const now = monotonicMilliseconds();
    for (const { exchange } of this.#open) {
      const { pending } = exchange;
      if (pending !== undefined && pending.stalledMs(now) > LEAST_RATE_MS) this.#giveUp(exchange, 'body-too-slow');
    }
  }

  #makeRoom(exchange: Exchange, bytes: number, limit: number): boolean {
    const needed = this.#used + bytes - limit;
    const wanted = needed + limit * HEADROOM;
    const victims: Exchange[] = [];
    let freed = 0;
    for (const candidate of this.#rank()) {
      if (candidate.exchange === exchange || freed >= wanted) break;
      victims.push(candidate.exchange);
      freed += candidate.exchange.bufferedBytes;
    }
    if (freed < needed) return false;
    for (const victim of victims) this.#giveUp(victim, 'body-memory-full');
    return true;
  }

  /** Pending bodies, the first to go first. */
  #rank(): Candidate[] {
    const now = monotonicMilliseconds();
    const heldByAddress = new Map<string, number>();
    const pendings: [Exchange, PendingBody][] = [];
    for (const { exchange } of this.#open) {
      const { pending } = exchange;
      if (pending === undefined) continue;
      pendings.push([exchange, pending]);
      const held = heldByAddress.get(pending.addressKey) ?? 0;
      heldByAddress.set(pending.addressKey, held + exchange.bufferedBytes);
    }
    return pendings
      .map(([exchange, pending]): Candidate => {
        const held = exchange.bufferedBytes;
        // Time outweighs size: strangers who hold little each for long go before a sender who pauses in a large body.
        if (pending.isSlow(now)) return { exchange, class: 2, score: pending.stalledMs(now) * held ** 0.25 };
        const byAddress = heldByAddress.get(pending.addressKey) ?? 0;
        const isKnown = this.#known.has(exchange.ip);
        return { exchange, class: isKnown ? 0 : 1, score: byAddress * pending.expectedBytes(held) };
      })
      .sort((a, b) => b.class - a.class || b.score - a.score || b.exchange.startedAt - a.exchange.startedAt);
  }

  #giveUp(exchange: Exchange, reason: 'body-too-slow' | 'body-memory-full'): void {
    this.release(exchange);
    exchange.interruption.happen(new Problem('request-given-up', { reason }));
  }
}
