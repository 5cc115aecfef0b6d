import { createHash } from 'node:crypto';
import { withToken } from '../../test/support/credentials.ts';
import { freshBody } from '../../test/support/payloads.ts';
import { wholePost } from '../../test/support/post.ts';
import { RawClient } from '../../test/support/raw-client.ts';
import type { Answer, SentEvent, Tally } from './load.ts';
import { Site } from './site.ts';
import { concludeTrial, nothing, type Report, type Trial } from './trial.ts';

/** Payloads that are on their way at the same time. */
const PAIRS = 16;
const LEADS = 40;

interface Sent {
  readonly events: SentEvent[];
  readonly tally: Tally;
  /** Payloads of which not exactly one was accepted, or which got two ids. */
  wrong: number;
}

/** Posts each payload to both receivers at the same instant, one after the other. */
async function sendPairs(ports: readonly number[], count: number, sent: Sent): Promise<void> {
  const clients = await Promise.all(ports.map((port) => RawClient.connect(port)));
  try {
    for (let n = 0; n < count; n += 1) {
      const body = freshBody({ lead_email: `lead-${n % LEADS}@northwind.example` });
      const bytes = wholePost(body, withToken);
      const answers = await Promise.all(clients.map((client) => post(client, bytes, sent.tally)));
      sent.events.push({ hash: createHash('sha256').update(body).digest('hex'), answers });
      const [first] = answers;
      const isRight =
        answers.filter(({ isDuplicate }) => !isDuplicate).length === 1 && answers.every(({ id }) => id === first?.id);
      if (!isRight) sent.wrong += 1;
    }
  } finally {
    for (const client of clients) client.destroy();
  }
}

async function post(client: RawClient, bytes: Buffer, tally: Tally): Promise<Answer> {
  const started = performance.now();
  tally.posts += 1;
  const answer = await client.send(bytes).answer();
  tally.slowest = Math.max(tally.slowest, performance.now() - started);
  if (answer?.status !== 200) throw new Error(`answered ${String(answer?.status)}`);
  const { status, id } = JSON.parse(answer.text) as { readonly status: string; readonly id: string };
  const isDuplicate = status === 'duplicate';
  tally.ok += 1;
  if (isDuplicate) tally.duplicates += 1;
  return { id, requestId: answer.headers['x-request-id'] ?? '', isDuplicate };
}

async function run(rounds: number): Promise<Report> {
  const site = await Site.open(nothing);
  try {
    const tally = { posts: 0, ok: 0, duplicates: 0, refused: new Map(), cut: 0, silent: 0, slowest: 0 };
    const sent: Sent = { events: [], tally, wrong: 0 };
    const each = Math.ceil(rounds / PAIRS);
    await Promise.all(Array.from({ length: PAIRS }, () => sendPairs(site.ports, each, sent)));
    const account = await concludeTrial(site, sent, 'none');
    if (sent.wrong > 0)
      account.faults.push(`${sent.wrong} payloads not answered accepted once, duplicate once, one id`);
    return { disturbances: `${each * PAIRS} payloads`, tally, account };
  } finally {
    await site.close();
  }
}

export const sendTwice: Trial = {
  name: 'same-payload',
  what: 'two receivers get the same payload at the same instant',
  run: ({ quick }) => run(quick ? 1_000 : 10_000),
};
