import { closestName, sameName } from '../config/suggest-name.ts';
import { CANONICAL_TYPES, canonicalType, isCanonicalType, TYPE_ALIASES, UNKNOWN_TYPE } from '../events/names.ts';
import { suggestType } from '../events/suggest-type.ts';
import type { ReadableStore } from './open-store.ts';
import { WrongUsage } from './wrong-usage.ts';

const TYPES: readonly string[] = [...CANONICAL_TYPES, ...TYPE_ALIASES, UNKNOWN_TYPE];

/** The newest events whose labels are proposed for one that is not known. */
const LOOKED_AT = 10_000;

type TypeSource = Pick<ReadableStore, 'listEvents' | 'registeredHandlers'>;
type HandlerSource = Pick<ReadableStore, 'listDead' | 'registeredHandlers'>;

/** `; did you mean NAME?`, or nothing. */
export function didYouMean(name: string | undefined): string {
  return name === undefined ? '' : `; did you mean ${/^[\w.:-]+$/.test(name) ? name : JSON.stringify(name)}?`;
}

/**
 * The stored form of a type that a filter names: a type of Instantly's by any of its names, or a custom label that an event
 * in the store has or a handler takes. Case and separators are forgiven where one type alone can be meant.
 *
 * @throws WrongUsage where it names none
 */
export async function resolveType(store: TypeSource, text: string): Promise<string> {
  const type = canonicalType(text);
  if (isCanonicalType(type) || type === UNKNOWN_TYPE) return type;
  if ((await store.listEvents({ type, limit: 1 })).length > 0) return type;
  const labels = await findLabels(store);
  const known = sameName(text, [...new Set([...TYPES, ...labels])]);
  if (known !== undefined) return canonicalType(known);
  const meant = suggestType(text) ?? closestName(text, labels);
  const advice = meant === '*' ? '; leave --type out for all' : didYouMean(meant);
  const list = meant === undefined ? `; the types are ${CANONICAL_TYPES.join(', ')}, ${UNKNOWN_TYPE} and labels` : '';
  throw new WrongUsage(
    `no type is called ${JSON.stringify(text)}, nor is a label that was ever stored${advice}${list}`,
  );
}

async function findLabels(store: TypeSource): Promise<string[]> {
  const taken = (await store.registeredHandlers()).flatMap(({ events }) => events);
  const stored = (await store.listEvents({ limit: LOOKED_AT })).map(({ type }) => type);
  // A handler may itself list a name that no event ever has.
  return [...new Set([...stored, ...taken.filter((name) => name !== '*' && suggestType(name) === undefined)])];
}

/** @throws WrongUsage where no handler of the name is registered, nor has a dead or orphaned delivery */
export async function refuseUnknownHandler(store: HandlerSource, handler: string | undefined): Promise<void> {
  if (handler === undefined) return;
  const names = (await store.registeredHandlers()).map((route) => route.handler);
  if (names.includes(handler) || (await store.listDead({ handler, limit: 1 })).length > 0) return;
  const meant = closestName(handler, names);
  const list = names.length === 0 ? '; there are none' : `; there are: ${names.join(', ')}`;
  throw new WrongUsage(`no handler named ${handler} is registered${meant === undefined ? list : didYouMean(meant)}`);
}
