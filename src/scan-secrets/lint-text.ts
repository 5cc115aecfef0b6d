// First: it has to come before secretlint.
import './stop-measuring.ts';
import { extname } from 'node:path';
import { lintSource } from '@secretlint/core';
import { creator as preset, type rules } from '@secretlint/secretlint-rule-preset-recommend';
import { findInstantlyKeys, findPasswordsInQueries, findStandardWebhooksKeys } from './find-keys.ts';
import { findSettings, type Stretch } from './find-settings.ts';

type Rule = (typeof rules)[number];

/** Something of a file that is a secret by a rule. */
export interface Match extends Stretch {
  readonly rule: string;
}

const PRESET_PREFIX = '@secretlint/secretlint-rule-';

/** More of them in one file say nothing new. */
const MAX_MATCHES = 1_000;

/** Where an id of secretlint's says less than it could. Its messages are not used, since they hold the secret. */
const WORDS: Readonly<Record<string, string>> = {
  BasicAuth: 'a URL with a password',
  MongoDBConnection: 'a MongoDB URL with a password',
  MySQLConnection: 'a MySQL URL with a password',
  PostgreSQLConnection: 'a PostgreSQL URL with a password',
  PrivateKey: 'a private key',
};

/** Those that know most about what they find first: where two find the same, the first is kept. */
const OWN_RULES = [
  makeRule('instantly-api-key', findInstantlyKeys),
  makeRule('standard-webhooks-key', findStandardWebhooksKeys),
  makeRule('receiver-setting', findSettings),
  makeRule('postgres-password', findPasswordsInQueries),
];

const CONFIG = {
  rules: [
    ...OWN_RULES.map((rule) => ({ id: rule.meta.id, rule })),
    { id: `${PRESET_PREFIX}preset-recommend`, rule: preset },
  ],
};

/**
 * What the rules find in a text. Its comments can switch them off, as secretlint's do (`secretlint-disable-line` and so
 * on, with the id of one or for all).
 *
 * @param path some rules are for certain files
 */
export async function lintText(text: string, path: string): Promise<Match[]> {
  const { messages } = await lintSource({
    // With a last line that ends: secretlint's comments do nothing on one that does not.
    source: { content: `${text}\n`, filePath: path, ext: extname(path), contentType: 'text' },
    // The path may be one of the history: nothing is to be read from there.
    options: { noPhysicFilePath: true, config: CONFIG },
  });
  const matches = messages.map(({ ruleId, messageId, message, range: [start, end] }) => {
    if (isOwn(ruleId)) return { rule: ruleId, what: message, start, end };
    return { rule: ruleId.replace(PRESET_PREFIX, ''), what: WORDS[messageId] ?? messageId, start, end };
  });
  return keepFirst(matches.toSorted((a, b) => rank(a.rule) - rank(b.rule)).slice(0, MAX_MATCHES));
}

/** A secret can fit two rules. */
export function keepFirst(matches: readonly Match[]): Match[] {
  const kept: Match[] = [];
  for (const match of matches) {
    if (kept.every(({ start, end }) => match.end <= start || match.start >= end)) kept.push(match);
  }
  return kept;
}

function isOwn(ruleId: string): boolean {
  return OWN_RULES.some(({ meta }) => meta.id === ruleId);
}

function rank(rule: string): number {
  const place = OWN_RULES.findIndex(({ meta }) => meta.id === rule);
  return place === -1 ? OWN_RULES.length : place;
}

function makeRule(id: string, find: (text: string, path: string) => Iterable<Stretch>): Rule {
  return {
    messages: {},
    meta: { id, type: 'scanner', recommended: true, supportedContentTypes: ['text'] },
    create: (context) => ({
      file: ({ content, filePath }) => {
        for (const { start, end, what } of find(content, filePath ?? '')) {
          context.report({ message: { message: what, messageId: id, data: {} }, range: [start, end] });
        }
      },
    }),
  };
}
