/** Checked by `tsc` alone: each line below that must not compile says so, and fails the build on the day it does. */
import { type InstantlyTools, readInstantly } from '../../src/cli/with-instantly.ts';
import type { InstantlyReader } from '../../src/instantly/reader.ts';
import type { ReconcileOptions } from '../../src/instantly/reconcile-options.ts';
import type { InstantlyWriter } from '../../src/instantly/writer.ts';

declare const reader: InstantlyReader;
declare const writer: InstantlyWriter;
declare const tools: InstantlyTools;
declare const signal: AbortSignal;
declare function read(reader: InstantlyReader): void;
declare function write(writer: InstantlyWriter): void;

read(reader);
write(writer);

// @ts-expect-error: whoever reads cannot change anything.
reader.updateWebhook('id', {}, signal);

// @ts-expect-error: nor get at the account, and with it at the key.
reader.account;

// @ts-expect-error: one is not taken for the other.
write(reader);

// @ts-expect-error: nor the other for the one: no reading path is given the key for writing.
read(writer);

// @ts-expect-error: what only looks has no writer at hand.
tools.writer;

// @ts-expect-error: whatever it takes apart.
void readInstantly(async ({ writer: none }) => none);

// @ts-expect-error: fetching back what was missed takes what reads the log, and nothing that writes.
const reads: ReconcileOptions['reader'] = writer;

export { reads };
