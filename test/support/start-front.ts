import { once } from 'node:events';
import { createServer, type RequestListener, request as requestHttp } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Certificate } from './make-certificate.ts';

export interface FrontOptions {
  /** Milliseconds by which its clock is ahead. */
  readonly aheadMs?: number;
  readonly certificate?: Certificate;
  /** Paths that it answers 404 itself. */
  readonly hidden?: readonly string[];
  /** Gives each request an id of its own. */
  readonly renames?: boolean;
}

export interface Front {
  /** Without a slash at its end. */
  readonly url: string;
  stop(): Promise<void>;
}

/** A proxy in front of a server. */
export async function startFront(target: string, options: FrontOptions = {}): Promise<Front> {
  const { aheadMs = 0, certificate, hidden = [], renames = false } = options;
  const listener: RequestListener = (incoming, outgoing) => {
    if (hidden.includes(incoming.url ?? '')) {
      outgoing.writeHead(404).end('nothing here');
      return;
    }
    const headers = { ...incoming.headers, ...(renames ? { 'x-request-id': `front-${Math.random()}` } : {}) };
    const onward = requestHttp(new URL(incoming.url ?? '/', target), { method: incoming.method, headers }, (answer) => {
      const date = new Date(Date.now() + aheadMs).toUTCString();
      outgoing.writeHead(answer.statusCode ?? 502, { ...answer.headers, date });
      answer.pipe(outgoing);
    });
    onward.on('error', () => outgoing.destroy());
    incoming.pipe(onward);
  };
  const server = certificate === undefined ? createServer(listener) : createTlsServer(certificate, listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: certificate === undefined ? `http://127.0.0.1:${port}` : `https://localhost:${port}`,
    stop: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
