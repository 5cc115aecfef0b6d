import { expect } from '@jest/globals';
import type { AuditEntry } from '../../src/audit/entry.ts';
import type { Fault } from '../../src/fake-instantly/faults.ts';
import type { Operation } from '../../src/fake-instantly/operations.ts';
import type { FakeInstantly } from '../../src/fake-instantly/start-fake-instantly.ts';
import { type ApiFailure, InstantlyApiError } from '../../src/instantly/api-error.ts';
import { OPERATIONS, type OperationName } from '../../src/instantly/operations.ts';

/** More than any call is tried. */
export const ALWAYS = 1_000;
const ATTEMPTS = 5;
/** Milliseconds for calls that are to time out: far more than one that is answered takes. */
export const SHORT_MS = 250;

export interface FaultCase {
  readonly name: string;
  readonly fault: Fault;
  readonly failure: ApiFailure;
}

/** Every way in which the API fails, save fields that are missing, which differ by the operation. */
const FAULTS: readonly FaultCase[] = [
  { name: '401', fault: 401, failure: 'unauthorized' },
  { name: '402', fault: 402, failure: 'plan' },
  { name: '403 of the API', fault: 403, failure: 'scope' },
  { name: '403 of the edge', fault: 'edge', failure: 'blocked' },
  { name: '404', fault: 404, failure: 'not-found' },
  { name: '429', fault: 429, failure: 'rate-limited' },
  { name: '500', fault: 500, failure: 'server' },
  { name: '503', fault: 503, failure: 'server' },
  { name: 'no answer in time', fault: 'hang', failure: 'timeout' },
  { name: 'a dropped connection', fault: 'drop', failure: 'unreachable' },
  { name: 'broken JSON', fault: 'broken-json', failure: 'unreadable' },
  { name: 'its effect and a 500', fault: { afterwards: 500 }, failure: 'server' },
  { name: 'its effect and no answer', fault: { afterwards: 'hang' }, failure: 'timeout' },
  { name: 'its effect and a dropped connection', fault: { afterwards: 'drop' }, failure: 'unreachable' },
];

/** Fields without which an attempt in the delivery log tells nothing, which keeps nobody from reading on. */
const TELLING = ['id', 'webhook_url'];
/** Fields without which an answer is of no use. */
const NEEDED: Partial<Record<Operation, readonly string[]>> = {
  'GET /webhooks': ['items', 'id', 'target_hook_url'],
  'POST /webhooks': ['id', 'target_hook_url'],
  'GET /webhook-events': ['items', ...TELLING],
};

export function faultsOf(operation: Operation): FaultCase[] {
  const lacking = (NEEDED[operation] ?? []).map((field): FaultCase => {
    return { name: `no field ${field}`, fault: { lacks: field }, failure: 'unreadable' };
  });
  return [...FAULTS, ...lacking];
}

/** Whether the delivery log is read to its end all the same. */
export function isReadOn({ fault }: FaultCase): boolean {
  return typeof fault === 'object' && 'lacks' in fault && TELLING.includes(fault.lacks);
}

/** Whether a call has its effect all the same. */
export function takesEffect({ fault }: FaultCase): boolean {
  return fault === 'broken-json' || (typeof fault === 'object' && ('afterwards' in fault || 'lacks' in fault));
}

export function timesOut({ failure }: FaultCase): boolean {
  return failure === 'timeout';
}

/** How often a call is made that goes on failing so. */
export function attemptsOf(operation: Operation, { failure }: FaultCase): number {
  const passes = ['rate-limited', 'server', 'timeout', 'unreachable'].includes(failure);
  if (!passes) return 1;
  return operation === 'POST /webhooks' && failure !== 'rate-limited' ? 1 : ATTEMPTS;
}

/** What the receiver calls it. */
export function nameOf(operation: Operation): OperationName {
  const [method, path] = operation.split(' ');
  const names = Object.keys(OPERATIONS) as OperationName[];
  const found = names.find((name) => OPERATIONS[name].method === method && OPERATIONS[name].path === path);
  if (found === undefined) throw new Error(`the receiver never calls ${operation}`);
  return found;
}

/** That an operator is told what it is, and what to do about it. */
export function expectExplained(error: unknown, operation: Operation, fault: FaultCase): void {
  expect(error).toBeInstanceOf(InstantlyApiError);
  if (!(error instanceof InstantlyApiError)) return;
  expect(error.failure).toBe(fault.failure);
  expectTold(error.message, operation, fault);
}

/** The same where only the words are left. */
export function expectTold(message: string, operation: Operation, { fault, failure }: FaultCase): void {
  const [method, path = ''] = operation.split(' ');
  const name = nameOf(operation);
  expect(message).toContain(`${name}: `);
  const setting = method === 'GET' ? 'INSTANTLY_READ_KEY' : 'INSTANTLY_WRITE_KEY';
  const scope = OPERATIONS[name].scope;
  const says: Readonly<Record<ApiFailure, readonly string[]>> = {
    refused: ['(400)'],
    unauthorized: [setting, 'make one at Instantly under Settings > Integrations > API keys'],
    plan: ['(402)', "need Instantly's Hypergrowth plan"],
    scope: [setting, `lacks the scope ${scope}`, 'make one that has it at Instantly'],
    'excess-scopes': ['INSTANTLY_SCOPES=strict does not use the key in', setting, 'drop '],
    blocked: [
      'front of Instantly refuses the User-Agent (instantly-webhook-receiver/',
      'no scope helps',
      'try from another address',
    ],
    'not-found': path.includes('{id}') ? [setting, '"webhooks list"'] : ['check INSTANTLY_API_URL'],
    'rate-limited': ['(429)', 'try again in a minute'],
    server: ['try again in a few minutes'],
    timeout: ['try again in a few minutes'],
    unreachable: ['check the network and INSTANTLY_API_URL'],
    'too-large': ['check INSTANTLY_API_URL'],
    unreadable: ['check INSTANTLY_API_URL, or update the receiver'],
  };
  for (const text of says[failure]) expect(message).toContain(text);
  if (typeof fault === 'object' && 'lacks' in fault) expect(message).toContain(fault.lacks);
}

/** That the audit log has each call that was made, in order, and no other. */
export function expectCallsAudited(entries: readonly AuditEntry[], fake: FakeInstantly): void {
  const audited = entries
    .filter(({ action }) => action === 'instantly.api.call')
    .map(({ resource, metadata }) => `${String(metadata['method'])} ${resource.replace('/api/v2', '')}`);
  expect(audited).toEqual(fake.calls().map(({ operation }) => operation));
}

export function failuresOf(entries: readonly AuditEntry[], action: string): unknown[] {
  return entries
    .filter((entry) => entry.action === action && entry.result === 'failure')
    .map(({ metadata }) => metadata['reason']);
}
