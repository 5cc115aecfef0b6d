import type { ApiKey, KeyInUse, KeyPurpose } from '../config/settings.ts';
import { KEYS_PAGE } from './api-error.ts';
import { API_USES, type ApiUse, neededScopes } from './api-uses.ts';
import { allows } from './operations.ts';

/** Where a receiver runs, by NODE_ENV: what is neither staging nor production is development. */
export type Deployment = 'development' | 'staging' | 'production';

/**
 * The table of least privilege: what a key may hold, by where it is used. Outside of production a key may read everything; it
 * must not be able to take a registration away.
 */
export const MAY_HOLD: Readonly<
  Record<
    Deployment,
    { readonly read: 'anything' | 'what is needed'; readonly change: readonly string[] | 'what is needed' }
  >
> = {
  development: { read: 'anything', change: [] },
  staging: { read: 'anything', change: ['webhooks:create', 'webhooks:update'] },
  production: { read: 'what is needed', change: 'what is needed' },
};

export interface ScopeQuestion {
  readonly scopes: readonly string[];
  readonly purpose: KeyPurpose;
  readonly deployment: Deployment;
  /** Whether the service resumes by itself. */
  readonly autoResume: boolean;
}

export interface ScopeFinding {
  readonly status: 'ok' | 'warn' | 'fail';
  /** Said of the key: `may change things …`. */
  readonly found: string;
}

export function deploymentOf(nodeEnv: string | undefined): Deployment {
  return nodeEnv === 'production' || nodeEnv === 'staging' ? nodeEnv : 'development';
}

/** The scopes that a key should have. */
export function rightScopes(purpose: KeyPurpose, deployment: Deployment): string[] {
  const needed = neededScopes(purpose);
  return allowedScopes(purpose, deployment).filter((scope) =>
    needed.get(scope)?.some((name) => lackOf(name) !== 'bearable'),
  );
}

/** Those that it may have besides, of all that something here would use. */
function allowedScopes(purpose: KeyPurpose, deployment: Deployment): string[] {
  const { change } = MAY_HOLD[deployment];
  return [...neededScopes(purpose).keys()]
    .filter((scope) => isReading(scope) || change === 'what is needed' || change.includes(scope))
    .toSorted();
}

/** @returns those that go beyond what the key may hold; the order is that of `scopes` */
export function excessScopes({ scopes, purpose, deployment }: Omit<ScopeQuestion, 'autoResume'>): string[] {
  const { forbidden, wildcards, idle } = sortOut({ scopes, purpose, deployment });
  return scopes.filter((scope) => [forbidden, wildcards, idle].some((some) => some.includes(scope)));
}

/** One sentence: the scopes to drop, and where. */
export function explainExcess({ key, purpose }: KeyInUse, excess: readonly string[], deployment: Deployment): string {
  return `it may do more than ${deployment} may hold: drop ${excess.join(', ')}; ${adviseKey(key.setting, purpose, deployment)}`;
}

/** What to do about a key with the wrong scopes; those of a key cannot be changed. */
export function adviseKey(setting: ApiKey['setting'], purpose: KeyPurpose, deployment: Deployment): string {
  const right = rightScopes(purpose, deployment);
  if (right.length === 0) return `take ${setting} away: in ${deployment} nothing is to be changed`;
  return `make one at ${KEYS_PAGE} with ${right.join(', ')} and nothing else, set ${setting} to it, and delete the other`;
}

/** By kind: they change too much; they stand for more than is needed; they read what nothing needs. */
function sortOut({ scopes, purpose, deployment }: Omit<ScopeQuestion, 'autoResume'>) {
  const allowed = allowedScopes(purpose, deployment);
  const readsAnything = MAY_HOLD[deployment].read === 'anything';
  const isRightReading = (scope: string): boolean => isReading(scope) && readsAnything;
  const forbidden = scopes.filter((scope) => mayChangeTooMuch(scope, allowed));
  const rest = scopes.filter((scope) => !forbidden.includes(scope) && !isRightReading(scope));
  const wildcards = rest.filter(isWildcard);
  const idle = rest.filter((scope) => isReading(scope) && !isWildcard(scope) && !allowed.includes(scope));
  return { forbidden, wildcards, idle };
}

export function judgeScopes(question: ScopeQuestion): ScopeFinding[] {
  const { scopes, purpose, deployment } = question;
  if (scopes.includes('all:all')) return [{ status: 'fail', found: 'may do everything in the workspace (all:all)' }];
  const { forbidden, wildcards, idle } = sortOut(question);
  const findings: ScopeFinding[] = [];
  if (forbidden.length > 0) {
    const limit = deployment === 'production' ? 'nothing here needs' : `is too much in ${deployment}`;
    findings.push({ status: 'fail', found: `may change what ${limit} (${forbidden.join(', ')})` });
  }
  if (wildcards.length > 0) {
    findings.push({ status: 'warn', found: `may do more than is needed by wildcards (${wildcards.join(', ')})` });
  }
  if (idle.length > 0) {
    findings.push({ status: 'warn', found: `may read what nothing here needs (${idle.join(', ')})` });
  }
  const right = rightScopes(purpose, deployment);
  findings.push(...judgeMissing(question, right));
  if (findings.length > 0) return findings;
  return [
    { status: 'ok', found: right.length === 0 ? 'may change nothing' : `may do what it should (${scopes.join(', ')})` },
  ];
}

/** Some that are missing keep the service from its work, others only commands. */
function judgeMissing({ scopes, purpose, autoResume }: ScopeQuestion, right: readonly string[]): ScopeFinding[] {
  const needed = neededScopes(purpose);
  return right
    .filter((scope) => !allows(scopes, scope))
    .map((scope) => {
      const users = (needed.get(scope) ?? []).filter(
        (name) => lackOf(name) !== 'bearable' && (autoResume || !name.startsWith('resuming')),
      );
      const stops = users.some((name) => lackOf(name) === 'service');
      return { status: stops ? 'fail' : 'warn', found: `lacks ${scope}, which is needed for: ${users.join(', ')}` };
    });
}

function lackOf(use: string): ApiUse['lack'] | undefined {
  const uses: Readonly<Record<string, ApiUse>> = API_USES;
  return uses[use]?.lack;
}

/** Whether it lets a key change what it should not. A wildcard does where anything that it stands for does. */
function mayChangeTooMuch(scope: string, allowed: readonly string[]): boolean {
  const [resource = '', action = ''] = scope.split(':');
  if (isReading(scope)) return false;
  if (resource === 'all') return !allowed.some((one) => one.endsWith(`:${action}`));
  if (action !== 'all') return !allowed.includes(scope);
  return ['create', 'update', 'delete'].some((one) => !allowed.includes(`${resource}:${one}`));
}

function isReading(scope: string): boolean {
  return scope.endsWith(':read');
}

function isWildcard(scope: string): boolean {
  return scope.startsWith('all:') || scope.endsWith(':all');
}
