import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { answerRequest } from './answer-request.ts';
import type { Call } from './calls.ts';
import { checkSetUp } from './check-set-up.ts';
import { answerControl, CONTROL_PREFIX } from './control.ts';
import { nextSample, raise } from './emit-events.ts';
import type { Fault } from './faults.ts';
import type { Operation } from './operations.ts';
import type { FakeInstantlyOptions } from './options.ts';
import { createService, type Service } from './service.ts';
import type { AuditLog, JsonObject, Webhook, WebhookEvent } from './shapes.ts';

/** The texts of the keys that are there from the start, by their names. */
export interface FakeKeys {
  /** Every scope. */
  readonly all: string;
  /** Reading only. */
  readonly read: string;
  readonly [name: string]: string;
}

export interface FakeInstantly {
  /** Without a slash at its end, and without /api/v2. */
  readonly url: string;
  readonly port: number;
  readonly keys: FakeKeys;
  /** Epoch milliseconds. */
  now(): number;
  /**
   * Something happens: a payload as Instantly sends it, or the next sample of a type. Resolves after the first attempt
   * at each subscribed webhook, with the log's entries. `deliver: false`: it is in the analytics, and no webhook tells.
   */
  emit(event: JsonObject | string, options?: { readonly deliver?: boolean }): Promise<readonly WebhookEvent[]>;
  /** Moves time on, runs the retries that fall due on the way in order, and waits for their deliveries. */
  advance(milliseconds: number): Promise<void>;
  /** The next calls of the operation (`*`: of any) go wrong; faults are used up in the order they were asked for. */
  fail(operation: Operation | '*', fault: Fault, times?: number): void;
  clearFaults(): void;
  setRateLimit(perSecond: number | undefined): void;
  /** As if its deliveries had failed too often. */
  disable(webhookId: string): Webhook;
  /** Oldest first. */
  webhooks(): readonly Webhook[];
  /** Every attempt, oldest first. */
  log(): readonly WebhookEvent[];
  /** Oldest first. */
  auditLog(): readonly AuditLog[];
  /** Requests below /api/v2, oldest first, the newest 10,000. */
  calls(): readonly Call[];
  /** Ends deliveries, connections and calls that hang. */
  close(): Promise<void>;
}

const REQUEST_TIMEOUT_MS = 30_000;
const MAX_CONNECTIONS = 1_000;

/** A service that answers as Instantly's API v2 does and delivers events to webhooks, in memory. */
export async function startFakeInstantly(options: FakeInstantlyOptions = {}): Promise<FakeInstantly> {
  const { host = '127.0.0.1', port = 0, now, ...setUp } = options;
  const service = createService({ ...checkSetUp(setUp), ...(now === undefined ? {} : { now }) });
  const keys = addKeys(service, setUp.keys ?? []);
  const server = createServer(
    { requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS },
    (incoming, outgoing) => void answer(service, incoming, outgoing),
  );
  server.maxConnections = MAX_CONNECTIONS;
  server.listen(port, host);
  await once(server, 'listening');
  return { ...describeAddress(server, host), keys, ...controlsOf(service), close: () => close(service, server) };
}

function addKeys(service: Service, given: NonNullable<FakeInstantlyOptions['keys']>): FakeKeys {
  const named = new Map([
    ['all', { name: 'all', scopes: ['all:all'] }],
    ['read', { name: 'read', scopes: ['all:read'] }],
    ...given.map((key) => [key.name, key] as const),
  ]);
  const texts = new Map([...named.values()].map((key) => [key.name, service.keys.add(key).key]));
  return { ...Object.fromEntries(texts), all: texts.get('all') ?? '', read: texts.get('read') ?? '' };
}

async function answer(service: Service, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  // A client that is gone before its answer is its own affair.
  outgoing.on('error', () => undefined);
  incoming.on('error', () => undefined);
  const url = URL.parse(incoming.url ?? '/', 'http://localhost');
  if (url === null) {
    outgoing.writeHead(400).end();
    return;
  }
  const isControl = url.pathname === CONTROL_PREFIX || url.pathname.startsWith(`${CONTROL_PREFIX}/`);
  await (isControl ? answerControl : answerRequest)(service, incoming, outgoing, url);
}

function controlsOf(service: Service): Omit<FakeInstantly, 'url' | 'port' | 'keys' | 'close'> {
  const { clock, faults, rateLimit, webhooks, log, audit, calls } = service;
  return {
    now: () => clock.now(),
    emit: async (event, { deliver = true } = {}) => {
      const payload = typeof event === 'string' ? nextSample(service, event) : event;
      if (payload === undefined) throw new Error(`there is no sample of the type ${String(event)}`);
      return (await raise(service, payload, deliver)).map((entry) => ({ ...entry }));
    },
    advance: (milliseconds) => clock.advance(milliseconds),
    fail: (operation, fault, times = 1) => faults.plan(operation, fault, times),
    clearFaults: () => faults.clear(),
    setRateLimit: (perSecond) => rateLimit.set(perSecond),
    disable: (id) => webhooks.disable(id),
    webhooks: () => webhooks.oldestFirst(),
    log: () => [...log.newestFirst()].reverse().map((entry) => ({ ...entry })),
    auditLog: () => audit.all(),
    calls: () => calls.oldestFirst(),
  };
}

function describeAddress(server: Server, host: string): { url: string; port: number } {
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const name = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host;
  return { url: `http://${name}:${port}`, port };
}

async function close({ clock, poster }: Service, server: Server): Promise<void> {
  clock.close();
  poster.close();
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}
