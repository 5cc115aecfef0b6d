import { randomBytes, randomUUID } from 'node:crypto';

/** Secrets are made when a test runs, so that none stands in the repository. */
export function makeToken(): string {
  return `t0${randomBytes(24).toString('base64url')}`;
}

/** A line of `.env` that counts as a secret. */
export function settingLine(token = makeToken(), name = 'INSTANTLY_WEBHOOK_TOKEN'): string {
  return `${name}=${token}\n`;
}

/** In the form that Instantly's API keys are said to have. */
export function makeInstantlyKey(random = 'aB3dE6gH9jK2'): string {
  return Buffer.from(`${randomUUID()}:${random}`).toString('base64');
}

/** In the form that programs which call Instantly write. */
export function makePrefixedKey(mode = 'live', random = randomBytes(16).toString('hex')): string {
  return ['sk', mode, random].join('_');
}

export function makeWebhookKey(bytes = 24): string {
  return ['whsec', randomBytes(bytes).toString('base64')].join('_');
}

export function makeGithubToken(): string {
  return ['ghp', randomBytes(18).toString('hex')].join('_');
}

export function makeDatabaseUrl(password = randomBytes(9).toString('hex'), query = ''): string {
  return ['postgres:', '', `receiver:${password}@db.internal:5432`, `receiver${query}`].join('/');
}
