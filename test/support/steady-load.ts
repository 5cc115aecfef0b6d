import { EventEmitter, once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { withToken } from './credentials.ts';
import { freshBody } from './payloads.ts';
import { wholePost } from './post.ts';
import { RawClient } from './raw-client.ts';

/** Milliseconds before a sender that was told 503 tries again. */
const RETRY_MS = 50;
/** Milliseconds in which an answer that is waited for has to come. */
const PATIENCE_MS = 20_000;
/** Leads among which the events are shared out. */
const LEADS = 40;

export interface Answered {
  readonly status: number;
  /** Of the event, where it was accepted or known. */
  readonly id: string;
  readonly requestId: string;
  readonly retryAfter: string | undefined;
  /** Milliseconds that the sender waited. */
  readonly waited: number;
}

export interface SentEvent {
  readonly body: string;
  readonly answers: Answered[];
}

interface Target {
  readonly port: Promise<number>;
  readonly resolve: (port: number) => void;
}

interface Connection {
  readonly client: RawClient;
  readonly target: Target;
}

function awaitTarget(): Target {
  const { promise, resolve } = Promise.withResolvers<number>();
  return { port: promise, resolve };
}

/**
 * Senders that post one event after the other, each over a connection that it keeps, and send again what was not
 * answered 200, as Instantly would. When the receiver is gone they wait for the next one.
 */
export class SteadyLoad {
  readonly events: SentEvent[] = [];
  /** Connections that ended while an answer was due. */
  unanswered = 0;
  /** Answers 200. */
  accepted = 0;
  readonly #clients: Promise<void>[];
  readonly #padding: string;
  #target = awaitTarget();
  #isEnding = false;
  readonly #arrivals = new EventEmitter();

  /** @param padding bytes to make each event larger by */
  constructor(clients: number, padding = 0) {
    this.#padding = 'x'.repeat(padding);
    this.#clients = Array.from({ length: clients }, () => this.#send());
  }

  /** Resolves at the first 200 from the receiver at this port. */
  aim(port: number): Promise<Answered> {
    this.#target.resolve(port);
    return this.next(200);
  }

  /** Resolves with the next answer of this status. */
  async next(status: number): Promise<Answered> {
    const [answer] = await once(this.#arrivals, String(status), { signal: AbortSignal.timeout(PATIENCE_MS) });
    return answer as Answered;
  }

  /** Resolves when all senders have gone; each has its last event answered first, or lost with the receiver. */
  async end(): Promise<void> {
    this.#isEnding = true;
    // Those who wait for a receiver find nobody there.
    this.#target.resolve(0);
    await Promise.all(this.#clients);
  }

  get answers(): Answered[] {
    return this.events.flatMap(({ answers }) => answers);
  }

  async #send(): Promise<void> {
    let connection: Connection | undefined;
    while (!this.#isEnding) {
      const event: SentEvent = { body: this.#makeBody(), answers: [] };
      this.events.push(event);
      while (!this.#isEnding && event.answers.at(-1)?.status !== 200) {
        connection ??= await this.#connect();
        if (connection !== undefined) connection = await this.#post(connection, event);
      }
    }
    connection?.client.destroy();
  }

  /** Gives the connection where it can be used again. */
  async #post(connection: Connection, { body, answers }: SentEvent): Promise<Connection | undefined> {
    const { client, target } = connection;
    const answer = await this.#ask(client, body);
    if (answer === undefined) {
      this.#lose(target);
      return undefined;
    }
    answers.push(answer);
    if (answer.status !== 200) await pause(RETRY_MS);
    return client.isClosed ? undefined : connection;
  }

  async #connect(): Promise<Connection | undefined> {
    const target = this.#target;
    const port = await target.port;
    if (port === 0) return undefined;
    try {
      return { client: await RawClient.connect(port), target };
    } catch {
      // It is gone, or it is stopping.
      this.#lose(target);
      return undefined;
    }
  }

  /** The first to find out that a receiver is gone makes all wait for the next one. */
  #lose(target: Target): void {
    if (this.#target === target && !this.#isEnding) this.#target = awaitTarget();
  }

  async #ask(client: RawClient, body: string): Promise<Answered | undefined> {
    const started = performance.now();
    const answer = await client.send(wholePost(body, withToken)).answer();
    if (answer === undefined) {
      this.unanswered += 1;
      return undefined;
    }
    const { id = '' } = JSON.parse(answer.text) as { id?: string };
    const answered = {
      status: answer.status,
      id,
      requestId: answer.headers['x-request-id'] ?? '',
      retryAfter: answer.headers['retry-after'],
      waited: performance.now() - started,
    };
    if (answer.status === 200) this.accepted += 1;
    this.#arrivals.emit(String(answer.status), answered);
    return answered;
  }

  #makeBody(): string {
    const lead = `lead-${this.events.length % LEADS}@northwind.example`;
    return freshBody({ lead_email: lead, padding: this.#padding });
  }
}
