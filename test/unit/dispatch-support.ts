import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BroadcastChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import pino from 'pino';
import { v7 as uuidv7 } from 'uuid';
import type { ClaimedDelivery } from '../../src/inbox/store.ts';

/** A folder of handler files that tell the test what happens in their threads. */
export class HandlerFolder {
  readonly dir = mkdtempSync(join(tmpdir(), 'receiver-handlers-'));
  readonly #name = `test-${uuidv7()}`;
  readonly #channel = new BroadcastChannel(this.#name);
  readonly #heard: string[] = [];
  readonly #waiting: { readonly word: string; readonly times: number; readonly resolve: () => void }[] = [];

  constructor() {
    this.#channel.onmessage = (event) => this.#hear((event as { data: unknown }).data);
  }

  #hear(said: unknown): void {
    this.#heard.push(String(said));
    for (const { word, times, resolve } of this.#waiting) {
      if (this.#heard.filter((heard) => heard === word).length >= times) resolve();
    }
  }

  /** All that was said before now: what a handler says lies here before its outcome does, but may be handed out after it. */
  get heard(): readonly string[] {
    // Node takes a channel here as well; its types do not say so.
    const port = this.#channel as unknown as MessagePort;
    for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
      this.#hear(next.message);
    }
    return this.#heard;
  }

  /** Gives the file's path. Within the source, `say(word)` is heard by the test. */
  write(file: string, source: string): string {
    const path = join(this.dir, file);
    writeFileSync(
      path,
      `import { BroadcastChannel } from 'node:worker_threads';
       const channel = new BroadcastChannel('${this.#name}');
       channel.unref();
       const say = (word) => channel.postMessage(word);
       const nth = { calls: 0 };
       const forever = () => new Promise(() => {});
       ${source}`,
    );
    return path;
  }

  /** A handler named like its file, with this as the body of its `handle`. */
  writeHandle(name: string, body: string, more = "events: ['*']"): string {
    return this.write(
      `${name}.mjs`,
      `export default { name: '${name}', ${more}, async handle(event, context) { ${body} } };`,
    );
  }

  count(word: string): number {
    return this.heard.filter((heard) => heard === word).length;
  }

  /** Resolves when the word has been said that often. */
  until(word: string, times = 1): Promise<void> {
    if (this.count(word) >= times) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ word, times, resolve }));
  }

  remove(): void {
    this.#channel.close();
    rmSync(this.dir, { recursive: true });
  }
}

/** A log that threads and the main thread write to, and that the test reads. */
export class TestLog {
  readonly #dir = mkdtempSync(join(tmpdir(), 'receiver-log-'));
  readonly #file = join(this.#dir, 'log');
  readonly fd = openSync(this.#file, 'a');
  readonly logger = pino({ level: 'debug', base: null }, pino.destination({ dest: this.#file, sync: true }));

  text(): string {
    return readFileSync(this.#file, 'utf8');
  }

  lines(): Record<string, unknown>[] {
    return this.text()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  remove(): void {
    closeSync(this.fd);
    rmSync(this.#dir, { recursive: true });
  }
}

let made = 0;

export function makeDelivery(
  handler: string,
  more: Partial<ClaimedDelivery> & { payload?: object } = {},
): ClaimedDelivery {
  made += 1;
  const { payload = { event_type: 'reply_received', n: made }, ...fields } = more;
  return {
    deliveryId: made,
    handler,
    lease: 'test',
    eventId: uuidv7(),
    type: 'reply_received',
    rawType: 'reply_received',
    receivedAt: Date.now(),
    timestamp: null,
    lead: null,
    attempt: 1,
    outOfOrder: false,
    replay: false,
    body: Buffer.from(JSON.stringify(payload)),
    charset: null,
    ...fields,
  };
}
