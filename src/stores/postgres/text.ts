/** What a text column takes: PostgreSQL keeps neither NUL nor half a character. The body keeps both as they came. */
export function toText(text: string): string;
export function toText(text: string | null): string | null;
export function toText(text: string | null): string | null {
  return text === null ? null : text.toWellFormed().replaceAll('\0', '\uFFFD');
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Whether a text can be an id: anything else would fail the whole statement. */
export function isUuid(text: string): boolean {
  return UUID.test(text);
}

/** Parts of a batch as one block, with the end of each. */
export function joinBytes(parts: readonly Uint8Array[]): { bytes: Buffer; ends: number[] } {
  let end = 0;
  const ends = parts.map((part) => {
    end += part.byteLength;
    return end;
  });
  return { bytes: Buffer.concat(parts), ends };
}
