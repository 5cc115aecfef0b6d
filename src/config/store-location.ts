import type { StoreSettings } from './settings.ts';

/** Where events lie, for people: a file, or `postgres://host:port/database`. */
export function storeLocation(store: StoreSettings): string {
  return store.kind === 'sqlite' ? store.file : store.location;
}
