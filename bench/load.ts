import { createHmac, randomUUID } from 'node:crypto';
import autocannon from 'autocannon';
import { sendPaced } from './send-paced.ts';

// The load generator, in a process of its own: `amount` distinct signed replies. A closed loop, in which each connection waits
// for its answer; or an open one of `pace` requests a second.

export interface LoadResult {
  readonly requests: number;
  /** Answered as they should be. */
  readonly ok: number;
  readonly seconds: number;
  /** Of those, a second. */
  readonly rate: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export interface LoadOrder {
  readonly url: string;
  readonly secret: string;
  readonly amount: number;
  readonly connections: number;
  readonly leads: number;
  /** Requests a second; without it as many as can be. */
  readonly pace?: number;
  /** Signed wrongly, so that each is to be refused. */
  readonly wrong?: boolean;
  readonly signing?: 'instantly' | 'github';
  /** Bytes of a body, nearly; the least is 600. */
  readonly bodyBytes?: number;
}

interface Prepared {
  readonly body: string;
  readonly headers: Record<string, string>;
}

const FRAME_BYTES = 580;
const order = JSON.parse(process.argv[2] ?? '{}') as LoadOrder;
const run = randomUUID();
const sentence = 'Sounds good, could you send her one-sheet and two dates in March? ';
const text = sentence
  .repeat(Math.ceil((order.bodyBytes ?? 1_100) / sentence.length))
  .slice(0, Math.max(1, (order.bodyBytes ?? 1_100) - FRAME_BYTES));

function makeRequest(n: number): Prepared {
  const body = JSON.stringify({
    timestamp: new Date(Date.now() - 1_000).toISOString(),
    event_type: 'reply_received',
    workspace: '6f1d0c52-8a0e-4c5c-9d55-0c1f5a2f7b10',
    campaign_id: '019e2b7a-41d0-7c3e-8f7a-2a6b1c9d0e11',
    campaign_name: 'Bench',
    lead_email: `lead-${n % order.leads}@bench.example`,
    email_account: 'sam@try-acme.example',
    email_id: `${run}-${n}`,
    step: 1,
    variant: 1,
    reply_subject: 'Re: A guest for your show?',
    reply_text_snippet: 'Sounds good',
    reply_text: text,
  });
  const signature = createHmac('sha256', order.wrong === true ? 'another secret' : order.secret)
    .update(body)
    .digest('hex');
  const type = { 'content-type': 'application/json' };
  if (order.signing !== 'github') return { body, headers: { ...type, 'x-instantly-signature': signature } };
  const github = { 'x-hub-signature-256': `sha256=${signature}`, 'x-github-event': 'push' };
  return { body, headers: { ...type, ...github, 'x-github-delivery': `${run}-${n}` } };
}

// Signed beforehand, so that the generator does as little as it can while it measures. A long run repeats no content:
// what is not prepared is signed on the way.
const PREPARED_BYTES = 80 * 1024 * 1024;
const most = Math.floor(PREPARED_BYTES / (order.bodyBytes ?? 1_100));
/** Seconds at the pace before what is counted: a generator that has just started, and hundreds of connections that are made at once,
 * hold each other up for a second whoever answers. */
const LEAD_IN_SECONDS = 5;
const leadIn = order.pace === undefined ? 0 : LEAD_IN_SECONDS * order.pace;
const prepared = Array.from({ length: Math.min(leadIn + order.amount, most) }, (_, n) => makeRequest(n));
const answer = order.pace === undefined ? await sendClosed() : await sendOpen(order.pace);
process.stdout.write(`${JSON.stringify(answer)}\n`);

async function sendClosed(): Promise<LoadResult> {
  let next = 0;
  const path = new URL(order.url).pathname;
  const started = performance.now();
  // autocannon itself ends at the next full second, so the last answer is what counts.
  let ended = started;
  const result = await new Promise<autocannon.Result>((resolve, reject) => {
    const running = autocannon(
      {
        url: order.url,
        connections: order.connections,
        amount: order.amount,
        timeout: 60,
        requests: [
          {
            setupRequest: (request) => {
              const { body, headers } = prepared[next] ?? makeRequest(next);
              next += 1;
              return { ...request, method: 'POST', path, body, headers };
            },
          },
        ],
      },
      (error: unknown, measured) => (error === null || error === undefined ? resolve(measured) : reject(error)),
    );
    running.on('response', () => {
      ended = performance.now();
    });
  });
  const seconds = (ended - started) / 1_000;
  const ok = order.wrong === true ? result.non2xx : result['2xx'];
  const { p50, p99, p99_9: p999, max } = result.latency;
  return { requests: result.requests.total, ok, seconds, rate: ok / seconds, p50, p99, p999, max };
}

async function sendOpen(pace: number): Promise<LoadResult> {
  const all = await sendPaced(order.url, pace, leadIn + order.amount, (n) => prepared[n] ?? makeRequest(n));
  const answers = all.slice(leadIn);
  const ok = answers.filter(({ status }) => status === 200).length;
  const times = answers
    .map(({ dueAt, answeredAt }) => Number(answeredAt - dueAt) / 1_000_000)
    .toSorted((a, b) => a - b);
  const at = (share: number): number => times[Math.floor(share * (times.length - 1))] ?? Number.NaN;
  const seconds = order.amount / pace;
  return {
    requests: order.amount,
    ok,
    seconds,
    rate: ok / seconds,
    p50: at(0.5),
    p99: at(0.99),
    p999: at(0.999),
    max: at(1),
  };
}
