import type { ApiKey, Settings } from '../../config/settings.ts';
import { KEYS_PAGE, lacksScope } from '../../instantly/api-error.ts';
import type { KeyPurpose } from '../../instantly/api-uses.ts';
import { type IdentifiedKey, identifyKey } from '../../instantly/identify-key.ts';
import { type Deployment, judgeScopes, rightScopes } from '../../instantly/judge-scopes.ts';
import type { ListedApiKey } from '../../instantly/schemas.ts';
import { type Check, type Finding, ok, skip, warn } from './check.ts';
import { type Context, deployment, instantlyOf, isTrial, settingsOf } from './context.ts';
import type { InstantlyLook } from './look-at-instantly.ts';
import { probeScopes } from './probe-scopes.ts';
import { failedCall } from './split-fault.ts';

interface KeyInUse {
  readonly key: ApiKey;
  readonly purpose: KeyPurpose;
}

/** Whether each key may do what it is for, and no more. */
export const apiKeysCheck: Check = {
  name: 'api keys',
  needs: ['DATABASE_URL', 'INSTANTLY_API_URL', 'INSTANTLY_API_KEY', 'INSTANTLY_READ_KEY', 'INSTANTLY_WRITE_KEY'],
  run: async (context, signal) => {
    const settings = settingsOf(context);
    const instantly = instantlyOf(context);
    await instantly.reach();
    if (isTrial(context)) return [ok('they are of a fake Instantly on this machine, and open no real workspace')];
    const findings: Finding[] = [];
    const listed = await list(instantly, findings);
    for (const used of keysInUse(settings)) {
      const identified = identifyKey(listed, used.key.secret);
      if (identified !== undefined) findings.push(...judge(used, identified, settings, deployment(context)));
      else findings.push(...(await judgeUnknown(used, instantly, context, signal)));
    }
    if (settings.instantly.writeKey === undefined) findings.push(withoutWriting(deployment(context)));
    return findings;
  },
};

async function list(instantly: InstantlyLook, findings: Finding[]): Promise<readonly ListedApiKey[]> {
  try {
    return await instantly.apiKeys();
  } catch (error) {
    const failed = failedCall(error);
    const unread = `${failed.found}, so the scopes of the keys cannot be read`;
    findings.push(lacksScope(error) ? { ...failed, status: 'warn', found: unread } : failed);
    return [];
  }
}

function keysInUse({ instantly: { readKey, writeKey } }: Settings): KeyInUse[] {
  if (readKey === undefined) return [];
  if (readKey.secret.reveal() === writeKey?.secret.reveal()) return [{ key: readKey, purpose: 'both' }];
  const reading: KeyInUse = { key: readKey, purpose: 'reading' };
  return writeKey === undefined ? [reading] : [reading, { key: writeKey, purpose: 'writing' }];
}

function judge(
  { key: { setting }, purpose }: KeyInUse,
  { entry: { scopes }, by }: IdentifiedKey,
  { instantly: { autoResume } }: Settings,
  where: Deployment,
): Finding[] {
  if (!scopes)
    return [warn(`the scopes of the key in ${setting} are not told by Instantly`, `see them at ${KEYS_PAGE}`)];
  const named = `the key in ${setting}${by === 'mask' ? ' (told by the ends of it that Instantly shows)' : ''}`;
  const findings = judgeScopes({ scopes, purpose, deployment: where, autoResume }).map(({ status, found }) => ({
    status,
    found: `${named} ${found}`,
    fix: status === 'ok' ? null : remedy(setting, purpose, where),
  }));
  const mayChange = scopes.some((scope) => !scope.endsWith(':read'));
  return purpose === 'both' && mayChange ? [...findings, oneForBoth(setting, where)] : findings;
}

function remedy(setting: ApiKey['setting'], purpose: KeyPurpose, where: Deployment): string {
  const right = rightScopes(purpose, where);
  if (right.length === 0) return `take ${setting} away: in ${where} nothing is to be changed`;
  return `make one at ${KEYS_PAGE} with ${right.join(', ')} and nothing else, set ${setting} to it, and delete the other`;
}

/** Whoever takes one that only reads can change nothing. */
function oneForBoth(setting: ApiKey['setting'], where: Deployment): Finding {
  const [reading, writing] = [rightScopes('reading', where).join(', '), rightScopes('writing', where).join(', ')];
  const second = writing === '' ? '' : `, and INSTANTLY_WRITE_KEY to one with ${writing}`;
  return warn(
    `the key in ${setting} both reads and writes; two are better`,
    `set INSTANTLY_READ_KEY to a key with ${reading}${second}`,
  );
}

/** What a key lacks can be seen by reading; what it has too much of cannot, nor anything of one that is for writing. */
async function judgeUnknown(
  { key: { setting }, purpose }: KeyInUse,
  { reader }: InstantlyLook,
  context: Context,
  signal: AbortSignal,
): Promise<Finding[]> {
  const where = deployment(context);
  const untold = skip(
    `the key in ${setting} is not to be told from others in Instantly's list, so what else it may do is not known`,
    `see at ${KEYS_PAGE} that it has ${rightScopes(purpose, where).join(', ') || 'nothing that changes anything'} and nothing else`,
  );
  if (purpose === 'writing') return [untold];
  const { lacking, allowed } = await probeScopes(reader, rightScopes('reading', where), signal);
  const findings = lacking.map((scope) =>
    warn(`the key in ${setting} lacks ${scope}, as a read has shown`, remedy(setting, purpose, where)),
  );
  if (allowed.length > 0) findings.push(ok(`the key in ${setting} may read (${allowed.join(', ')})`));
  return [...findings, untold];
}

function withoutWriting(where: Deployment): Finding {
  if (where === 'development') return ok('there is none for writing, as is right in development');
  return skip(
    'there is none for writing: a disabled webhook is not resumed, and no command can change the registration',
    `make one at ${KEYS_PAGE} with ${rightScopes('writing', where).join(', ')} and set INSTANTLY_WRITE_KEY to it`,
  );
}
