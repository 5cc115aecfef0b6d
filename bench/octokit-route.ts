import { createServer } from 'node:http';
import { createNodeMiddleware, Webhooks } from '@octokit/webhooks';

// The middleware that GitHub's own library brings, in Node's server. It verifies, parses, and calls a handler that does nothing.

// It writes a page for each refusal, which would be measured instead of it.
console.error = () => undefined;
const webhooks = new Webhooks({
  secret: process.env['INSTANTLY_SECRET'] ?? '',
  log: { ...console, error: () => undefined },
});
webhooks.on('push', () => undefined);
const middleware = createNodeMiddleware(webhooks, { path: '/webhooks/instantly' });
const server = createServer((request, response) => void middleware(request, response)).listen(0, '127.0.0.1', () => {
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  process.stdout.write(`${JSON.stringify({ msg: 'receiving', port })}\n`);
});
process.on('SIGTERM', () => process.exit(0));
