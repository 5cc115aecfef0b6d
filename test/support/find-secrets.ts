/** Characters of a secret that tell it: no part of it as long as this may stand anywhere. */
const TELLING = 12;

/** A secret in every form in which it might stand somewhere, and long parts of it as it is. */
export function formsOf(secret: string): string[] {
  const bytes = Buffer.from(secret);
  const hex = bytes.toString('hex');
  const forms = [
    secret,
    encodeURIComponent(secret),
    encodeURI(secret),
    JSON.stringify(secret).slice(1, -1),
    hex,
    hex.toUpperCase(),
    ...[0, 1, 2].flatMap((offset) => [base64At(bytes, offset, 'base64'), base64At(bytes, offset, 'base64url')]),
  ];
  for (let at = 0; at + TELLING <= secret.length; at += 1) forms.push(secret.slice(at, at + TELLING));
  return [...new Set(forms)];
}

/** What stands in the base64 of a text in which the secret begins `offset` bytes after a border, whatever stands around it. */
function base64At(bytes: Buffer, offset: number, encoding: 'base64' | 'base64url'): string {
  const encoded = Buffer.concat([Buffer.alloc(offset), bytes])
    .toString(encoding)
    .replace(/=+$/, '');
  const whole = (offset + bytes.length) % 3 === 0 ? encoded : encoded.slice(0, -1);
  return whole.slice(Math.ceil((offset * 8) / 6));
}

/** Which of the secrets, by name, stand in which of the texts. */
export function findSecrets(
  texts: ReadonlyMap<string, Uint8Array | string>,
  secrets: ReadonlyMap<string, string>,
): string[] {
  const found: string[] = [];
  for (const [where, text] of texts) {
    const haystack = Buffer.from(text);
    for (const [name, secret] of secrets) {
      const form = formsOf(secret).find((one) => haystack.includes(one));
      if (form !== undefined) found.push(`${name} in ${where}, near ${context(haystack, form)}`);
    }
  }
  return found;
}

/** What stands before it, so that the report of a leak is none. */
function context(haystack: Buffer, form: string): string {
  const at = haystack.indexOf(form);
  return JSON.stringify(haystack.subarray(Math.max(0, at - 60), at).toString());
}
