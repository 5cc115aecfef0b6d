import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import pg from 'pg';

/** The parts of pg that are not in its types: its socket, and what the server said of itself. */
interface Backend {
  readonly client: pg.Client;
  readonly socket: Socket;
  isTaken: boolean;
}

export interface Pooler {
  readonly url: string;
  close(): Promise<void>;
}

const AUTHENTICATION_OK = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 0]);
const READY = Buffer.from([0x5a, 0, 0, 0, 5, 0x49]);
const IDLE = 'I'.charCodeAt(0);

/**
 * A connection pooler in transaction mode: each transaction of a client gets whichever session is free, the one that was
 * free last first.
 */
export async function startPooler(url: string, size: number): Promise<Pooler> {
  const backends: Backend[] = [];
  for (let n = 0; n < size; n += 1) backends.push(await connectBackend(url));
  const waiting: ((backend: Backend) => void)[] = [];
  const take = (): Promise<Backend> => {
    const free = backends.findLast(({ isTaken }) => !isTaken);
    if (free === undefined) return new Promise((resolve) => waiting.push(resolve));
    free.isTaken = true;
    return Promise.resolve(free);
  };
  const give = (backend: Backend): void => {
    backend.isTaken = false;
    const next = waiting.shift();
    if (next === undefined) return;
    backend.isTaken = true;
    next(backend);
  };
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.once('data', () => {
      socket.write(Buffer.concat([AUTHENTICATION_OK, READY]));
      relay(socket, take, give);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const own = new URL(url);
  own.port = String((server.address() as AddressInfo).port);
  return {
    url: own.href,
    async close() {
      server.close();
      for (const { socket } of backends) socket.destroy();
    },
  };
}

async function connectBackend(url: string): Promise<Backend> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  const { stream } = (client as unknown as { connection: { stream: Socket } }).connection;
  stream.removeAllListeners('data');
  return { client, socket: stream, isTaken: false };
}

/** Messages go to the session at hand; the ReadyForQuery that says "no transaction" gives it back. */
function relay(socket: Socket, take: () => Promise<Backend>, give: (backend: Backend) => void): void {
  let backend: Promise<Backend> | undefined;
  socket.on('data', (data) => {
    backend ??= take().then((taken) => {
      const onData = (answer: Buffer): void => {
        const isOver = answer.at(-6) === READY[0] && answer.at(-1) === IDLE;
        if (isOver) {
          taken.socket.off('data', onData);
          backend = undefined;
          give(taken);
        }
        if (!socket.destroyed) socket.write(answer);
      };
      taken.socket.on('data', onData);
      return taken;
    });
    // A goodbye is for the pooler alone.
    if (data[0] !== 'X'.charCodeAt(0)) void backend.then((taken) => taken.socket.write(data));
  });
}
