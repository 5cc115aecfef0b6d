import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isSecretSetting, SETTING_NAMES } from '../../src/config/catalogue.ts';
import { editDistance, findMistypedNames, SHARED_NAMES } from '../../src/config/suggest-name.ts';

describe('the edit distance', () => {
  test.each([
    ['', '', 0],
    ['', 'abc', 3],
    ['kitten', 'sitting', 3],
    ['flaw', 'lawn', 2],
    ['ab', 'ba', 1],
    ['abcd', 'acbd', 1],
    ['CA', 'ABC', 3],
  ])('of %j and %j is %d', (from, to, distance) => {
    expect(editDistance(from, to)).toBe(distance);
  });

  test('is the same both ways, and nought for the same text alone', () => {
    const text = fc.stringMatching(/^[AB_]{0,8}$/);
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(editDistance(a, b)).toBe(editDistance(b, a));
        expect(editDistance(a, b) === 0).toBe(a === b);
        expect(editDistance(a, b)).toBeGreaterThanOrEqual(Math.abs(a.length - b.length));
        expect(editDistance(a, b)).toBeLessThanOrEqual(Math.max(a.length, b.length));
      }),
    );
  });
});

describe('mistyped names', () => {
  test.each([
    ['INSTANTLY_SECRETS', 'INSTANTLY_SECRET'],
    ['INSTANLTY_SECRET', 'INSTANTLY_SECRET'],
    ['INSTANTLY_WEBHOOK_TOKEN_FIEL', 'INSTANTLY_WEBHOOK_TOKEN_FILE'],
    ['HANDLER_CONCURENCY', 'HANDLER_CONCURRENCY'],
    ['HANDLERS_TIMEOUT_SECONDS', 'HANDLER_TIMEOUT_SECONDS'],
    ['HANDLER_TIMEOUT', 'HANDLER_TIMEOUT_SECONDS'],
    ['DATABASE_URI', 'DATABASE_URL'],
    ['instantly_secret', 'INSTANTLY_SECRET'],
    ['METRIC_TOKEN', 'METRICS_TOKEN'],
  ])('%s is taken for %s', (name, meant) => {
    expect(findMistypedNames([name, name])).toEqual([
      `${name} is not a setting of this receiver and is ignored; did you mean ${meant}?`,
    ]);
  });

  test('one of our own prefix that resembles nothing is said to be unknown', () => {
    expect(findMistypedNames(['INSTANTLY_WEBHOOK_SECRET'])).toEqual([
      'INSTANTLY_WEBHOOK_SECRET is not a setting of this receiver and is ignored; .env.example lists them all',
    ]);
  });

  test("our own names and other programs' are left alone", () => {
    const own = SETTING_NAMES.flatMap((name) => (isSecretSetting(name) ? [name, `${name}_FILE`] : [name]));
    const others = [
      'PATH',
      'HOME',
      'HOSTNAME',
      'LOGNAME',
      'POST',
      'SPORT',
      'NODE_OPTIONS',
      'npm_config_port',
      'LOG_FORMAT',
      'MAX_OLD',
    ];
    expect(findMistypedNames([...own, ...others, 'INSTANTLY_\n', `INSTANTLY_${'X'.repeat(60)}`])).toEqual([]);
  });

  test('one slip in a long name is always noticed', () => {
    const name = fc.constantFrom(...SETTING_NAMES.filter((known) => known.length > 9 && !SHARED_NAMES.has(known)));
    fc.assert(
      fc.property(name, fc.nat(), fc.constantFrom('Q', ''), (known, place, letter) => {
        const at = place % known.length;
        const slipped = known.slice(0, at) + letter + known.slice(at + 1);
        fc.pre(slipped !== known);
        expect(findMistypedNames([slipped])).toHaveLength(1);
      }),
    );
  });

  test.each(['HTTP_PROXY', 'http_proxy', 'https_proxy', 'no_proxy', 'ALL_PROXY', 'HTTPS_PROX'])(
    'the name %s is one of other programs, and not doubted',
    (name) => expect(findMistypedNames([name])).toEqual([]),
  );
});
