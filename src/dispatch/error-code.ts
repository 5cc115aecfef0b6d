/** Names of errors such as ECONNREFUSED; whatever else stands in `code` may be somebody's data. */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' && /^[A-Z][A-Z0-9_]{2,50}$/.test(error.code) ? error.code : undefined;
}
