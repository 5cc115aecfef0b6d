import { afterEach, describe, expect, test } from '@jest/globals';
import { StoreUnavailable } from '../../src/errors/problem.ts';
import type { HandlerRoute } from '../../src/inbox/store.ts';
import { RouteSource } from '../../src/route-source.ts';
import { handlerOf } from '../support/make-store.ts';

let source: RouteSource | undefined;
afterEach(() => source?.stop());

/** A store whose answer is given by the test, and the call-backs that it was handed. */
function create(registered: HandlerRoute[] | Error, follow: boolean) {
  const listeners: (() => void)[] = [];
  const warnings: string[] = [];
  const store = { registered, reads: 0 };
  source = new RouteSource({
    own: () => [handlerOf('own')],
    follow,
    logger: { warn: (message: unknown) => warnings.push(String(message)) },
    store: {
      registeredHandlers: async () => {
        store.reads += 1;
        if (store.registered instanceof Error) throw store.registered;
        return store.registered;
      },
      onForeignChange: (listener) => listeners.push(listener),
    },
  });
  const change = async (): Promise<string[]> => {
    for (const listener of listeners) listener();
    await new Promise((resolve) => setImmediate(resolve));
    return (source?.routes ?? []).map(({ handler }) => handler);
  };
  return { store, change, warnings };
}

describe('the handlers that events go to', () => {
  test('are its own where this process runs them', async () => {
    const { store, change } = create([handlerOf('other')], false);
    expect(await change()).toEqual(['own']);
    expect(store.reads).toBe(0);
  });

  test('are those that workers have registered, and its own until one has', async () => {
    const { store, change, warnings } = create([], true);
    expect(await change()).toEqual(['own']);
    store.registered = [handlerOf('theirs'), handlerOf('more')];
    expect(await change()).toEqual(['theirs', 'more']);
    expect(warnings).toEqual([]);
  });

  test('stay the last known ones while the store is away', async () => {
    const { store, change } = create([handlerOf('theirs')], true);
    await change();
    store.registered = new StoreUnavailable('away');
    expect(await change()).toEqual(['theirs']);
    store.registered = [handlerOf('new')];
    expect(await change()).toEqual(['new']);
  });

  test('are not read any more once it is stopped', async () => {
    const { store, change } = create([handlerOf('theirs')], true);
    await change();
    source?.stop();
    const { reads } = store;
    await change();
    expect(store.reads).toBe(reads);
  });
});
