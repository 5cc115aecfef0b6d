export const STORE_KINDS = ['sqlite', 'postgres'] as const;
export type StoreKind = (typeof STORE_KINDS)[number];

export const STORE_NAMES: Readonly<Record<StoreKind, string>> = { sqlite: 'SQLite', postgres: 'PostgreSQL' };

/** @throws RangeError where a name is none of a store */
export function readStoreKinds(list: string): StoreKind[] {
  return list.split(',').map((name) => {
    const kind = STORE_KINDS.find((known) => known === name.trim());
    if (kind === undefined) throw new RangeError(`--stores: "${name}" is none of ${STORE_KINDS.join(', ')}`);
    return kind;
  });
}
