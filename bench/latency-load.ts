import { createHmac, randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import autocannon from 'autocannon';

// The generator of the latency measurement: events at a fixed rate, and when each was answered 200, by the clock that all
// processes of a machine share.

export interface LatencyOrder {
  readonly url: string;
  readonly secret: string;
  readonly amount: number;
  readonly pace: number;
  readonly connections: number;
  /** Gets a line for each event: its number, and the nanoseconds at which it was sent and answered. */
  readonly file: string;
}

const order = JSON.parse(process.argv[2] ?? '{}') as LatencyOrder;
const run = randomUUID();
const lines: string[] = [];
let next = 0;
let refused = 0;

await autocannon({
  url: order.url,
  connections: order.connections,
  amount: order.amount,
  overallRate: order.pace,
  timeout: 60,
  requests: [
    {
      setupRequest: (request, context) => {
        const n = next;
        next += 1;
        const timestamp = new Date().toISOString();
        const lead = `lead-${n % 5_000}@bench.example`;
        const body = JSON.stringify({ event_type: 'reply_received', timestamp, lead_email: lead, run, n });
        const headers = {
          'content-type': 'application/json',
          'x-instantly-signature': createHmac('sha256', order.secret).update(body).digest('hex'),
        };
        Object.assign(context, { n, sent: process.hrtime.bigint() });
        return { ...request, method: 'POST', path: new URL(order.url).pathname, body, headers };
      },
      onResponse: (status, _body, context) => {
        const { n, sent } = context as { n: number; sent: bigint };
        if (status !== 200) refused += 1;
        lines.push(`${n} ${sent} ${process.hrtime.bigint()}\n`);
      },
    },
  ],
});
writeFileSync(order.file, lines.join(''));
process.exitCode = refused === 0 ? 0 : 1;
