import { secretsInUse } from '../secrets-in-use.ts';
import { type Check, type Finding, fail, type Line, Skipped, skip } from './check.ts';
import type { Context } from './context.ts';

/** Characters from which on a secret is taken out of a message: a shorter one would take ordinary words with it. */
const LEAST_HIDDEN = 12;

/** Every check at once; each ends in time, whatever it does, and none keeps another from its end. */
export async function runChecks(
  checks: readonly Check[],
  context: Context,
  limitMs: number,
  signal: AbortSignal,
): Promise<Line[]> {
  const lines = await Promise.all(
    checks.map(async (check) => {
      const findings = await runCheck(check, context, limitMs, signal);
      return findings.map((finding) => ({ check: check.name, ...finding }));
    }),
  );
  signal.throwIfAborted();
  return lines.flat();
}

async function runCheck(
  check: Check,
  context: Context,
  limitMs: number,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const wrong = check.needs.filter((name) => context.examined.leftOut.has(name));
  if (wrong.length > 0) {
    return [skip(`it goes by ${wrong.join(' and ')}, which cannot be used`, 'mend what the lines "settings" name')];
  }
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(new Error(`it took longer than ${limitMs / 1_000} s`)), limitMs);
  const ended = AbortSignal.any([signal, limit.signal]);
  try {
    return await Promise.race([Promise.resolve().then(() => check.run(context, ended)), rejectOnAbort(ended)]);
  } catch (error) {
    if (error instanceof Skipped) return [skip(error.message, error.fix)];
    const message = error instanceof Error ? error.message : String(error);
    return [fail(`it could not be found out: ${withoutSecrets(message, context)}`, 'mend that, and run it again')];
  } finally {
    clearTimeout(timer);
  }
}

function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

/** An error that nobody foresaw may have been made of anything. */
function withoutSecrets(message: string, { examined: { settings } }: Context): string {
  if (settings === undefined) return message;
  const hidden = secretsInUse(settings).map((secret) => secret.reveal());
  return hidden
    .filter((text) => text.length >= LEAST_HIDDEN)
    .reduce((text, secret) => text.replaceAll(secret, '[secret]'), message);
}
