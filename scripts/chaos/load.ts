import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { withToken } from '../../test/support/credentials.ts';
import type { RawAnswer } from '../../test/support/parse-answer.ts';
import { freshBody } from '../../test/support/payloads.ts';
import { wholePost } from '../../test/support/post.ts';
import { RawClient } from '../../test/support/raw-client.ts';

const CLIENTS = 16;
/** Milliseconds before a sender tries again that found nobody, or was refused. */
const RETRY_MS = 50;
const LEADS = 40;
/** One event in so many carries an inline image, */
const LARGE_EVERY = 40;
const LARGE_BYTES = 60_000;
/** and one in so many is sent again after it was answered 200, as where the answer was lost on its way. */
const AGAIN_EVERY = 20;

export interface Answer {
  readonly id: string;
  readonly requestId: string;
  readonly isDuplicate: boolean;
}

export interface SentEvent {
  /** Hex SHA-256 of its bytes. */
  readonly hash: string;
  /** Those of 200. */
  readonly answers: Answer[];
}

/** What the senders have met so far. */
export interface Tally {
  /** Requests written to a connection. */
  posts: number;
  ok: number;
  duplicates: number;
  /** Answers other than 200, by status. */
  readonly refused: Map<number, number>;
  /** Connections that ended while an answer was due. */
  cut: number;
  /** Answers that did not come in time on a connection that stood. */
  silent: number;
  /** Milliseconds of the slowest answer. */
  slowest: number;
}

/**
 * Senders that post unique events, each over connections that it keeps, by turns to each receiver; what is not answered
 * 200 they send again to the next one, as Instantly would by way of a load balancer.
 */
export class Load {
  readonly events: SentEvent[] = [];
  readonly tally: Tally = { posts: 0, ok: 0, duplicates: 0, refused: new Map(), cut: 0, silent: 0, slowest: 0 };
  readonly #ports: readonly number[];
  readonly #rate: number;
  readonly #senders: Promise<void>[];
  #isEnding = false;
  #isGivenUp = false;
  #slot = performance.now();

  /** @param rate events a second over all senders, as far as they are answered */
  constructor(ports: readonly number[], rate: number) {
    this.#ports = ports;
    this.#rate = rate;
    this.#senders = Array.from({ length: CLIENTS }, (_, index) => this.#send(index));
  }

  /** Resolves when every sender has its last event answered 200; throws where that takes longer than it may. */
  async end(withinMs: number): Promise<void> {
    this.#isEnding = true;
    const timer = setTimeout(() => {
      this.#isGivenUp = true;
    }, withinMs);
    await Promise.all(this.#senders);
    clearTimeout(timer);
    if (this.#isGivenUp) throw new Error(`events were still refused ${withinMs / 1_000} s after the disturbance`);
  }

  /** Stops whatever is going on. */
  async giveUp(): Promise<void> {
    this.#isEnding = true;
    this.#isGivenUp = true;
    await Promise.allSettled(this.#senders);
  }

  async #send(index: number): Promise<void> {
    const connections = new Map<number, RawClient>();
    let turn = index;
    while (!this.#isEnding) {
      await this.#awaitSlot();
      const body = this.#makeBody();
      const bytes = wholePost(body, withToken);
      const event: SentEvent = { hash: createHash('sha256').update(body).digest('hex'), answers: [] };
      this.events.push(event);
      const wanted = this.events.length % AGAIN_EVERY === 0 ? 2 : 1;
      while (!this.#isGivenUp && event.answers.length < wanted) {
        turn += 1;
        const answer = await this.#post(connections, turn, bytes);
        if (answer === undefined) await pause(RETRY_MS);
        else event.answers.push(answer);
      }
    }
    for (const client of connections.values()) client.destroy();
  }

  async #awaitSlot(): Promise<void> {
    const now = performance.now();
    this.#slot = Math.max(this.#slot, now) + 1_000 / this.#rate;
    await pause(this.#slot - now);
  }

  /** The answer where it is 200. */
  async #post(connections: Map<number, RawClient>, turn: number, bytes: Buffer): Promise<Answer | undefined> {
    const port = this.#ports[turn % this.#ports.length] ?? 0;
    const client = await connectTo(connections, port);
    if (client === undefined) return undefined;
    const started = performance.now();
    this.tally.posts += 1;
    const answer = await this.#ask(client, bytes);
    this.tally.slowest = Math.max(this.tally.slowest, performance.now() - started);
    if (answer === undefined || answer.headers['connection'] === 'close') {
      client.destroy();
      connections.delete(port);
    }
    return answer && this.#note(answer);
  }

  async #ask(client: RawClient, bytes: Buffer): Promise<RawAnswer | undefined> {
    try {
      const answer = await client.send(bytes).answer();
      if (answer === undefined) this.tally.cut += 1;
      return answer;
    } catch (error) {
      if (!(error instanceof Error && error.name === 'AbortError')) throw error;
      this.tally.silent += 1;
      return undefined;
    }
  }

  #note({ status, text, headers }: RawAnswer): Answer | undefined {
    if (status !== 200) {
      this.tally.refused.set(status, (this.tally.refused.get(status) ?? 0) + 1);
      return undefined;
    }
    const told = JSON.parse(text) as { readonly status: string; readonly id: string };
    const isDuplicate = told.status === 'duplicate';
    this.tally.ok += 1;
    if (isDuplicate) this.tally.duplicates += 1;
    return { id: told.id, requestId: headers['x-request-id'] ?? '', isDuplicate };
  }

  #makeBody(): string {
    const n = this.events.length;
    const padding = n % LARGE_EVERY === 0 ? { padding: 'x'.repeat(LARGE_BYTES) } : {};
    return freshBody({ lead_email: `lead-${n % LEADS}@northwind.example`, ...padding });
  }
}

async function connectTo(connections: Map<number, RawClient>, port: number): Promise<RawClient | undefined> {
  const kept = connections.get(port);
  if (kept !== undefined && !kept.isClosed) return kept;
  try {
    const client = await RawClient.connect(port);
    connections.set(port, client);
    return client;
  } catch {
    // It is down or on its way up.
    connections.delete(port);
    return undefined;
  }
}
