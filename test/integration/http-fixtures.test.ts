import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { canonicalType, isCanonicalType } from '../../src/events/names.ts';
import { checkCase } from '../support/check-case.ts';
import {
  type Headers,
  KEY,
  STANDARD_KEY,
  signed,
  signedAt,
  signedStandard,
  TOKEN,
  withToken,
} from '../support/credentials.ts';
import { post } from '../support/post.ts';
import { row, runTable } from '../support/run-table.ts';

const FOLDER = fileURLToPath(new URL('../fixtures/events', import.meta.url));
const FILES = readdirSync(FOLDER);

interface Scheme {
  readonly title: string;
  readonly env: NodeJS.ProcessEnv;
  readonly userId: string;
  readonly prove: (body: Uint8Array | string) => Headers;
}

const SCHEMES: readonly Scheme[] = [
  { title: 'token', env: { INSTANTLY_WEBHOOK_TOKEN: TOKEN }, userId: 'instantly:token:1', prove: () => withToken },
  { title: 'body', env: { INSTANTLY_SECRET: KEY }, userId: 'instantly:hmac:1', prove: (body) => signed(body) },
  {
    title: 'timestamped',
    env: { INSTANTLY_SECRET: KEY, INSTANTLY_SIGNATURE_SCHEME: 'timestamped' },
    userId: 'instantly:hmac:1',
    prove: (body) => signedAt(body),
  },
  {
    title: 'standard-webhooks',
    env: { INSTANTLY_SECRET: STANDARD_KEY, INSTANTLY_SIGNATURE_SCHEME: 'standard-webhooks' },
    userId: 'instantly:hmac:1',
    prove: (body) => signedStandard(body),
  },
];

/** The same payload with its keys the other way round, at every level, and other white space. */
function reordered(text: string): string {
  const turn = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(turn);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value)
        .reverse()
        .map(([key, member]) => [key, turn(member)]),
    );
  };
  return JSON.stringify(turn(JSON.parse(text)), null, 3);
}

for (const { title, env, userId, prove } of SCHEMES) {
  runTable(
    `the sample events, proven by ${title}`,
    env,
    FILES.map((file) => {
      const body = readFileSync(`${FOLDER}/${file}`);
      const text = body.toString('utf8');
      const name = canonicalType(String((JSON.parse(text) as { event_type: unknown }).event_type));
      const eventType = isCanonicalType(name) ? name : 'custom';
      return row(
        file,
        (running) => post(running, body, prove(body)),
        { outcome: 'accepted', userId, metadata: { eventType, bytes: body.byteLength } },
        async ({ answer }, running) => {
          const { id } = JSON.parse(answer.text) as { id: string };
          for (const again of [text, reordered(text), JSON.stringify(JSON.parse(text))]) {
            const expected = { outcome: 'duplicate', userId, metadata: { eventType, eventId: id } } as const;
            const { answer: second } = await checkCase(running, () => post(running, again, prove(again)), expected);
            expect(JSON.parse(second.text)).toEqual({ status: 'duplicate', id });
          }
        },
      );
    }),
  );
}

test('every type has its sample', () => {
  expect(FILES).toHaveLength(20);
});
