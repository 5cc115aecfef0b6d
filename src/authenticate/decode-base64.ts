/**
 * Decodes base64 in its one canonical form, or gives `undefined`. Node's own decoder skips what it does not know and
 * ignores the spare bits of the last character, so that several texts would stand for one signature.
 */
export function decodeBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}
