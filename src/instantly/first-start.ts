import type { Store } from '../inbox/store.ts';

const NAME = 'first-start';

/** Remembers when a receiver first served on this store; later calls change nothing. */
export async function rememberFirstStart(store: Pick<Store, 'writeDocument'>, now: number): Promise<void> {
  await store.writeDocument(NAME, String(now), 0);
}

/** Epoch milliseconds; `undefined`: none has yet. What happened at Instantly before it was never for us. */
export async function readFirstStart(store: Pick<Store, 'readDocument'>): Promise<number | undefined> {
  const document = await store.readDocument(NAME);
  const at = Number(document?.text);
  return Number.isSafeInteger(at) && document !== undefined ? at : undefined;
}
