export interface RawAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

interface Taken {
  readonly answer: RawAnswer;
  readonly rest: Buffer;
}

/** The first answer among these bytes; `undefined` where it is not whole yet. */
export function takeAnswer(bytes: Buffer, ended: boolean, method: string): Taken | undefined {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd === -1) return undefined;
  const [first = '', ...lines] = bytes.subarray(0, headEnd).toString('latin1').split('\r\n');
  const status = Number(/^HTTP\/1\.1 (\d{3}) [\x20-\x7e]*$/.exec(first)?.[1]);
  if (Number.isNaN(status)) throw new Error(`not an HTTP answer: ${first}`);
  const headers = Object.fromEntries(lines.map(splitLine));
  const body = takeBody(bytes.subarray(headEnd + 4), headers, ended || status < 200 || method === 'HEAD', method);
  if (body === undefined) return undefined;
  return { answer: { status, headers, text: body.bytes.toString('utf8') }, rest: body.rest };
}

function splitLine(line: string): [string, string] {
  const colon = line.indexOf(':');
  return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
}

function takeBody(
  bytes: Buffer,
  headers: Readonly<Record<string, string>>,
  endsHere: boolean,
  method: string,
): { bytes: Buffer; rest: Buffer } | undefined {
  const length = headers['content-length'];
  if (method === 'HEAD') return { bytes: Buffer.alloc(0), rest: bytes };
  if (headers['transfer-encoding'] === 'chunked') return takeChunks(bytes);
  if (length === undefined) return endsHere ? { bytes: Buffer.alloc(0), rest: bytes } : undefined;
  if (bytes.byteLength < Number(length)) return undefined;
  return { bytes: bytes.subarray(0, Number(length)), rest: bytes.subarray(Number(length)) };
}

function takeChunks(bytes: Buffer): { bytes: Buffer; rest: Buffer } | undefined {
  const chunks: Buffer[] = [];
  let rest = bytes;
  for (;;) {
    const lineEnd = rest.indexOf('\r\n');
    if (lineEnd === -1) return undefined;
    const size = Number.parseInt(rest.subarray(0, lineEnd).toString('latin1'), 16);
    const from = lineEnd + 2;
    if (rest.byteLength < from + size + 2) return undefined;
    chunks.push(rest.subarray(from, from + size));
    rest = rest.subarray(from + size + 2);
    if (size === 0) return { bytes: Buffer.concat(chunks), rest };
  }
}
