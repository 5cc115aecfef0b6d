import { expect, test } from '@jest/globals';
import type { Expected } from '../support/check-case.ts';
import { signed } from '../support/credentials.ts';
import type { RawAnswer } from '../support/parse-answer.ts';
import { freshBody } from '../support/payloads.ts';
import { ask, WEBHOOK_PATH } from '../support/post.ts';
import { row, runTable } from '../support/run-table.ts';
import { BOTH_SCHEMES, type RunningReceiver } from '../support/start-receiver.ts';

/** What can be wrong with a request, in the order in which it must be found. */
const FAULTS = ['path', 'method', 'encoding', 'credentials', 'size', 'signature', 'body'] as const;
type Fault = (typeof FAULTS)[number];

const OUTCOMES: Readonly<Record<Fault, Expected>> = {
  path: { outcome: 'not-found', action: 'request.refuse' },
  method: { outcome: 'method-not-allowed' },
  encoding: { outcome: 'unsupported-encoding' },
  credentials: { outcome: 'unauthenticated', reason: 'malformed' },
  size: { outcome: 'body-too-large' },
  signature: { outcome: 'unauthenticated', reason: 'mismatch' },
  body: { outcome: 'unreadable-body', reason: 'not-json', userId: 'instantly:hmac:1' },
};

function bodyWith(faults: readonly Fault[]): string {
  const body = faults.includes('size') ? freshBody({ filler: 'x'.repeat(4_096) }) : freshBody();
  return faults.includes('body') ? `${body},` : body;
}

function sendWith(faults: readonly Fault[], { url }: Pick<RunningReceiver, 'url'>): Promise<RawAnswer> {
  const body = bodyWith(faults);
  const right = signed(faults.includes('signature') ? `${body} ` : body);
  return ask(
    { url },
    {
      method: faults.includes('method') ? 'put' : 'post',
      path: faults.includes('path') ? '/elsewhere' : WEBHOOK_PATH,
      body,
      headers: {
        ...(faults.includes('credentials') ? { 'x-instantly-signature': 'not hex' } : right),
        ...(faults.includes('encoding') ? { 'content-encoding': 'zstd' } : {}),
      },
    },
  );
}

/** A signature cannot be both malformed and well formed. */
const possible = (one: Fault, other: Fault): boolean => !(one === 'credentials' && other === 'signature');

const pairs = FAULTS.flatMap((first, index) =>
  FAULTS.slice(index + 1)
    .filter((second) => possible(first, second))
    .map((second) => [first, second] as const),
);

/** Refused all the same, and kept, since the signature proves the sender. */
const provenOf = (faults: readonly Fault[]): Partial<Expected> =>
  faults[0] === 'encoding' && !faults.some((fault) => ['credentials', 'size', 'signature'].includes(fault))
    ? { userId: 'instantly:hmac:1', quarantined: true }
    : {};

const methodOf = (faults: readonly Fault[]): Pick<Expected, 'method'> =>
  faults.includes('method') ? { method: 'PUT' } : {};

runTable('the order of checks', { ...BOTH_SCHEMES, BODY_LIMIT: '2kb' }, [
  ...FAULTS.map((fault) =>
    row(`${fault} alone`, (running) => sendWith([fault], running), {
      ...OUTCOMES[fault],
      ...methodOf([fault]),
      ...provenOf([fault]),
    }),
  ),
  ...pairs.map((faults) =>
    row(`${faults[0]} before ${faults[1]}`, (running) => sendWith(faults, running), {
      ...OUTCOMES[faults[0]],
      ...methodOf(faults),
      ...provenOf(faults),
    }),
  ),
  row('all of them', (running) => sendWith(FAULTS, running), { ...OUTCOMES.path, method: 'PUT' }),
]);

test('every pair that can be is there', () => {
  expect(pairs).toHaveLength(20);
});
