import { createHmac } from 'node:crypto';
import { request } from 'node:http';
import process from 'node:process';
import { SECRET } from './servers.ts';

/*
 * A proven sender's large bodies of small values: URL KIND AT_ONCE SECONDS. Writes how many of them were answered 200, how many
 * otherwise, and the longest time of one.
 */

const MB = 1_048_576;
const SIZE = 10 * MB - 1_024;

/** What a body is filled with up to 10 MB. */
const FILLINGS = {
  numbers: () => `[${'0,'.repeat(SIZE / 2)}0]`,
  objects: () => `[${'{},'.repeat(SIZE / 3)}0]`,
  members: () => {
    let text = '{';
    for (let n = 0; text.length < SIZE - 20; n += 1) text += `"${n.toString(36)}":0,`;
    return `${text}"z":0}`;
  },
  levels: () => `${'['.repeat(SIZE / 2)}${']'.repeat(SIZE / 2)}`,
  text: () => JSON.stringify('<p>words</p> '.repeat(SIZE / 13)),
} as const;

type Kind = keyof typeof FILLINGS;

const [url = '', kind = 'numbers', atOnce = '1', seconds = '5'] = process.argv.slice(2);
const filling = FILLINGS[kind as Kind]();
const until = performance.now() + Number(seconds) * 1_000;
const result = { ok: 0, other: 0, longestMs: 0 };
await Promise.all(Array.from({ length: Number(atOnce) }, (_, nth) => sendAgain(nth)));
process.stdout.write(JSON.stringify(result));

async function sendAgain(nth: number): Promise<void> {
  for (let round = 0; performance.now() < until; round += 1) {
    const event = `"event_type":"email_sent","timestamp":"${new Date().toISOString()}","lead_email":"big-${nth}@a.example"`;
    const body = Buffer.from(`{${event},"nonce":"${process.pid}-${nth}-${round}","values":${filling}}`);
    const started = performance.now();
    const status = await post(body);
    if (status === 200) result.ok += 1;
    else result.other += 1;
    result.longestMs = Math.max(result.longestMs, Math.round(performance.now() - started));
  }
}

/** 0: it was not answered. */
function post(body: Buffer): Promise<number> {
  const signature = createHmac('sha256', SECRET).update(body).digest('hex');
  const headers = { 'x-instantly-signature': signature, 'content-length': body.byteLength };
  return new Promise((resolve) => {
    const sending = request(url, { method: 'POST', agent: false, headers });
    sending.on('response', (response) => response.resume().on('end', () => resolve(response.statusCode ?? 0)));
    sending.on('error', () => resolve(0));
    sending.end(body);
  });
}
