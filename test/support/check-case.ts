import { expect } from '@jest/globals';
import { PROBLEMS, type ProblemCode } from '../../src/errors/problem.ts';
import { SECRETS } from './credentials.ts';
import { observe, type Traces } from './observe.ts';
import type { RawAnswer } from './parse-answer.ts';
import { LEAD, MARK } from './payloads.ts';
import { WEBHOOK_PATH } from './post.ts';
import type { RunningReceiver } from './start-receiver.ts';

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

export interface Expected {
  /** `accepted`, `duplicate`, `ok`, or the code of the problem. */
  readonly outcome: 'accepted' | 'duplicate' | 'ok' | ProblemCode;
  /** The word for operators; the outcome itself where left out. */
  readonly reason?: string;
  /** Default: `anonymous`. */
  readonly userId?: string;
  /** Default: the webhook's. `request.refuse` is of no route. */
  readonly action?: 'webhook.receive' | 'health.check' | 'metrics.scrape' | 'request.refuse';
  /** Default: that of the action, save for health.check. */
  readonly resource?: string;
  /** Default: POST. */
  readonly method?: string;
  /** More of the entry's metadata. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly mismatch?: true;
  /** Whether the body is kept although it is no event; an unreadable one always is. */
  readonly quarantined?: true;
}

export interface Checked {
  readonly answer: RawAnswer;
  readonly traces: Traces;
}

/** Sends one request and holds everything it leaves behind against what is expected of it. */
export async function checkCase(
  running: RunningReceiver,
  send: (running: RunningReceiver) => Promise<RawAnswer>,
  expected: Expected,
): Promise<Checked> {
  const settle = await observe(running);
  const answer = await send(running);
  const traces = await settle(1);
  checkAnswer(answer, expected);
  checkTraces(traces, answer.status, expected);
  expect(traces.lines[0]?.['requestId']).toBe(answer.headers['x-request-id']);
  checkSilence(answer, traces);
  return { answer, traces };
}

function statusOf(outcome: Expected['outcome']): number {
  return isProblem(outcome) ? PROBLEMS[outcome].status : 200;
}

function isProblem(outcome: Expected['outcome']): outcome is ProblemCode {
  return outcome in PROBLEMS;
}

function checkAnswer(answer: RawAnswer, { outcome, method, action }: Expected): void {
  expect({ status: answer.status, text: answer.status === statusOf(outcome) ? '' : answer.text }).toEqual({
    status: statusOf(outcome),
    text: '',
  });
  const requestId = answer.headers['x-request-id'] ?? '';
  expect(requestId).not.toBe('');
  if (isProblem(outcome)) {
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json(; charset=utf-8)?$/);
    if (method === 'HEAD') return;
    const { status, title, detail } = PROBLEMS[outcome];
    expect(JSON.parse(answer.text)).toEqual({
      type: `urn:instantly-webhook-receiver:problem:${outcome}`,
      title,
      status,
      detail,
      instance: `urn:instantly-webhook-receiver:request:${requestId}`,
      code: outcome,
    });
    if (outcome === 'unauthenticated' && action === undefined) checkAlike(answer);
  } else if (outcome !== 'ok') {
    const { status, id, ...rest } = JSON.parse(answer.text) as Record<string, unknown>;
    expect([status, rest]).toEqual([outcome, {}]);
    expect(id).toMatch(UUID_V7);
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
  }
}

let firstRefusal: string | undefined;

/** Whatever the cause, a 401 of the webhook is the same save for its instance. */
function checkAlike({ headers, text }: RawAnswer): void {
  const {
    'x-request-id': requestId = '',
    date: _date,
    connection: _connection,
    'keep-alive': _timeout,
    ...rest
  } = headers;
  const form = JSON.stringify([rest, text.replace(requestId, 'ID')]);
  firstRefusal ??= form;
  expect(form).toBe(firstRefusal);
}

/** What one request has left behind: its line, its entry, its count, and what it stored. */
function checkTraces(traces: Traces, status: number, expected: Expected): void {
  const { outcome, userId = 'anonymous', action = 'webhook.receive', method = 'POST' } = expected;
  const reason = expected.reason ?? outcome;
  const result = status < 400 ? 'success' : 'failure';
  const facts = { method, status, reason, ...expected.metadata };
  expect(traces.entries).toHaveLength(1);
  const resource = expected.resource ?? RESOURCES[action];
  expect(traces.entries[0]).toMatchObject({ action, userId, resource, result, metadata: facts });
  expect(traces.entries[0]?.id).toMatch(UUID_V7);
  expect(traces.lines).toHaveLength(1);
  expect(traces.lines[0]).toMatchObject({ action, userId, resource, ...facts });
  expect(traces.lines[0]?.['requestId']).toBe(traces.entries[0]?.metadata['requestId']);
  expect(traces.audited).toEqual({ [result]: 1 });
  expect(traces.outcomes).toEqual(action === 'webhook.receive' ? { [outcome]: 1 } : {});
  expect(traces.events).toHaveLength(outcome === 'accepted' ? 1 : 0);
  expect(traces.quarantined).toBe(outcome === 'unreadable-body' || expected.quarantined ? 1 : 0);
  expect(traces.mismatches).toBe(expected.mismatch === true ? 1 : 0);
  expect(traces.bufferedBytes).toBe(0);
}

const RESOURCES = {
  'webhook.receive': WEBHOOK_PATH,
  'health.check': '/healthz',
  'metrics.scrape': '/metrics',
  'request.refuse': 'other',
} as const;

const FORBIDDEN: readonly string[] = [...SECRETS, MARK, LEAD, 'receiver.db', 'node_modules', '/src/', '.ts:'];

/** Nothing that a request holds, no secret and no file's path comes out again. */
export function checkSilence(answer: RawAnswer | undefined, { log, entries }: Pick<Traces, 'log' | 'entries'>): void {
  const said = JSON.stringify([answer, log, entries]);
  for (const word of FORBIDDEN) expect({ word, said: said.includes(word) ? said : '' }).toEqual({ word, said: '' });
}
