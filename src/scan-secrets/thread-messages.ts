import type { ScanKeys, Scanned } from './scan-content.ts';

export interface ThreadData extends ScanKeys {
  /** The text of `.secretlintignore`; empty where there is none. */
  readonly ignore: string;
}

export type Request =
  | {
      readonly kind: 'scan';
      readonly bytes: Uint8Array;
      /** The first is the one that rules go by. */
      readonly paths: readonly string[];
    }
  | { readonly kind: 'ignored'; readonly paths: readonly string[] };

export interface ScanReply extends Scanned {
  /** As they may be shown; empty where nothing was found. */
  readonly paths: readonly string[];
}

export type Reply =
  | ({ readonly kind: 'scanned'; readonly last: boolean } & ScanReply)
  | { readonly kind: 'ignored'; readonly ignored: readonly boolean[] }
  /** A rule threw. */
  | { readonly kind: 'failed' };
