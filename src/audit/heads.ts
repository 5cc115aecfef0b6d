import type { ChainHead } from './entry.ts';

/** Heads with nothing but their three fields, in order of writer. */
export function plainHeads(heads: Iterable<ChainHead>): { writer: string; seq: number; hash: string }[] {
  return Array.from(heads, ({ writer, seq, hash }) => ({ writer, seq, hash })).sort((a, b) =>
    a.writer < b.writer ? -1 : 1,
  );
}

/** A list of heads from parsed JSON; `undefined` where it is not one. */
export function readHeads(value: unknown): readonly ChainHead[] | undefined {
  return Array.isArray(value) && value.every(isHead) ? value : undefined;
}

const HASH = /^[0-9a-f]{64}$/;

export function isHead(value: unknown): value is ChainHead {
  if (typeof value !== 'object' || value === null) return false;
  const { writer, seq, hash } = value as { [key: string]: unknown };
  return typeof writer === 'string' && isSeq(seq) && typeof hash === 'string' && HASH.test(hash);
}

export function isSeq(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}
