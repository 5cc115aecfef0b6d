import { Agent, request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';

export interface PacedRequest {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The address of this machine that it comes from. */
  readonly localAddress?: string;
}

export interface PacedOptions {
  /** Default: one that keeps up to 512 connections. Ended afterwards. */
  readonly agent?: Agent;
  /** Milliseconds of silence after which a request has failed. Default: 60,000. */
  readonly timeoutMs?: number;
}

export interface PacedAnswer {
  readonly n: number;
  /** 0: there was none. */
  readonly status: number;
  /** Nanoseconds by the clock that all processes of the machine share: when it was due to be sent, and when it was answered. */
  readonly dueAt: bigint;
  readonly answeredAt: bigint;
}

/** Connections at the most; beyond them requests wait, and their time counts. */
const MAX_SOCKETS = 512;
const TIMEOUT_MS = 60_000;

/**
 * An open loop: requests go out evenly, whether or not those before them are answered, and each is counted from when it was due.
 * autocannon sends a second's worth at once.
 */
export async function sendPaced(
  url: string,
  pace: number,
  amount: number,
  make: (n: number) => PacedRequest,
  { agent = new Agent({ keepAlive: true, maxSockets: MAX_SOCKETS }), timeoutMs = TIMEOUT_MS }: PacedOptions = {},
): Promise<PacedAnswer[]> {
  const answers: Promise<PacedAnswer>[] = [];
  const start = process.hrtime.bigint();
  while (answers.length < amount) {
    const passed = Number(process.hrtime.bigint() - start) / 1_000_000_000;
    while (answers.length < Math.min(amount, passed * pace)) {
      const n = answers.length;
      const dueAt = start + BigInt(Math.round((n / pace) * 1_000_000_000));
      answers.push(send(url, { agent, timeout: timeoutMs }, make(n), n, dueAt));
    }
    await pause(1);
  }
  const all = await Promise.all(answers);
  agent.destroy();
  return all;
}

function send(
  url: string,
  by: { readonly agent: Agent; readonly timeout: number },
  { body, headers, localAddress }: PacedRequest,
  n: number,
  dueAt: bigint,
): Promise<PacedAnswer> {
  return new Promise((resolve) => {
    const end = (status: number): void => resolve({ n, status, dueAt, answeredAt: process.hrtime.bigint() });
    const length = String(Buffer.byteLength(body));
    const sending = request(url, {
      ...by,
      ...(localAddress === undefined ? {} : { localAddress }),
      method: 'POST',
      headers: { ...headers, 'content-length': length },
    });
    sending.on('response', (response) => {
      response.resume().on('end', () => end(response.statusCode ?? 0));
    });
    sending.on('timeout', () => sending.destroy());
    sending.on('error', () => end(0));
    sending.end(body);
  });
}
