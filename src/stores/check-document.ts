const NAME_LIMIT = 255;
const TEXT_LIMIT = 64 * 1024;

/** @throws RangeError where not every store can keep it */
export function documentName(name: string): string {
  return storable('a name of a document', name, NAME_LIMIT);
}

/** @throws RangeError where not every store can keep it */
export function documentText(text: string): string {
  return storable('a document', text, TEXT_LIMIT);
}

function storable(what: string, text: string, limit: number): string {
  if (Buffer.byteLength(text) > limit) throw new RangeError(`${what} has more than ${limit} bytes`);
  // PostgreSQL keeps neither, and SQLite gives back something else for the latter.
  if (text.includes('\0') || !text.isWellFormed()) throw new RangeError(`${what} holds NUL or half a character`);
  return text;
}
