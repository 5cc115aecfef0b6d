import { createHmac } from 'node:crypto';
import { request } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { SECRET } from '../../bench/servers.ts';
import { Crowd, type Habits } from '../../test/support/crowd.ts';
import { fields, postHead, WEBHOOK_PATH } from '../../test/support/post.ts';

export interface Attack {
  readonly name: string;
  readonly what: string;
  /** It goes on until the signal. */
  readonly begin: (port: number, signal: AbortSignal) => Promise<void>;
}

const KB = 1_024;
const MB = KB * KB;
/** What the one who sends as fast as it can has unanswered at the most: more, and its connection is closed. */
const WINDOW = 16;
const BIG_BODIES = 6;
/** A segment of each connection in so many milliseconds, spread evenly. */
const PIPELINED_MS = 10_000;
const PIPELINED_GROUPS = 50;
const HEX_SIGNATURE_LENGTH = 64;

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const segment = (text: string): Buffer => Buffer.from(text.repeat(Math.floor((64 * KB) / text.length)));

/** Each does what once kept genuine deliveries out, or filled memory or disk. */
export const ATTACKS: readonly Attack[] = [
  {
    name: 'pipelined',
    what: '150 connections, each with 2,400 requests in one segment, at 0.9 MB/s in all',
    begin: async (port, signal) => {
      for (let group = 0; group < PIPELINED_GROUPS && !signal.aborted; group += 1) {
        await gather(signal, { ...pipelined(port, 150 / PIPELINED_GROUPS), afterMs: PIPELINED_MS });
        await pause(PIPELINED_MS / PIPELINED_GROUPS, undefined, { signal }).catch(() => undefined);
      }
    },
  },
  {
    name: 'pipelined-flood',
    what: 'the same 150, that come again as fast as they can',
    begin: (port, signal) => gather(signal, pipelined(port, 150)),
  },
  {
    name: 'unread-answers',
    what: '60 connections, each with 64 kB of GET /metrics, that read none of the answers',
    begin: (port, signal) =>
      gather(signal, {
        port,
        connections: 60,
        addresses: 60,
        start: segment('GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n'),
        comesAgain: true,
        neverReads: true,
      }),
  },
  {
    name: 'unfinished-bodies',
    what: '42 connections with made-up signatures, each with 10 MB of body that is never finished',
    begin: (port, signal) => {
      const madeUp = { 'x-instantly-signature': 'a'.repeat(HEX_SIGNATURE_LENGTH) };
      const head = Buffer.from(postHead(`Content-Length: ${10 * MB}`, ...fields(madeUp)), 'latin1');
      const start = Buffer.concat([head, Buffer.alloc(9 * MB, 'x')]);
      return gather(signal, {
        port,
        connections: 42,
        addresses: 42,
        start,
        more: Buffer.from('x'),
        everyMs: 1_000,
        comesAgain: true,
      });
    },
  },
  {
    name: 'half-sent-heads',
    what: '2,000 connections of one address, each with a header that grows by a byte a second',
    begin: (port, signal) =>
      gather(signal, {
        port,
        connections: 2_000,
        addresses: 1,
        start: Buffer.from(`POST ${WEBHOOK_PATH} HTTP/1.1\r\nHost: a\r\nx-a: `),
        more: Buffer.from('a'),
        everyMs: 1_000,
        comesAgain: true,
      }),
  },
  {
    name: 'log-flood',
    what: 'one connection of a stranger, as many refused requests as it is answered',
    begin: sendAllTheTime,
  },
  {
    name: 'big-bodies',
    what: `${BIG_BODIES} connections of a proven sender, each with 10 MB of small values, again and again`,
    begin: async (port, signal) => {
      for (let nth = 0; nth < BIG_BODIES; nth += 1) void sendBigBodies(port, nth, signal);
    },
  },
];

function pipelined(port: number, connections: number): Habits {
  return { port, connections, addresses: connections, start: segment(GET), comesAgain: true };
}

async function gather(signal: AbortSignal, habits: Habits): Promise<void> {
  const crowd = new Crowd(habits);
  signal.addEventListener('abort', () => crowd.leave(), { once: true });
  // Not all of them may be let in, or be read from.
  void crowd.gather();
}

async function sendAllTheTime(port: number, signal: AbortSignal): Promise<void> {
  const more = Buffer.from(
    `GET /${'a'.repeat(200)} HTTP/1.1\r\nHost: a\r\nUser-Agent: ${'b'.repeat(200)}\r\n\r\n`.repeat(WINDOW),
  );
  const socket = connect({ port, host: '127.0.0.1', localAddress: '127.1.0.0', signal });
  let answers = 0;
  socket.on('connect', () => socket.write(more));
  socket.on('data', (chunk: Buffer) => {
    answers += chunk.toString('latin1').split('HTTP/1.1 ').length - 1;
    if (answers < WINDOW) return;
    answers -= WINDOW;
    socket.write(more);
  });
  socket.on('error', () => undefined);
  socket.on('close', () => {
    if (!signal.aborted) void pause(1).then(() => sendAllTheTime(port, signal));
  });
}

async function sendBigBodies(port: number, nth: number, signal: AbortSignal): Promise<void> {
  const values = `[${'0,'.repeat(5 * MB - 100 * KB)}0]`;
  for (let round = 0; !signal.aborted; round += 1) {
    const body = Buffer.from(`{"event_type":"email_sent","n":"${nth}-${round}","values":${values}}`);
    await post(port, body, signal).catch(() => pause(100));
  }
}

function post(port: number, body: Buffer, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const signature = createHmac('sha256', SECRET).update(body).digest('hex');
    const headers = { 'x-instantly-signature': signature, 'content-length': body.byteLength };
    const sending = request({
      port,
      host: '127.0.0.1',
      path: WEBHOOK_PATH,
      method: 'POST',
      agent: false,
      headers,
      signal,
    });
    sending.on('response', (response) => response.resume().on('end', resolve));
    sending.on('error', reject);
    sending.end(body);
  });
}
