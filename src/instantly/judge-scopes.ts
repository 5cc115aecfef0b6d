import { API_USES, type ApiUse, type KeyPurpose, neededScopes } from './api-uses.ts';
import { allows } from './operations.ts';

/** Where a receiver runs, by NODE_ENV: what is neither staging nor production is development. */
export type Deployment = 'development' | 'staging' | 'production';

/**
 * What a key may do beside reading, by where it is used. Exactly what is needed is for production alone: elsewhere a mistake or
 * a leak must not be able to take a registration away.
 */
export const MAY_CHANGE: Readonly<Record<Deployment, readonly string[] | 'what is needed'>> = {
  development: [],
  staging: ['webhooks:update'],
  production: 'what is needed',
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
  const mayChange = MAY_CHANGE[deployment];
  return [...neededScopes(purpose).keys()]
    .filter((scope) => isReading(scope) || mayChange === 'what is needed' || mayChange.includes(scope))
    .toSorted();
}

export function judgeScopes(question: ScopeQuestion): ScopeFinding[] {
  const { scopes, purpose, deployment } = question;
  if (scopes.includes('all:all')) return [{ status: 'fail', found: 'may do everything in the workspace (all:all)' }];
  const allowed = allowedScopes(purpose, deployment);
  const forbidden = scopes.filter((scope) => mayChangeTooMuch(scope, allowed));
  const wildcards = scopes.filter((scope) => isWildcard(scope) && !forbidden.includes(scope));
  const idle = scopes.filter((scope) => isReading(scope) && !isWildcard(scope) && !allowed.includes(scope));
  const findings: ScopeFinding[] = [];
  if (forbidden.length > 0) {
    const limit = deployment === 'production' ? 'nothing here needs' : `is too much in ${deployment}`;
    findings.push({ status: 'fail', found: `may change what ${limit} (${forbidden.join(', ')})` });
  }
  if (wildcards.length > 0) {
    findings.push({ status: 'warn', found: `may do more than is needed by wildcards (${wildcards.join(', ')})` });
  }
  if (idle.length > 0 && deployment === 'production') {
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
