import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import {
  authenticatorOf,
  OLD_TOKEN,
  outcomeOf,
  SIGNATURE_HEADER,
  TOKEN,
  TOKEN_HEADER,
} from './authenticate-support.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');

describe('the token in a header of its own', () => {
  const authenticator = authenticatorOf({ tokens: [TOKEN, OLD_TOKEN] });

  test.each([
    ['right', [TOKEN_HEADER, TOKEN], 'instantly:token:1'],
    ['previous', [TOKEN_HEADER, OLD_TOKEN], 'instantly:token:2'],
    ['with a header name in other case', ['X-Webhook-Secret', TOKEN], 'instantly:token:1'],
    ['beside a signature for which no key is set', [TOKEN_HEADER, TOKEN, SIGNATURE_HEADER, 'x'], 'instantly:token:1'],
    ['beside two of them', [TOKEN_HEADER, TOKEN, SIGNATURE_HEADER, 'x', SIGNATURE_HEADER, 'y'], 'instantly:token:1'],
    [
      'beside repeated headers that carry no credential',
      [TOKEN_HEADER, TOKEN, 'via', 'a', 'via', 'b'],
      'instantly:token:1',
    ],
    ['absent', [], 'refused: missing'],
    ['absent beside a signature for which no key is set', [SIGNATURE_HEADER, 'x'], 'refused: missing'],
    ['empty', [TOKEN_HEADER, ''], 'refused: malformed'],
    ['wrong', [TOKEN_HEADER, 'some-other-shared-token1'], 'refused: mismatch'],
    ['in other case', [TOKEN_HEADER, TOKEN.toUpperCase()], 'refused: mismatch'],
    ['one character short', [TOKEN_HEADER, TOKEN.slice(0, -1)], 'refused: mismatch'],
    ['one character long', [TOKEN_HEADER, `${TOKEN}1`], 'refused: mismatch'],
    ['both in one', [TOKEN_HEADER, `${TOKEN},${OLD_TOKEN}`], 'refused: mismatch'],
    ['as a bearer, which only Authorization carries', [TOKEN_HEADER, `Bearer ${TOKEN}`], 'refused: mismatch'],
    ['in Authorization, which is not the header set', ['authorization', TOKEN], 'refused: missing'],
    ['twice the same', [TOKEN_HEADER, TOKEN, TOKEN_HEADER, TOKEN], 'refused: repeated'],
    ['wrong, then right', [TOKEN_HEADER, 'x', 'X-WEBHOOK-SECRET', TOKEN], 'refused: repeated'],
    ['as long as a header may be', [TOKEN_HEADER, 'x'.repeat(4096)], 'refused: mismatch'],
    ['longer', [TOKEN_HEADER, 'x'.repeat(4097)], 'refused: too-long'],
  ])('%s', (_name, rawHeaders, outcome) => {
    expect(outcomeOf(authenticator, rawHeaders)).toBe(outcome);
  });
});

describe('the token in Authorization', () => {
  const userPassword = 'instantly:correct-horse';
  const wholeValue = `Bearer ${'t'.repeat(24)}`;
  const authenticator = authenticatorOf({ tokens: [TOKEN, userPassword, wholeValue], tokenHeader: 'authorization' });

  test.each([
    ['bare', TOKEN, 'instantly:token:1'],
    ['bearer', `Bearer ${TOKEN}`, 'instantly:token:1'],
    ['bearer in lower case', `bearer ${TOKEN}`, 'instantly:token:1'],
    ['bearer in upper case with two spaces', `BEARER  ${TOKEN}`, 'instantly:token:1'],
    ['basic', `Basic ${base64(userPassword)}`, 'instantly:token:2'],
    ['basic in mixed case', `bAsIc ${base64(userPassword)}`, 'instantly:token:2'],
    ['user and password, bare', userPassword, 'instantly:token:2'],
    ['the whole value set as the token', wholeValue, 'instantly:token:3'],
    ['basic over the token alone', `Basic ${base64(TOKEN)}`, 'instantly:token:1'],
    ['basic with another password', `Basic ${base64('instantly:correct-house')}`, 'refused: mismatch'],
    ['basic that is not base64', 'Basic @@@@', 'refused: mismatch'],
    ['basic without its padding', `Basic ${base64(userPassword).replace(/=+$/, '')}`, 'instantly:token:2'],
    ['basic without its encoding', `Basic ${userPassword}`, 'refused: mismatch'],
    ['bearer with base64', `Bearer ${base64(TOKEN)}`, 'refused: mismatch'],
    ['another scheme', `Digest ${TOKEN}`, 'refused: mismatch'],
    ['the scheme twice', `Bearer Bearer ${TOKEN}`, 'refused: mismatch'],
    ['the scheme without a space', `Bearer${TOKEN}`, 'refused: mismatch'],
    ['the scheme alone', 'Bearer', 'refused: mismatch'],
    ['the scheme and a space', 'Bearer ', 'refused: mismatch'],
    ['empty', '', 'refused: malformed'],
    ['too long', `Bearer ${'x'.repeat(4096)}`, 'refused: too-long'],
  ])('%s', (_name, value, outcome) => {
    expect(outcomeOf(authenticator, ['Authorization', value])).toBe(outcome);
  });

  test('repeated', () => {
    expect(outcomeOf(authenticator, ['Authorization', TOKEN, 'authorization', TOKEN])).toBe('refused: repeated');
  });
});

test('over a real connection: repeated headers are seen, and a token beyond ASCII is met byte for byte', async () => {
  const token = 'schlüssel-für-alle-fälle';
  const authenticator = authenticatorOf({ tokens: [token] });
  const server = createServer((request, response) => response.end(outcomeOf(authenticator, request.rawHeaders)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const ask = async (...lines: string[]): Promise<string> => {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.end(Buffer.from(['GET / HTTP/1.1', 'Host: a', 'Connection: close', ...lines, '', ''].join('\r\n'), 'utf8'));
    const answer = Buffer.concat(await socket.toArray());
    return answer.toString().split('\r\n').at(-1) ?? '';
  };
  try {
    expect(await ask(`X-Webhook-Secret:  ${token} `)).toContain('instantly:token:1');
    expect(await ask(`x-webhook-secret: ${token}`, `X-Webhook-Secret: ${token}`)).toContain('refused: repeated');
    expect(await ask('x-webhook-secret: schlussel-fur-alle-falle')).toContain('refused: mismatch');
  } finally {
    server.close();
  }
});
