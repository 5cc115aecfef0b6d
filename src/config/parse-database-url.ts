import { type PostgresPlace, parsePostgresUrl } from './parse-postgres-url.ts';
import { parseSqliteUrl } from './parse-url.ts';
import { fault, type Parsed } from './parsed.ts';

/** Where the events lie. */
export type Database = { readonly kind: 'sqlite'; readonly file: string } | PostgresPlace;

/**
 * `sqlite:PATH`, or `postgres://…`.
 *
 * @param cwd what a relative path starts from
 */
export function parseDatabaseUrl(text: string, cwd: string): Parsed<Database> {
  if (/^postgres(ql)?:/i.test(text)) return parsePostgresUrl(text, cwd);
  if (!/^sqlite:/i.test(text)) {
    return fault(
      'must be written as sqlite:PATH, such as sqlite:data/receiver.db, or as postgres://USER:PASSWORD@HOST:PORT/DATABASE',
    );
  }
  const parsed = parseSqliteUrl(text, cwd);
  return 'value' in parsed ? { value: { kind: 'sqlite', file: parsed.value } } : parsed;
}
