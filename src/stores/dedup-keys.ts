import type { EventKey } from '../inbox/store.ts';

/** Content without a usable timestamp stands together under this one in the deduplication keys. */
export const NO_TIMESTAMP = 0;

const KEY_BYTES = 32;
/** Keys that one statement looks for. */
const PAGE = 1_000;

/** Keys in order: their timestamps, and all of their bytes, 32 for each. */
export interface PackedKeys {
  readonly times: readonly number[];
  readonly bytes: Uint8Array;
}

export interface FoundKey {
  /** Its place among the keys of the page, from 0. */
  readonly n: number;
  readonly id: string;
}

/** @throws RangeError where one is not 32 bytes long */
export function packKeys(keys: readonly EventKey[]): PackedKeys {
  const bytes = new Uint8Array(KEY_BYTES * keys.length);
  for (const [n, { dedupKey }] of keys.entries()) {
    if (dedupKey.byteLength !== KEY_BYTES) throw new RangeError('a deduplication key is not 32 bytes long');
    bytes.set(dedupKey, KEY_BYTES * n);
  }
  return { times: keys.map(({ timestamp }) => timestamp ?? NO_TIMESTAMP), bytes };
}

/** The id found for each key, in order, asked for page by page. */
export async function findInPages(
  keys: readonly EventKey[],
  findPage: (page: PackedKeys) => Promise<readonly FoundKey[]>,
): Promise<(string | undefined)[]> {
  const ids = new Array<string | undefined>(keys.length).fill(undefined);
  for (let from = 0; from < keys.length; from += PAGE) {
    for (const { n, id } of await findPage(packKeys(keys.slice(from, from + PAGE)))) ids[from + n] = id;
  }
  return ids;
}
