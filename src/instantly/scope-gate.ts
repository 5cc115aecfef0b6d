import type { KeyInUse } from '../config/settings.ts';
import { InstantlyApiError } from './api-error.ts';
import { API_USES } from './api-uses.ts';
import { identifyKey } from './identify-key.ts';
import { type Deployment, excessScopes, explainExcess } from './judge-scopes.ts';
import type { OperationName } from './operations.ts';
import type { ListedApiKey } from './schemas.ts';

/** A key that may do too much is replaced by another with these, and they tell what it may do. */
const LET_THROUGH: readonly OperationName[] = API_USES['secrets rotate --api-key'].operations;

export interface ScopeGateOptions {
  readonly used: KeyInUse;
  readonly deployment: Deployment;
  /** One after the other: the first that may list keys tells. */
  readonly listers: readonly ((signal: AbortSignal) => Promise<readonly ListedApiKey[]>)[];
}

/** With INSTANTLY_SCOPES=strict: keeps a key from being used that may do more than its environment may hold. */
export class ScopeGate {
  readonly #options: ScopeGateOptions;
  /** Once known it stays so: the scopes of a key cannot be changed. */
  #excess: readonly string[] | undefined;

  constructor(options: ScopeGateOptions) {
    this.#options = options;
  }

  /**
   * A key whose scopes cannot be known is let through; the service says so.
   *
   * @throws InstantlyApiError `excess-scopes`; or why Instantly cannot be asked now
   */
  async check(operation: OperationName, signal: AbortSignal): Promise<void> {
    if (LET_THROUGH.includes(operation)) return;
    const { used, deployment } = this.#options;
    this.#excess ??= await this.#find(signal);
    if (this.#excess.length === 0) return;
    const { setting } = used.key;
    const detail = explainExcess(used, this.#excess, deployment);
    throw new InstantlyApiError({ failure: 'excess-scopes', operation, setting, status: null, detail });
  }

  async #find(signal: AbortSignal): Promise<readonly string[]> {
    const { used, deployment, listers } = this.#options;
    for (const list of listers) {
      const listed = await list(signal).catch((error: unknown) => {
        // What is no fault of the moment tells nothing, today or tomorrow.
        if (error instanceof InstantlyApiError && !error.isPassing) return [];
        throw error;
      });
      const scopes = identifyKey(listed, used.key.secret)?.entry.scopes;
      if (scopes) return excessScopes({ scopes, purpose: used.purpose, deployment });
    }
    return [];
  }
}
