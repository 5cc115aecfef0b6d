import { createHmac } from 'node:crypto';
import { accepts, LONG, refusal, refuses, sendsFields, signature } from '../support/credential-rows.ts';
import {
  type Headers,
  hmacHex,
  KEY,
  nowSeconds,
  OLD_KEY,
  STANDARD_KEY,
  signed,
  signedAt,
  signedStandard,
  withToken,
} from '../support/credentials.ts';
import { freshBody, MARK } from '../support/payloads.ts';
import { fields, post } from '../support/post.ts';
import { row, runTable } from '../support/run-table.ts';

const UTF16 = Buffer.from(freshBody(), 'utf16le');
const BOM = '\ufeff';

runTable('scheme body', { INSTANTLY_SECRET: `${KEY},${OLD_KEY}` }, [
  accepts('right', 'instantly:hmac:1', (body) => signed(body)),
  accepts('right with an old key', 'instantly:hmac:2', (body) => signed(body, OLD_KEY)),
  accepts('upper case', 'instantly:hmac:1', (body) => signature(hmacHex(KEY, body).toUpperCase())),
  accepts('prefixed', 'instantly:hmac:1', (body) => signature(`sha256=${hmacHex(KEY, body)}`)),
  accepts('prefixed in upper case', 'instantly:hmac:1', (body) =>
    signature(`SHA256=${hmacHex(KEY, body).toUpperCase()}`),
  ),
  refuses('absent', 'missing', () => ({})),
  refuses('empty', 'malformed', () => signature('')),
  refuses('one digit short', 'malformed', (body) => signature(hmacHex(KEY, body).slice(0, -1))),
  refuses('one digit long', 'malformed', (body) => signature(`${hmacHex(KEY, body)}0`)),
  refuses('10 KB long', 'too-long', () => signature(LONG)),
  refuses('not hex', 'malformed', (body) => signature(hmacHex(KEY, body).replace(/.$/, 'g'))),
  refuses('base64', 'malformed', (body) => signature(Buffer.from(hmacHex(KEY, body), 'hex').toString('base64'))),
  refuses('of another hash', 'malformed', (body) => signature(`sha1=${hmacHex(KEY, body)}`)),
  refuses('with an unknown key', 'mismatch', (body) => signed(body, `unknown-key-${MARK}`)),
  refuses('two joined by a comma', 'malformed', (body) => signature(`${hmacHex(KEY, body)},${hmacHex(KEY, body)}`)),
  refuses('a token, where no token is configured', 'missing', () => withToken),
  row(
    'repeated, right both times',
    sendsFields((body) => [...fields(signed(body)), ...fields(signed(body))]),
    refusal('repeated'),
  ),
  row(
    'repeated, in another case and wrong',
    sendsFields((body) => [...fields(signed(body)), `X-Instantly-Signature: ${hmacHex(OLD_KEY, MARK)}`]),
    refusal('repeated'),
  ),
  row(
    'repeated, the second after 500 other fields',
    sendsFields((body) => [...fields(signed(body)), ...Array<string>(500).fill('a:'), ...fields(signed(body))]),
    refusal('repeated'),
  ),
  row(
    'over the body without its byte order mark',
    (running) => {
      const body = freshBody();
      return post(running, `${BOM}${body}`, signed(body));
    },
    refusal('mismatch'),
  ),
  row(
    'over other white space',
    (running) => {
      const body = freshBody();
      return post(running, JSON.stringify(JSON.parse(body), null, 1), signed(body));
    },
    refusal('mismatch'),
  ),
  row(
    'over UTF-8, sent as UTF-16',
    (running) => post(running, UTF16, signed(UTF16.toString('utf16le'))),
    refusal('mismatch'),
  ),
  row('over an empty body', (running) => post(running, freshBody(), signed('')), refusal('mismatch')),
  row('over another event', (running) => post(running, freshBody(), signed(freshBody())), refusal('mismatch')),
]);

runTable('scheme timestamped', { INSTANTLY_SECRET: KEY, INSTANTLY_SIGNATURE_SCHEME: 'timestamped' }, [
  accepts('right', 'instantly:hmac:1', (body) => signedAt(body)),
  accepts('of five minutes ago, nearly', 'instantly:hmac:1', (body) => signedAt(body, nowSeconds() - 280)),
  accepts('of a clock ahead, but not by five minutes', 'instantly:hmac:1', (body) =>
    signedAt(body, nowSeconds() + 280),
  ),
  refuses('stale', 'stale', (body) => signedAt(body, nowSeconds() - 330)),
  refuses('future', 'future', (body) => signedAt(body, nowSeconds() + 330)),
  refuses('in milliseconds', 'malformed', (body) => signedAt(body, Date.now())),
  refuses('a negative timestamp', 'malformed', (body) => signedAt(body, -1)),
  refuses('no timestamp', 'incomplete', (body) => signature(hmacHex(KEY, body))),
  refuses('a timestamp that was not signed', 'mismatch', (body) => ({
    ...signedAt(body),
    'x-instantly-timestamp': String(nowSeconds() - 7),
  })),
  refuses('a signature over the body alone', 'mismatch', (body) => ({ ...signedAt(body), ...signed(body) })),
  row(
    'a repeated timestamp',
    sendsFields((body) => [...fields(signedAt(body)), `x-instantly-timestamp: ${nowSeconds()}`]),
    refusal('repeated'),
  ),
]);

runTable(
  'scheme standard-webhooks',
  { INSTANTLY_SECRET: STANDARD_KEY, INSTANTLY_SIGNATURE_SCHEME: 'standard-webhooks' },
  [
    accepts('right', 'instantly:hmac:1', (body) => signedStandard(body)),
    accepts('among signatures of other versions', 'instantly:hmac:1', (body) => {
      const headers = signedStandard(body);
      return { ...headers, 'webhook-signature': `v1a,${MARK} v1,AAAA ${headers['webhook-signature']}` };
    }),
    refuses('stale', 'stale', (body) => signedStandard(body, nowSeconds() - 330)),
    refuses('future', 'future', (body) => signedStandard(body, nowSeconds() + 330)),
    refuses('another id', 'mismatch', (body) => ({ ...signedStandard(body), 'webhook-id': `msg_${MARK}` })),
    refuses('no id', 'incomplete', (body) => {
      const { 'webhook-id': _id, ...rest } = signedStandard(body);
      return rest;
    }),
    refuses('an id with a full stop', 'malformed', (body) => signedStandard(body, nowSeconds(), 'msg.1')),
    refuses('without its version', 'malformed', (body) => {
      const headers = signedStandard(body);
      return { ...headers, 'webhook-signature': String(headers['webhook-signature']).slice(3) };
    }),
    refuses('in the header of another scheme', 'missing', (body) => signed(body)),
  ],
);

const base64 = (body: string, key: string) => createHmac('sha256', key).update(body).digest('base64');

runTable('scheme hookdeck', { INSTANTLY_SECRET: `${KEY},${OLD_KEY}`, INSTANTLY_SIGNATURE_SCHEME: 'hookdeck' }, [
  accepts('right', 'instantly:hmac:1', (body) => ({ 'x-hookdeck-signature': base64(body, KEY) })),
  accepts('the second header alone is ours', 'instantly:hmac:2', (body) => ({
    'x-hookdeck-signature': base64(body, MARK),
    'x-hookdeck-signature-2': base64(body, OLD_KEY),
  })),
  refuses('with an unknown key', 'mismatch', (body) => ({ 'x-hookdeck-signature': base64(body, MARK) })),
  refuses('in the header of another scheme', 'missing', (body) => signed(body)),
]);

runTable('scheme svix', { INSTANTLY_SECRET: STANDARD_KEY, INSTANTLY_SIGNATURE_SCHEME: 'svix' }, [
  accepts('right', 'instantly:hmac:1', (body) => branded(signedStandard(body))),
  accepts('without its name', 'instantly:hmac:1', (body) => signedStandard(body)),
  refuses('stale', 'stale', (body) => branded(signedStandard(body, nowSeconds() - 330))),
]);

function branded(headers: Headers): Headers {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.replace('webhook-', 'svix-'), value]));
}

runTable('scheme convoy', { INSTANTLY_SECRET: KEY, INSTANTLY_SIGNATURE_SCHEME: 'convoy' }, [
  accepts('advanced', 'instantly:hmac:1', (body) =>
    convoy(`t=${nowSeconds()},v1=${hmacHex(KEY, body, `${nowSeconds()},`)}`),
  ),
  accepts('simple', 'instantly:hmac:1', (body) => convoy(hmacHex(KEY, body))),
  accepts('simple in base64', 'instantly:hmac:1', (body) => convoy(base64(body, KEY))),
  refuses('stale', 'stale', (body) => convoy(`t=1700000000,v1=${hmacHex(KEY, body, '1700000000,')}`)),
]);

function convoy(value: string): Headers {
  return { 'x-convoy-signature': value };
}
