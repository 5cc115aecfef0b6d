/** As git tells text from everything else. */
const LOOKED_AT = 8_000;

export interface Content {
  readonly text: string;
  /** Then the text is its bytes, one character each. */
  readonly binary: boolean;
}

/** What is in a file, as text where it is text. */
export function decodeContent(bytes: Uint8Array): Content {
  const utf16 = findUtf16(bytes);
  if (utf16 !== undefined) return { text: new TextDecoder(utf16).decode(bytes), binary: false };
  if (bytes.subarray(0, LOOKED_AT).includes(0)) {
    return { text: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1'), binary: true };
  }
  return { text: new TextDecoder().decode(bytes), binary: false };
}

/** PowerShell writes it when a command's output goes into a file. */
function findUtf16([first, second]: Uint8Array): 'utf-16le' | 'utf-16be' | undefined {
  if (first === 0xff && second === 0xfe) return 'utf-16le';
  return first === 0xfe && second === 0xff ? 'utf-16be' : undefined;
}
