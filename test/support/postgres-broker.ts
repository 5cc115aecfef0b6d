import { once } from 'node:events';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import process from 'node:process';
import { text } from 'node:stream/consumers';
import { type GuardedFolder, guardFolder } from './guard-folder.ts';
import { PostgresServer } from './postgres-server.ts';

/** Names the socket at which the test files, in whichever process they run, learn where the server is. */
const SOCKET_VARIABLE = 'RECEIVER_TEST_POSTGRES';
const PATIENCE_MS = 60_000;

/** Where a server is, and who may do what there. */
export interface ServerAddress {
  /** Of the superuser, without a database. */
  readonly admin: string;
  /** Of the role that databases belong to, without a database. */
  readonly owner: string;
}

type Reply = ServerAddress | { readonly error: string };

/** One server for a whole run of jest, started when the first test file asks for it. */
export class PostgresBroker {
  readonly #folder: GuardedFolder = guardFolder('receiver-postgres-');
  readonly #listener: Server;
  #server: Promise<PostgresServer> | undefined;

  constructor() {
    this.#listener = createServer((socket) => {
      // A test file that went away before it was answered.
      socket.on('error', () => socket.destroy());
      void this.#answer().then((reply) => socket.end(JSON.stringify(reply)));
    });
  }

  /** Resolves when test files can ask. */
  async open(): Promise<void> {
    const socket = join(this.#folder.path, 'broker');
    this.#listener.listen(socket);
    await once(this.#listener, 'listening');
    process.env[SOCKET_VARIABLE] = socket;
  }

  async close(): Promise<void> {
    this.#listener.close();
    // It said so to whoever asked for it, where it did not start.
    const server = await this.#server?.catch(() => undefined);
    if (server === undefined) await this.#folder.remove();
    else await server.remove();
  }

  async #answer(): Promise<Reply> {
    this.#server ??= PostgresServer.start({}, this.#folder);
    try {
      return addressOf(await this.#server);
    } catch (error) {
      return { error: error instanceof Error ? error.message : String(error) };
    }
  }
}

export function addressOf(server: PostgresServer): ServerAddress {
  return { admin: server.adminUrl(''), owner: server.ownerUrl('') };
}

/** The server of this run of jest. */
export async function askBroker(): Promise<ServerAddress> {
  const path = process.env[SOCKET_VARIABLE];
  if (path === undefined) throw new Error('there is no server to ask for: this runs under jest with its global setup');
  const socket = connect({ path, signal: AbortSignal.timeout(PATIENCE_MS) });
  const reply = JSON.parse(await text(socket)) as Reply;
  if ('error' in reply) throw new Error(reply.error);
  return reply;
}
