import { createHmac, randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { sendPaced } from './send-paced.ts';

// The generator of the latency measurement: events at a fixed rate, and when each was answered 200.

export interface LatencyOrder {
  readonly url: string;
  readonly secret: string;
  readonly amount: number;
  readonly pace: number;
  /** Gets a line for each event: its number, and the nanoseconds at which it was due to be sent and was answered. */
  readonly file: string;
}

const order = JSON.parse(process.argv[2] ?? '{}') as LatencyOrder;
const run = randomUUID();

const answers = await sendPaced(order.url, order.pace, order.amount, (n) => {
  const timestamp = new Date().toISOString();
  const lead = `lead-${n % 5_000}@bench.example`;
  const body = JSON.stringify({ event_type: 'reply_received', timestamp, lead_email: lead, run, n });
  const signature = createHmac('sha256', order.secret).update(body).digest('hex');
  return { body, headers: { 'content-type': 'application/json', 'x-instantly-signature': signature } };
});
writeFileSync(order.file, answers.map(({ n, dueAt, answeredAt }) => `${n} ${dueAt} ${answeredAt}\n`).join(''));
process.exitCode = answers.every(({ status }) => status === 200) ? 0 : 1;
