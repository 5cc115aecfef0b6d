import { randomBytes } from 'node:crypto';
import { newId } from '../../audit/new-id.ts';
import { isLoopbackHost } from '../../config/is-loopback.ts';
import { errnoCode } from '../../config/read-text-file.ts';
import type { Settings } from '../../config/settings.ts';
import { askUrl, type UrlAnswer } from './ask-url.ts';
import { type Check, type Finding, fail, ok, Skipped, skip, warn } from './check.ts';
import { type Context, isTrial, settingsOf } from './context.ts';
import { findRequest } from './find-request.ts';
import { showSpan } from './show-span.ts';

const DAY_MS = 86_400_000;
/** Before its end a certificate has been renewed where that goes by itself. */
const RENEWED_MS = 14 * DAY_MS;
const ENTRY_MS = 8_000;
const PROXY = 'look at the proxy in front, and at PUBLIC_URL';

/** Whether PUBLIC_URL leads to a receiver on this very store. */
export const publicUrlCheck: Check = {
  name: 'public url',
  needs: ['PUBLIC_URL', 'WEBHOOK_PATH', 'INSTANTLY_WEBHOOK_TOKEN_HEADER', 'INSTANTLY_API_URL'],
  run: async (context, signal) => {
    const settings = settingsOf(context);
    const { publicUrl } = settings;
    if (publicUrl === undefined) {
      throw new Skipped(
        'PUBLIC_URL is not set',
        'set it to where Instantly reaches this receiver, such as https://hooks.example.com',
      );
    }
    if (isTrial(context) && !isLoopbackHost(new URL(publicUrl).hostname)) {
      return [ok('it is a name only in a trial: a fake Instantly on this machine delivers to its own --deliver-to')];
    }
    const findings = judgeAddress(settings, publicUrl);
    let health: UrlAnswer;
    try {
      health = await askUrl({ url: `${publicUrl}/healthz`, method: 'GET' }, signal);
    } catch (error) {
      signal.throwIfAborted();
      return [...findings, unreachable(publicUrl, error)];
    }
    return [...findings, ...judgeCertificate(health), ...(await judgeTarget(context, settings, health, signal))];
  },
};

function judgeAddress({ instantly }: Settings, publicUrl: string): Finding[] {
  const isHere = isLoopbackHost(new URL(publicUrl).hostname);
  if (!isHere || isLoopbackHost(new URL(instantly.apiUrl).hostname)) return [];
  return [
    fail(
      `${publicUrl} is an address of this machine: Instantly cannot reach it`,
      'give the receiver an https address of its own (README.md, "Point Instantly at it")',
    ),
  ];
}

function unreachable(publicUrl: string, error: unknown): Finding {
  if (error instanceof Error && error.name === 'TimeoutError') {
    return fail(`${publicUrl} does not answer in time`, PROXY);
  }
  const code = errnoCode(error);
  if (/CERT|SIGNED|TLS|SSL/.test(code)) {
    return fail(
      `the certificate of ${publicUrl} is not accepted (${code})`,
      'have it issued for this host by an authority that is known everywhere, with its chain',
    );
  }
  return fail(
    `${publicUrl} cannot be reached (${code})`,
    'start the receiver and the proxy in front, and look at PUBLIC_URL',
  );
}

function judgeCertificate({ certificateEndsAt: endsAt }: UrlAnswer): Finding[] {
  if (endsAt === undefined) return [];
  const left = endsAt - Date.now();
  const until = new Date(endsAt).toISOString().slice(0, 10);
  if (left > RENEWED_MS) return [ok(`its certificate holds until ${until}`)];
  return [
    warn(`its certificate ends in ${showSpan(left)} (${until})`, 'renew it, and look why that does not go by itself'),
  ];
}

/** /healthz may be kept inside by the proxy, and any receiver answers it alike: the webhook's own path decides. */
async function judgeTarget(
  { opened }: Context,
  { authentication, instantly }: Settings,
  health: UrlAnswer,
  signal: AbortSignal,
): Promise<Finding[]> {
  const isHealthy = health.status === 200 && isHealth(health.text);
  const answers = isHealthy ? 'a receiver answers there' : `GET /healthz is answered ${health.status} there`;
  if (!('store' in opened) || instantly.webhookUrl === undefined) {
    const unknown = `${answers}; whether it is this one cannot be told without its store`;
    return [isHealthy ? skip(unknown, 'start the receiver once') : warn(unknown, PROXY)];
  }
  const requestId = `doctor-${newId()}`;
  const { cursor } = await opened.store.tailAudit(1);
  const refused = await askUrl(
    {
      url: instantly.webhookUrl,
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-request-id': requestId,
        [authentication.tokenHeader]: `doctor-${randomBytes(16).toString('hex')}`,
      },
      body: '{}',
    },
    signal,
  );
  const isOurs = [401, 429].includes(refused.status) && isProblem(refused);
  if (!isOurs) return [notRefused(instantly.webhookUrl, refused.status)];
  // A proxy in front may give each request an id of its own, which the answer has then.
  const ids = [requestId, String(refused.headers['x-request-id'] ?? requestId)];
  const sought = await findRequest(opened.store, { ids, after: cursor, withinMs: ENTRY_MS }, signal);
  return [judgeSought(sought, isHealthy)];
}

function judgeSought(sought: 'found' | 'counted' | 'absent', isHealthy: boolean): Finding {
  const refused = 'a receiver refuses a wrong token there';
  if (sought === 'found') {
    const inside = isHealthy ? '' : '; /healthz stays inside, which is well';
    return ok(`it leads to a receiver on this store: a request with a wrong token was refused and audited${inside}`);
  }
  if (sought === 'counted') {
    return warn(
      `${refused}; its entry in this store was counted with others, so that it is this one is likely and not proven`,
      'run it again in a minute',
    );
  }
  return fail(
    `${refused}, and this store has no entry of it within ${ENTRY_MS / 1_000} s: it is another installation`,
    "set PUBLIC_URL or DATABASE_URL to those of one and the same (or strangers' requests are only counted now, see AUDIT_ANONYMOUS_PER_MINUTE and MIN_FREE_DISK)",
  );
}

function notRefused(url: string, status: number): Finding {
  if (status >= 200 && status < 300) {
    return fail(`a request with a wrong token is answered ${status} at ${url}: that is no receiver of ours`, PROXY);
  }
  return fail(`a request with a wrong token is answered ${status} at ${url}, and a receiver would say 401`, PROXY);
}

function isProblem({ headers }: UrlAnswer): boolean {
  return headers['content-type']?.startsWith('application/problem+json') === true;
}

function isHealth(text: string): boolean {
  try {
    const said: unknown = JSON.parse(text);
    return JSON.stringify(said) === '{"status":"ok"}';
  } catch {
    return false;
  }
}
