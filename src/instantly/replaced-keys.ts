import { z } from 'zod';
import type { ApiKey } from '../config/settings.ts';
import type { Store } from '../inbox/store.ts';

const NAME = 'replaced-api-keys';
/** Those of years; the oldest goes first. */
const MAX_KEYS = 50;

const replacedKey = z.object({
  setting: z.string(),
  /** As Instantly shows them. */
  id: z.string(),
  name: z.string().nullable(),
  /** Of the key itself, and of the one in its place. */
  fingerprint: z.string(),
  successor: z.string(),
});

/** An API key that was replaced, and is not known to be deleted at Instantly. */
export type ReplacedKey = Omit<z.output<typeof replacedKey>, 'setting'> & { readonly setting: ApiKey['setting'] };

/** Oldest first. What another release has written otherwise counts as none. */
export async function readReplacedKeys(
  store: Pick<Store, 'readDocument'>,
  setting: ApiKey['setting'],
): Promise<ReplacedKey[]> {
  const { keys } = await read(store);
  return keys.flatMap((key) => (key.setting === setting ? { ...key, setting } : []));
}

/** @param change gives the keys to be remembered from those that are */
async function update(
  store: Pick<Store, 'readDocument' | 'writeDocument'>,
  change: (keys: readonly z.output<typeof replacedKey>[]) => readonly z.output<typeof replacedKey>[],
): Promise<void> {
  for (;;) {
    const { keys, version } = await read(store);
    if (await store.writeDocument(NAME, JSON.stringify(change(keys).slice(-MAX_KEYS)), version)) return;
  }
}

export function rememberReplacedKey(store: Pick<Store, 'readDocument' | 'writeDocument'>, key: ReplacedKey) {
  return update(store, (keys) => [...keys.filter(({ id }) => id !== key.id), key]);
}

export function forgetReplacedKey(store: Pick<Store, 'readDocument' | 'writeDocument'>, id: string) {
  return update(store, (keys) => keys.filter((key) => key.id !== id));
}

async function read(store: Pick<Store, 'readDocument'>) {
  const document = await store.readDocument(NAME);
  const parsed = z.array(replacedKey).safeParse(document && JSON.parse(document.text));
  return { keys: parsed.success ? parsed.data : [], version: document?.version ?? 0 };
}
