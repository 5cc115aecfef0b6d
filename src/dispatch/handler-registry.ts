import { z } from 'zod';
import { HANDLERS_PREFIX } from '../inbox/document-names.ts';
import type { HandlerRoute, Store } from '../inbox/store.ts';
import type { DispatchLogger } from './dispatch-hooks.ts';

/** Milliseconds after which a process that has not told of its handlers counts as gone. */
const LIVE_MS = 120_000;
/** Processes on one store that are looked at. */
const MAX_PROCESSES = 1_000;

const ROUTES = z.array(z.object({ handler: z.string(), events: z.array(z.string()), ordered: z.boolean() }));

export interface HandlerRegistryOptions {
  readonly store: Pick<
    Store,
    'registerHandlers' | 'registeredHandlers' | 'orphans' | 'listDocuments' | 'writeDocument' | 'dropDocument'
  >;
  /** Of this process. */
  readonly routes: () => readonly HandlerRoute[];
  /** Whether other registered handlers may be this process's too, and stay. */
  readonly keepsOthers: () => boolean;
  /** Names this process where several share the store; without it, this is the only one. */
  readonly owner: string | undefined;
  readonly logger: Pick<DispatchLogger, 'warn'>;
}

/**
 * Registers the handlers of this process in the store. Where several processes share it, each tells of its own, and a handler
 * is registered as long as a live process has it: during an update the handlers of the older processes stay until those end.
 */
export class HandlerRegistry {
  readonly #options: HandlerRegistryOptions;
  #warned = '';

  constructor(options: HandlerRegistryOptions) {
    this.#options = options;
  }

  /** @param isNew whether this process's own routes replace those that are registered under the same names */
  async register(isNew: boolean): Promise<void> {
    const { store, routes, keepsOthers, owner } = this.#options;
    const loaded = routes();
    const names = new Set(loaded.map(({ handler }) => handler));
    const waiting = keepsOthers()
      ? (await store.registeredHandlers()).filter(({ handler }) => !names.has(handler))
      : [];
    const own = [...loaded, ...waiting];
    if (owner === undefined) {
      if (isNew) await store.registerHandlers(own);
      return;
    }
    await store.writeDocument(HANDLERS_PREFIX + owner, JSON.stringify(own), null);
    const live = [...own, ...(await this.#routesOfOthers(owner))];
    const liveNames = new Set(live.map(({ handler }) => handler));
    const known = (await store.registeredHandlers()).filter(({ handler }) => liveNames.has(handler));
    const chosen = new Map<string, HandlerRoute>();
    for (const route of [...(isNew ? own : []), ...known, ...live]) {
      if (!chosen.has(route.handler)) chosen.set(route.handler, route);
    }
    await store.registerHandlers([...chosen.values()]);
  }

  /** For a process that ends in order; a killed one is forgotten after two minutes. */
  async signOff(): Promise<void> {
    const { store, owner } = this.#options;
    if (owner !== undefined) await store.dropDocument(HANDLERS_PREFIX + owner).catch(() => undefined);
  }

  /** One line where deliveries of a handler are orphaned that were not when it was last said. */
  async warnOfOrphans(): Promise<void> {
    const { handlers } = await this.#options.store.orphans();
    const names = handlers.map(({ handler }) => handler);
    const warned = names.join(' ');
    if (warned !== this.#warned && names.length > 0) {
      const deliveries = handlers.reduce((sum, { pending, dead }) => sum + pending + dead, 0);
      this.#options.logger.warn(
        { deliveries, handlers: names },
        'deliveries are orphaned: their handler is gone. Put its file back, or end them with "dead discard"',
      );
    }
    this.#warned = warned;
  }

  async #routesOfOthers(owner: string): Promise<HandlerRoute[]> {
    const { store } = this.#options;
    const routes: HandlerRoute[] = [];
    for (const { name, text, ageMs } of await store.listDocuments(HANDLERS_PREFIX, MAX_PROCESSES)) {
      if (name === HANDLERS_PREFIX + owner) continue;
      // What another release has written otherwise is passed over.
      const read = ROUTES.safeParse(JSON.parse(text));
      if (ageMs > LIVE_MS) await store.dropDocument(name);
      else if (read.success) routes.push(...read.data);
    }
    return routes;
  }
}
