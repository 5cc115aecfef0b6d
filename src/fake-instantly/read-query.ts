import type { Schema } from './check-schema.ts';

export type Query = Readonly<Record<string, unknown>>;

/** The query string as the schema's types have it; what cannot be read as its type stays text, and is refused later. */
export function readQuery(search: URLSearchParams, schema: Schema): Query {
  const names = new Set(search.keys());
  return Object.fromEntries(
    [...names].map((name) => {
      const values = search.getAll(name);
      const only = values.length === 1 ? values[0] : undefined;
      return [name, only === undefined ? values : coerce(only, schema.properties?.[name])];
    }),
  );
}

function coerce(text: string, schema: Schema | undefined): unknown {
  switch (schema?.type) {
    case 'integer':
    case 'number':
      return text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : text;
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : text;
    default:
      return text;
  }
}

export function textOf(query: Query, name: string): string | undefined {
  const value = query[name];
  return typeof value === 'string' ? value : undefined;
}

export function numberOf(query: Query, name: string): number | undefined {
  const value = query[name];
  return typeof value === 'number' ? value : undefined;
}

export function booleanOf(query: Query, name: string): boolean | undefined {
  const value = query[name];
  return typeof value === 'boolean' ? value : undefined;
}
