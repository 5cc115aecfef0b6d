import { pathToFileURL } from 'node:url';
import type { HandlerDefinition } from '../events/define-handler.ts';

/** Names become labels of metrics and parts of idempotency keys. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

export type ImportedHandler =
  | { readonly definition: HandlerDefinition }
  /** What is wrong with the default export. */
  | { readonly faults: readonly string[] };

/** Imports a handler file and looks at its default export. Throws whatever the file throws. */
export async function importHandler(file: string): Promise<ImportedHandler> {
  const module: { readonly default?: unknown } = await import(pathToFileURL(file).href);
  const exported = unwrap(module.default);
  if (exported === undefined) return { faults: ['it has no default export; export default { name, events, handle }'] };
  if (!isObject(exported)) return { faults: ['its default export is not an object { name, events, handle }'] };
  const faults = findFaults(exported);
  // All that the type asks for has been looked at.
  return faults.length > 0 ? { faults } : { definition: exported as unknown as HandlerDefinition };
}

/** A compiler's CommonJS output puts the default export one level deeper. */
function unwrap(exported: unknown): unknown {
  return isObject(exported) && exported['__esModule'] === true && 'default' in exported
    ? exported['default']
    : exported;
}

function findFaults({ name, events, ordered, idle, handle }: Record<string, unknown>): string[] {
  const faults: string[] = [];
  if (typeof name !== 'string' || !NAME.test(name)) {
    faults.push('name must be 1 to 64 letters, digits, dots, underscores or hyphens, the first one a letter or digit');
  }
  if (!Array.isArray(events) || events.length === 0 || !events.every(isEventName)) {
    faults.push("events must be a list of event types, or ['*'] for all");
  }
  if (ordered !== undefined && typeof ordered !== 'boolean') faults.push('ordered must be true or false, or left out');
  if (idle !== undefined && typeof idle !== 'boolean') faults.push('idle must be true or false, or left out');
  if (typeof handle !== 'function') faults.push('handle must be a function');
  return faults;
}

function isEventName(name: unknown): boolean {
  return typeof name === 'string' && name.trim() !== '';
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
