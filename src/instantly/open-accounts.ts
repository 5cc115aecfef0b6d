import type { AuditDraft } from '../audit/entry.ts';
import { draft } from '../audit/make-draft.ts';
import type { ApiKey, InstantlySettings } from '../config/settings.ts';
import type { Endpoint } from './call-api.ts';
import { deploymentOf } from './judge-scopes.ts';
import { OPERATIONS } from './operations.ts';
import { Pacer } from './pacer.ts';
import { InstantlyReader } from './reader.ts';
import { ScopeGate } from './scope-gate.ts';
import { createSend } from './send-request.ts';
import { type AccountOptions, type ApiCall, ServiceAccount } from './service-account.ts';
import { InstantlyWriter } from './writer.ts';

/** A tenth of what the workspace may do. */
const CALLS_PER_SECOND = 10;

export interface Accounts {
  /** `undefined`: no key is set for it. */
  readonly reader: InstantlyReader | undefined;
  readonly writer: InstantlyWriter | undefined;
}

type AccountSettings = Pick<InstantlySettings, 'apiUrl' | 'readKey' | 'writeKey'> &
  Partial<Pick<InstantlySettings, 'asWorkspace' | 'proxy' | 'keys' | 'strictScopes' | 'nodeEnv'>>;

/**
 * @param onCall takes the audit entry of each request; its answer is not used before this has resolved
 * @param splitPage see {@link Endpoint}
 */
export function openAccounts(
  settings: AccountSettings,
  userId: string,
  onCall: (entry: AuditDraft) => void | Promise<void>,
  splitPage?: Endpoint['splitPage'],
): Accounts {
  const { apiUrl, asWorkspace, proxy, readKey, writeKey } = settings;
  const pacer = new Pacer(CALLS_PER_SECOND);
  const send = createSend(proxy);
  const way = { apiUrl, asWorkspace, via: proxy?.location, send, splitPage };
  const open = (key: ApiKey, more: Pick<AccountOptions, 'admit'> = {}): ServiceAccount =>
    new ServiceAccount({ ...way, ...more, key, pacer, onCall: (call) => onCall(callDraft(call, userId)) });
  const openGuarded = (key: ApiKey): ServiceAccount => {
    const used = settings.keys?.find((one) => one.key.secret.reveal() === key.secret.reveal());
    if (settings.strictScopes !== true || used === undefined) return open(key);
    const askers = [...new Set([readKey ?? key, key])].map((one) => new InstantlyReader(open(one)));
    const listers = askers.map((reader) => (signal: AbortSignal) => reader.apiKeys(signal));
    const gate = new ScopeGate({ used: { ...used, key }, deployment: deploymentOf(settings.nodeEnv), listers });
    return open(key, { admit: (operation, signal) => gate.check(operation, signal) });
  };
  return {
    reader: readKey && new InstantlyReader(openGuarded(readKey)),
    writer: writeKey && new InstantlyWriter(openGuarded(writeKey)),
  };
}

export function callDraft(call: ApiCall, userId: string): AuditDraft {
  const { operation, startedAt, reason, ...rest } = call;
  const { method, path } = OPERATIONS[operation];
  return draft({
    action: 'instantly.api.call',
    userId,
    resource: `/api/v2${path}`,
    result: reason === 'ok' ? 'success' : 'failure',
    metadata: { operation, method, reason, ...rest },
    at: startedAt,
  });
}
