import { isUuid } from './check-schema.ts';
import type { Page } from './shapes.ts';

/** The document names no default; its examples ask for 10. */
const DEFAULT_LIMIT = 10;

export interface PageQuery {
  readonly limit?: number | undefined;
  /** The id after which the page begins; ids descend. */
  readonly starting_after?: string | undefined;
}

/**
 * @param cursorAtEnd whether the last page has a cursor too, so that only an empty page tells the end
 */
export function makePage<T extends { readonly id: string }>(
  newestFirst: Iterable<T>,
  { limit = DEFAULT_LIMIT, starting_after: after }: PageQuery,
  cursorAtEnd: boolean,
): Page<T> {
  // Any text is a cursor by the document; behind one that this service has not given there is nothing.
  if (after !== undefined && !isUuid(after)) return { items: [] };
  const cursor = after?.toLowerCase();
  const items: T[] = [];
  let more = false;
  for (const item of newestFirst) {
    if (cursor !== undefined && item.id >= cursor) continue;
    if (items.length === limit) {
      more = true;
      break;
    }
    items.push(item);
  }
  const last = items.at(-1);
  return last !== undefined && (more || cursorAtEnd) ? { items, next_starting_after: last.id } : { items };
}
