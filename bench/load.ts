import { createHmac, randomUUID } from 'node:crypto';
import autocannon from 'autocannon';

// The load generator, in a process of its own: `amount` distinct signed replies of about 1.1 KB, closed loop.

export interface LoadResult {
  readonly requests: number;
  readonly ok: number;
  readonly seconds: number;
  readonly rate: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export interface LoadOrder {
  readonly url: string;
  readonly secret: string;
  readonly amount: number;
  readonly connections: number;
  readonly leads: number;
}

const order = JSON.parse(process.argv[2] ?? '{}') as LoadOrder;
const run = randomUUID();
const filler = 'Sounds good, could you send her one-sheet and two dates in March? '.repeat(8);

function makeRequest(n: number): { body: string; headers: Record<string, string> } {
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
    reply_text: filler,
  });
  const signature = createHmac('sha256', order.secret).update(body).digest('hex');
  return { body, headers: { 'content-type': 'application/json', 'x-instantly-signature': signature } };
}

// Signed beforehand, so that the generator does as little as it can while it measures. A long run repeats no content:
// what is not prepared is signed on the way.
const PREPARED = 60_000;
const prepared = Array.from({ length: Math.min(order.amount, PREPARED) }, (_, n) => makeRequest(n));
let next = 0;

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
            return { ...request, method: 'POST', path: new URL(order.url).pathname, body, headers };
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
const answer: LoadResult = {
  requests: result.requests.total,
  ok: result['2xx'],
  seconds,
  rate: result['2xx'] / seconds,
  p50: result.latency.p50,
  p99: result.latency.p99,
  max: result.latency.max,
};
process.stdout.write(`${JSON.stringify(answer)}\n`);
