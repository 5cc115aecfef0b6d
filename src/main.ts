import { once } from 'node:events';
import { write } from 'node:fs';
import { type AddressInfo, Server as NetServer } from 'node:net';
import { basename, join } from 'node:path';
import type { Logger } from 'pino';
import { HEADS_FILE, HeadsFile } from './audit/heads-file.ts';
import { HEADS_MESSAGE } from './audit/parse-anchor.ts';
import { compose, type Receiver, serviceDraft } from './compose.ts';
import type { Settings } from './config/settings.ts';
import { storeLocation } from './config/store-location.ts';
import { Problem, SettingsError } from './errors/problem.ts';
import type { Store } from './inbox/store.ts';
import type { ServingStore } from './open-store.ts';
import { startNotice } from './print-notice.ts';

const STDERR = 2;
const TICK_MS = 5_000;
const HEADS_MS = 60_000;
/** Milliseconds that requests and handlers have to finish, and those in which the whole process has ended. */
const FINISH_MS = 8_000;
const STOP_LIMIT_MS = 9_300;
/** Milliseconds for the answers to requests that the stop cuts off; seconds after which their senders may try again. */
const ANSWER_MS = 200;
const RETRY_AFTER_SECONDS = 5;
/** Milliseconds in which a request that is on its way on an open connection still arrives. */
const ARRIVE_MS = 500;

export interface ServeOptions {
  readonly stop: AbortSignal;
  /** Ends the time that requests and handlers have to finish. */
  readonly hurry: AbortSignal;
  /** Reads the settings anew. @throws SettingsError */
  readonly load: () => Settings;
  /** Under way since before this module was there. */
  readonly opening: Promise<ServingStore>;
  /** The environment of those who read along, who are told on stderr what they want to know; `undefined`: nobody does. */
  readonly notice: NodeJS.ProcessEnv | undefined;
}

/**
 * Serves until `stop` ends it.
 *
 * @returns whether all threads have ended: if not, one may be inside a system call, and process.exit would wait for it
 */
export async function serve(settings: Settings, logger: Logger, options: ServeOptions): Promise<boolean> {
  const { stop, hurry, notice, load, opening } = options;
  for (const warning of settings.warnings) logger.warn(warning);
  // Before there is anything to drain: the start may wait a quarter of a minute for another receiver to stop.
  const receiver = await Promise.race([compose({ settings, logger, load, opening }), aborted(stop)]);
  if (receiver === undefined) return false;
  const port = await listen(receiver, settings).catch(async (error: unknown) => {
    receiver.stopWatching();
    await receiver.secrets.stop();
    await receiver.store.close();
    throw error;
  });
  receiver.trail.record(serviceDraft('service.start', { version: process.version }));
  void receiver.dispatcher?.start();
  const heads = new HeadsKeeper(receiver.store, settings, logger);
  const timers = startTimers(receiver, heads);
  const onHangUp = (): void => receiver.secrets.live.reload('SIGHUP');
  process.on('SIGHUP', onHangUp);
  const handlers = receiver.handlers.loaded().map(({ handler }) => handler);
  const metrics = settings.metricsToken === undefined ? settings.metricsAllow.text : 'token';
  logger.info({ port, data: storeLocation(settings.store), handlers, metrics }, 'receiving');
  const isTokenAccepted = receiver.secrets.tokens?.isAccepted(1);
  // Not by process.stderr: on a stopped terminal its write would hold up this thread.
  if (notice !== undefined) {
    write(STDERR, startNotice(settings, port, handlers, { isTokenAccepted, env: notice }), () => undefined);
  }
  await aborted(stop);
  process.removeListener('SIGHUP', onHangUp);
  logger.info({ reason: String(stop.reason) }, 'stopping');
  let limit: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    limit = setTimeout(() => {
      logger.error('the time to stop is over; what was answered 200 is on the disk');
      resolve(false);
    }, STOP_LIMIT_MS);
  });
  const hasEnded = await Promise.race([drain(receiver, heads, logger, String(stop.reason), hurry), late]);
  for (const timer of timers) clearInterval(timer);
  clearTimeout(limit);
  return hasEnded;
}

async function listen({ server }: Receiver, { host, port }: Settings): Promise<number> {
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw new SettingsError([`PORT: cannot listen on ${host} port ${port} (${code}); set HOST or PORT to a free one`]);
  }
  return (server.address() as AddressInfo).port;
}

function startTimers(receiver: Receiver, heads: HeadsKeeper): NodeJS.Timeout[] {
  receiver.retention.start();
  receiver.secrets.start();
  receiver.watch.start();
  void heads.tell();
  return [setInterval(() => receiver.trail.tick(), TICK_MS), setInterval(() => void heads.tell(), HEADS_MS)];
}

/** Writes the audit heads to the log and to a file of their own. Kept elsewhere, they show that the log's end was cut off. */
class HeadsKeeper {
  readonly #store: Store;
  readonly #logger: Logger;
  readonly #file: HeadsFile | undefined;

  constructor(store: Store, { dataDir, role, store: at }: Settings, logger: Logger) {
    this.#store = store;
    this.#logger = logger;
    const file = join(dataDir, HEADS_FILE);
    const onFault = (err: unknown): void =>
      logger.warn({ err, file }, 'the audit heads could not be written to their file');
    // A worker keeps nothing on its machine, and its chains are among those that receivers see.
    const name = at.kind === 'sqlite' ? basename(at.file) : undefined;
    this.#file = role === 'worker' ? undefined : new HeadsFile({ file, store: name, onFault });
  }

  /** At any LOG_LEVEL. */
  async tell(): Promise<void> {
    try {
      const heads = await this.#store.auditHeads();
      if (heads.length === 0) return;
      this.#logger.child({}, { level: 'info' }).info({ heads }, HEADS_MESSAGE);
      await this.#file?.write(heads, Date.now());
    } catch (error) {
      this.#logger.warn({ err: error }, 'the audit heads could not be read');
    }
  }
}

/** Gives whether all threads have ended. */
async function drain(
  receiver: Receiver,
  heads: HeadsKeeper,
  logger: Logger,
  reason: string,
  hurry: AbortSignal,
): Promise<boolean> {
  const { server, store, commits, trail, dispatcher } = receiver;
  receiver.stopAccepting();
  receiver.stopWatching();
  const closed = once(server, 'close');
  // An HTTP server's own close would cut idle connections at once, and with them requests that are on their way.
  NetServer.prototype.close.call(server);
  let cutAll: NodeJS.Timeout | undefined;
  const cutIdle = setTimeout(() => server.closeIdleConnections(), ARRIVE_MS);
  const interrupt = (): void => {
    receiver.interruptAll(new Problem('stopping', { retryAfter: RETRY_AFTER_SECONDS }));
    cutAll ??= setTimeout(() => server.closeAllConnections(), ANSWER_MS);
  };
  const cut = setTimeout(interrupt, FINISH_MS);
  void aborted(hurry).then(interrupt);
  const [drained] = await Promise.all([dispatcher?.drain({ handlersMs: FINISH_MS, signal: hurry }), closed]);
  const threadsLeft = drained?.threadsLeft ?? 0;
  clearTimeout(cutIdle);
  clearTimeout(cut);
  clearTimeout(cutAll);
  await receiver.bodies.close();
  if (threadsLeft > 0)
    logger.warn({ threadsLeft }, 'threads of handlers are inside a system call and could not be ended');
  await Promise.all([receiver.secrets.stop(), receiver.watch.stop()]);
  trail.record(serviceDraft('service.stop', { reason }));
  trail.drain();
  await commits.settle();
  await heads.tell();
  const isClosed = await store.close().then(
    () => true,
    (error: unknown) => {
      logger.warn({ err: error }, 'the store could not be closed; what was answered 200 is on the disk');
      return false;
    },
  );
  logger.info('stopped');
  return isClosed && threadsLeft === 0;
}

async function aborted(signal: AbortSignal): Promise<undefined> {
  if (!signal.aborted) await once(signal, 'abort');
}
