import { expect } from '@jest/globals';
import { accepts, LONG, refusal, refuses, sends, sendsFields, signature, token } from '../support/credential-rows.ts';
import { type Headers, OLD_TOKEN, signed, TOKEN, withToken } from '../support/credentials.ts';
import { freshBody, MARK } from '../support/payloads.ts';
import { ask, fields, WEBHOOK_PATH } from '../support/post.ts';
import { row, runTable } from '../support/run-table.ts';
import { BOTH_SCHEMES } from '../support/start-receiver.ts';

/** Its base64 has the signs in which the two alphabets differ, and needs padding. */
const ODD_USER = 'user>>>???:~~~~password';

const authorization = (value: string): Headers => ({ authorization: value });

runTable('token alone', { INSTANTLY_WEBHOOK_TOKEN: `${TOKEN},${OLD_TOKEN}` }, [
  accepts('right', 'instantly:token:1', () => withToken),
  accepts('right, an old one', 'instantly:token:2', () => token(OLD_TOKEN)),
  accepts('right, beside a signature that nobody configured', 'instantly:token:1', () => ({
    ...withToken,
    ...signature(MARK),
  })),
  refuses('absent', 'missing', () => ({})),
  refuses('empty', 'malformed', () => token('')),
  refuses('wrong', 'mismatch', () => token(`wrong-token-${MARK}`)),
  refuses('in another case', 'mismatch', () => token(TOKEN.toUpperCase())),
  refuses('one character short', 'mismatch', () => token(TOKEN.slice(0, -1))),
  refuses('one character long', 'mismatch', () => token(`${TOKEN}e`)),
  refuses('both, as they are configured', 'mismatch', () => token(`${TOKEN},${OLD_TOKEN}`)),
  refuses('as a bearer token in a header of its own', 'mismatch', () => token(`Bearer ${TOKEN}`)),
  refuses('10 KB long', 'too-long', () => token(LONG)),
  refuses('in another header', 'missing', () => authorization(`Bearer ${TOKEN}`)),
  row(
    'in the URL',
    (running) => ask(running, { path: `${WEBHOOK_PATH}?x-webhook-secret=${TOKEN}`, body: freshBody() }),
    refusal('missing'),
  ),
  row(
    'repeated, right both times',
    sendsFields(() => [...fields(withToken), ...fields(withToken)]),
    refusal('repeated'),
  ),
]);

runTable('either', BOTH_SCHEMES, [
  accepts('both right', 'instantly:hmac:1+instantly:token:1', (body) => ({ ...withToken, ...signed(body) })),
  accepts('the signature right, the token wrong', 'instantly:hmac:1', (body) => ({
    ...token(MARK),
    ...signed(body),
  })),
  row(
    'the token right, the signature wrong',
    sends(() => ({ ...withToken, ...signed(MARK) })),
    { outcome: 'accepted', userId: 'instantly:token:1', metadata: { signatureMismatch: true }, mismatch: true },
    ({ traces }) => expect(traces.log.filter(({ level }) => Number(level) === 40)).toHaveLength(1),
  ),
  row(
    'the token right, the signature malformed',
    sends(() => ({ ...withToken, ...signature(MARK) })),
    { outcome: 'accepted', userId: 'instantly:token:1', metadata: { signatureMismatch: true }, mismatch: true },
  ),
  accepts('the token right, no signature', 'instantly:token:1', () => withToken),
  refuses('both wrong', 'mismatch', () => ({ ...token(MARK), ...signed(MARK) })),
  refuses('neither', 'missing', () => ({})),
  row(
    'a repeated token beside a right signature',
    sendsFields((body) => [...fields(withToken), ...fields(withToken), ...fields(signed(body))]),
    { outcome: 'accepted', userId: 'instantly:hmac:1' },
  ),
]);

runTable('both required', { ...BOTH_SCHEMES, INSTANTLY_REQUIRE: 'both' }, [
  accepts('both right', 'instantly:hmac:1+instantly:token:1', (body) => ({ ...withToken, ...signed(body) })),
  refuses('the token alone', 'missing', () => withToken),
  refuses('the signature alone', 'missing', (body) => signed(body)),
  refuses('the signature wrong', 'mismatch', () => ({ ...withToken, ...signed(MARK) })),
  refuses('the token wrong', 'mismatch', (body) => ({ ...token(MARK), ...signed(body) })),
]);

runTable(
  'the token in Authorization',
  {
    INSTANTLY_WEBHOOK_TOKEN: `${TOKEN},user:${OLD_TOKEN},${ODD_USER}`,
    INSTANTLY_WEBHOOK_TOKEN_HEADER: 'authorization',
  },
  [
    accepts('bearer', 'instantly:token:1', () => authorization(`Bearer ${TOKEN}`)),
    accepts('bearer in lower case', 'instantly:token:1', () => authorization(`bearer ${TOKEN}`)),
    accepts('basic', 'instantly:token:2', () =>
      authorization(`Basic ${Buffer.from(`user:${OLD_TOKEN}`).toString('base64')}`),
    ),
    accepts('bearer after two spaces and a tab', 'instantly:token:1', () => authorization(`BEARER  \t${TOKEN}`)),
    accepts('basic without its padding', 'instantly:token:2', () =>
      authorization(`basic ${Buffer.from(`user:${OLD_TOKEN}`).toString('base64').replace(/=+$/, '')}`),
    ),
    accepts('basic in the alphabet for URLs', 'instantly:token:3', () =>
      authorization(`Basic ${Buffer.from(ODD_USER).toString('base64url')}`),
    ),
    refuses('basic of another', 'mismatch', () =>
      authorization(`Basic ${Buffer.from(`user:${MARK}`).toString('base64url')}`),
    ),
    accepts('bare', 'instantly:token:1', () => authorization(TOKEN)),
    refuses('another scheme', 'mismatch', () => authorization(`Digest ${TOKEN}`)),
    refuses('basic that is no base64', 'mismatch', () => authorization(`Basic ${MARK}!`)),
    row(
      'repeated',
      sendsFields(() => [...fields(authorization(TOKEN)), ...fields(authorization(TOKEN))]),
      refusal('repeated'),
    ),
  ],
);
