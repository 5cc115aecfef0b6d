import { createHmac, timingSafeEqual } from 'node:crypto';
import express from 'express';

// What a careful hand-made route does: raw body, HMAC, JSON.parse, 200. It stores nothing.

const secret = process.env['INSTANTLY_SECRET'] ?? '';
const app = express();
app.post('/webhooks/instantly', express.raw({ type: () => true, limit: '10mb' }), (request, response) => {
  const expected = createHmac('sha256', secret).update(request.body).digest();
  const given = Buffer.from(String(request.headers['x-instantly-signature']), 'hex');
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    response.status(401).json({ status: 'refused' });
    return;
  }
  const event: unknown = JSON.parse(request.body.toString('utf8'));
  response.status(200).json({ status: event === null ? 'refused' : 'accepted' });
});
const server = app.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.stdout.write(
    `${JSON.stringify({ msg: 'receiving', port: typeof address === 'object' ? address?.port : 0 })}\n`,
  );
});
process.on('SIGTERM', () => process.exit(0));
