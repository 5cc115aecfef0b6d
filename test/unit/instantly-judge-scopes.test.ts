import { describe, expect, test } from '@jest/globals';
import { API_USES, neededScopes } from '../../src/instantly/api-uses.ts';
import {
  type Deployment,
  deploymentOf,
  excessScopes,
  judgeScopes,
  MAY_HOLD,
  rightScopes,
  type ScopeQuestion,
} from '../../src/instantly/judge-scopes.ts';
import { allows, OPERATIONS } from '../../src/instantly/operations.ts';

const DEPLOYMENTS: readonly Deployment[] = ['development', 'staging', 'production'];
const PURPOSES = ['reading', 'writing', 'both'] as const;
const READING = ['webhooks:read', 'webhook_events:read', 'campaigns:read', 'audit_logs:read', 'api_keys:read'];
const WRITING = ['webhooks:create', 'webhooks:update', 'webhooks:delete'];

const ask = (question: Partial<ScopeQuestion>) =>
  judgeScopes({ scopes: [], purpose: 'reading', deployment: 'production', autoResume: true, ...question });

/** `status word-of-found`, in order. */
const verdicts = (question: Partial<ScopeQuestion>): string[] =>
  ask(question).map(({ status, found }) => `${status} ${found}`);

test('the table of needs: what is right for each purpose and place', () => {
  expect(rightScopes('reading', 'production').toSorted()).toEqual(READING.toSorted());
  expect(rightScopes('writing', 'production').toSorted()).toEqual(WRITING.toSorted());
  expect(rightScopes('both', 'production').toSorted()).toEqual([...READING, ...WRITING].toSorted());
  expect(rightScopes('writing', 'staging')).toEqual(['webhooks:create', 'webhooks:update']);
  expect(rightScopes('writing', 'development')).toEqual([]);
  expect(rightScopes('both', 'development').toSorted()).toEqual(READING.toSorted());
});

test('every place has its rule: reading in development, registering in staging, what is needed in production', () => {
  expect(Object.keys(MAY_HOLD)).toEqual(DEPLOYMENTS);
  expect(MAY_HOLD).toEqual({
    development: { read: 'anything', change: [] },
    staging: { read: 'anything', change: ['webhooks:create', 'webhooks:update'] },
    production: { read: 'what is needed', change: 'what is needed' },
  });
});

test.each<[string, Partial<ScopeQuestion>, string[]]>([
  ['development may read everything', { deployment: 'development', scopes: ['all:read', 'leads:read'] }, []],
  ['and change nothing', { deployment: 'development', scopes: ['all:read', 'webhooks:update'] }, ['webhooks:update']],
  ['nor hold everything', { deployment: 'development', scopes: ['all:all'] }, ['all:all']],
  [
    'staging may read everything and register',
    { deployment: 'staging', purpose: 'both', scopes: ['all:read', 'webhooks:create', 'webhooks:update'] },
    [],
  ],
  [
    'and delete nothing, nor act beyond webhooks',
    { deployment: 'staging', purpose: 'writing', scopes: ['webhooks:delete', 'all:update', 'leads:create'] },
    ['webhooks:delete', 'all:update', 'leads:create'],
  ],
  [
    'staging: a key for reading only reads',
    { deployment: 'staging', scopes: ['all:read', 'webhooks:create'] },
    ['webhooks:create'],
  ],
  ['production: what is needed', { scopes: [...READING, 'workspaces:read'] }, []],
  [
    'and nothing else',
    { scopes: [...READING, 'all:read', 'leads:read', 'webhooks:all'] },
    ['all:read', 'leads:read', 'webhooks:all'],
  ],
  ['a key for writing need not read', { purpose: 'writing', scopes: [...WRITING, 'webhooks:read'] }, ['webhooks:read']],
])('excess: %s', (_, question, expected) => {
  expect(excessScopes({ scopes: [], purpose: 'reading', deployment: 'production', ...question })).toEqual(expected);
});

test('every scope of the table is that of an operation, and every use has one', () => {
  const scopes = Object.values(OPERATIONS).map(({ scope }) => scope);
  for (const [scope, users] of neededScopes('both')) {
    expect(scopes).toContain(scope);
    expect(users.length).toBeGreaterThan(0);
  }
  const users = new Set([...neededScopes('both').values()].flat());
  expect([...users].toSorted()).toEqual(Object.keys(API_USES).toSorted());
});

describe.each(DEPLOYMENTS)('in %s', (deployment) => {
  test.each(PURPOSES)('what is right for %s is ok, and all:all a failure', (purpose) => {
    const right = ask({ scopes: rightScopes(purpose, deployment), purpose, deployment });
    expect(right.map(({ status }) => status)).toEqual(['ok']);
    const all = verdicts({ scopes: ['all:all', 'webhooks:read'], purpose, deployment });
    expect(all).toEqual(['fail may do everything in the workspace (all:all)']);
  });

  test('a wildcard of reading is a warning in production alone', () => {
    const found = verdicts({ scopes: ['all:read'], deployment });
    expect(found).toEqual([
      deployment === 'production'
        ? 'warn may do more than is needed by wildcards (all:read)'
        : 'ok may do what it should (all:read)',
    ]);
  });
});

const TOO_MUCH = 'may change what';

test.each<[string, Partial<ScopeQuestion>, string[]]>([
  [
    'what a command can do without may be there',
    { scopes: [...READING, 'workspaces:read'] },
    [`ok may do what it should (${[...READING, 'workspaces:read'].join(', ')})`],
  ],
  [
    'and where it changes something, in production alone',
    { scopes: ['webhooks:create', 'webhooks:update', 'api_keys:delete'], purpose: 'writing', deployment: 'staging' },
    ['fail may change what is too much in staging (api_keys:delete)'],
  ],
  [
    'in production',
    { scopes: [...WRITING, 'api_keys:delete'], purpose: 'writing' },
    [`ok may do what it should (${[...WRITING, 'api_keys:delete'].join(', ')})`],
  ],
  [
    'development: nothing is changed',
    { deployment: 'development', scopes: [...READING, 'webhooks:update'], purpose: 'both' },
    [`fail ${TOO_MUCH} is too much in development (webhooks:update)`],
  ],
  [
    'development: a wildcard that changes is no mere warning',
    { deployment: 'development', scopes: [...READING, 'webhooks:all'] },
    [`fail ${TOO_MUCH} is too much in development (webhooks:all)`],
  ],
  [
    'development: it may read what it likes',
    { deployment: 'development', scopes: [...READING, 'leads:read'] },
    [`ok may do what it should (${[...READING, 'leads:read'].join(', ')})`],
  ],
  [
    'staging: webhooks may be made and updated, and not deleted',
    { deployment: 'staging', purpose: 'writing', scopes: ['webhooks:create', 'webhooks:update', 'webhooks:delete'] },
    [`fail ${TOO_MUCH} is too much in staging (webhooks:delete)`],
  ],
  [
    'staging: a wildcard of it stands for both',
    { deployment: 'staging', purpose: 'writing', scopes: ['webhooks:all'] },
    [`fail ${TOO_MUCH} is too much in staging (webhooks:all)`],
  ],
  [
    'staging: a key for reading changes nothing',
    { deployment: 'staging', scopes: [...READING, 'webhooks:update'] },
    [`fail ${TOO_MUCH} is too much in staging (webhooks:update)`],
  ],
  [
    'production: nothing beyond what is needed is changed',
    { scopes: [...WRITING, 'leads:delete'], purpose: 'writing' },
    [`fail ${TOO_MUCH} nothing here needs (leads:delete)`],
  ],
  [
    'production: nor read, though that is less bad',
    { scopes: [...READING, 'leads:read'] },
    ['warn may read what nothing here needs (leads:read)'],
  ],
  [
    'production: a wildcard that stands for what is needed',
    { scopes: ['webhooks:all'], purpose: 'writing' },
    ['warn may do more than is needed by wildcards (webhooks:all)'],
  ],
  [
    'production: one of all resources that stands for what is needed too',
    { scopes: ['webhooks:create', 'webhooks:delete', 'all:update'], purpose: 'writing' },
    ['warn may do more than is needed by wildcards (all:update)'],
  ],
  [
    'production: one of all resources that stands for more than that',
    { scopes: ['webhooks:all', 'all:update', 'all:create'], purpose: 'reading' },
    [
      `fail ${TOO_MUCH} nothing here needs (webhooks:all, all:update, all:create)`,
      'warn lacks api_keys:read, which is needed for: audit correlate, doctor',
      'warn lacks audit_logs:read, which is needed for: audit correlate',
      'fail lacks campaigns:read, which is needed for: the watch of the service',
      'fail lacks webhook_events:read, which is needed for: the watch of the service, reconcile',
    ],
  ],
  [
    'what the service lacks is a failure, what a command lacks a warning',
    { scopes: ['webhooks:create'], purpose: 'writing' },
    [
      'warn lacks webhooks:delete, which is needed for: webhooks delete',
      'fail lacks webhooks:update, which is needed for: resuming by the service (INSTANTLY_AUTO_RESUME), webhooks register, webhooks test, webhooks resume, secrets rotate',
    ],
  ],
  [
    'where the service does not resume, a command alone lacks it',
    { scopes: ['webhooks:create', 'webhooks:delete'], purpose: 'writing', autoResume: false },
    [
      'warn lacks webhooks:update, which is needed for: webhooks register, webhooks test, webhooks resume, secrets rotate',
    ],
  ],
])('%s', (_, question, expected) => {
  expect(verdicts(question)).toEqual(expected);
});

test('no key that is told ok lacks what is right or has what is not', () => {
  const pool = [
    ...READING,
    ...WRITING,
    'all:read',
    'webhooks:all',
    'leads:read',
    'leads:update',
    'all:update',
    'all:all',
  ];
  for (let bits = 0; bits < 2 ** pool.length; bits += 7) {
    const scopes = pool.filter((_, index) => (bits >> index) % 2 === 1);
    for (const deployment of DEPLOYMENTS) {
      for (const purpose of PURPOSES) {
        const [first, ...others] = ask({ scopes, purpose, deployment });
        if (first?.status !== 'ok') continue;
        expect(others).toEqual([]);
        const right = rightScopes(purpose, deployment);
        expect(right.filter((scope) => !allows(scopes, scope))).toEqual([]);
        expect(scopes.filter((scope) => !scope.endsWith(':read') && !right.includes(scope))).toEqual([]);
        const wide = scopes.filter((scope) => scope.includes('all') && scope !== 'all:read');
        expect(deployment === 'production' ? scopes.filter((scope) => scope.includes('all')) : wide).toEqual([]);
        expect(excessScopes({ scopes, purpose, deployment })).toEqual([]);
      }
    }
  }
});

test.each([
  [undefined, 'development'],
  ['test', 'development'],
  ['Production', 'development'],
  ['staging', 'staging'],
  ['production', 'production'],
])('NODE_ENV %s is %s', (nodeEnv, expected) => {
  expect(deploymentOf(nodeEnv)).toBe(expected);
});
