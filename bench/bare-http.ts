import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';

// The least that verifies: no framework, raw body, HMAC, JSON.parse, 200. It stores nothing and has no limit of any kind.

const secret = process.env['INSTANTLY_SECRET'] ?? '';
const server = createServer((request, response) => {
  const pieces: Buffer[] = [];
  request.on('data', (piece: Buffer) => pieces.push(piece));
  request.on('end', () => {
    const body = Buffer.concat(pieces);
    const expected = createHmac('sha256', secret).update(body).digest();
    const given = Buffer.from(String(request.headers['x-instantly-signature']), 'hex');
    const isRight = given.length === expected.length && timingSafeEqual(given, expected);
    const event: unknown = isRight ? JSON.parse(body.toString('utf8')) : null;
    response.writeHead(event === null ? 401 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ status: event === null ? 'refused' : 'accepted' }));
  });
}).listen(0, '127.0.0.1', () => {
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  process.stdout.write(`${JSON.stringify({ msg: 'receiving', port })}\n`);
});
process.on('SIGTERM', () => process.exit(0));
