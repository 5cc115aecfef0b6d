import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';

const TIMEOUT_MS = 30_000;
/** Bytes of an answer that are read; ours have a few hundred. */
const MAX_ANSWER = 65_536;

export interface Answer {
  /** HTTP status; `null`: there was no answer. */
  readonly status: number | null;
  /** `status` or `code` of the answer, or why there was none. */
  readonly answer: string | null;
  /** The event's id. */
  readonly id: string | null;
  readonly ms: number;
}

export type Post = (
  body: Uint8Array,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
) => Promise<Answer>;

/** Posts to one address over at most so many connections, which are kept for the next request. Redirects are answers
 * like any other: the headers are for this address alone. */
export function openPost(url: URL, connections: number): { readonly post: Post; close(): void } {
  const secure = url.protocol === 'https:';
  const options = { keepAlive: true, maxSockets: connections };
  const agent = secure ? new HttpsAgent(options) : new HttpAgent(options);
  const request = secure ? httpsRequest : httpRequest;
  const post: Post = async (body, headers, signal) => {
    const started = performance.now();
    const since = (): number => Math.round((performance.now() - started) * 100) / 100;
    const timeout = AbortSignal.timeout(TIMEOUT_MS);
    try {
      const response = await new Promise<IncomingMessage>((resolve, reject) => {
        const outgoing = request(url, {
          method: 'POST',
          agent,
          headers: { 'content-type': 'application/json', 'content-length': body.byteLength, ...headers },
          signal: AbortSignal.any([timeout, signal]),
        });
        outgoing.on('response', resolve).on('error', reject).end(body);
      });
      const text = await readText(response);
      return { status: response.statusCode ?? null, ...readAnswer(text), ms: since() };
    } catch (error) {
      signal.throwIfAborted();
      return { status: null, answer: timeout.aborted ? 'timeout' : nameFault(error), id: null, ms: since() };
    }
  };
  return { post, close: () => agent.destroy() };
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER) break;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function readAnswer(text: string): Pick<Answer, 'answer' | 'id'> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return { answer: null, id: null };
    const { status, code, id } = value as Readonly<Record<string, unknown>>;
    return { answer: word(status) ?? word(code), id: word(id) };
  } catch {
    // Not one of our answers: a proxy's page, say.
    return { answer: null, id: null };
  }
}

/** Whatever answers may be a stranger, and its words are printed. */
function word(value: unknown): string | null {
  return typeof value === 'string' && /^[A-Za-z0-9_-]{1,64}$/.test(value) ? value : null;
}

/** Codes of Node, OpenSSL and the system: `ECONNREFUSED`. */
function nameFault(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? word(error.code) : null;
  return code ?? 'failed';
}
