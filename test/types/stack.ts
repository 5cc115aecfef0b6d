/** Checked by `tsc`: the middlewares of the webhook can be made, and so mounted, in their order alone. */
import type { RequestHandler } from 'express';
import type { AuthenticDelivery } from '../../src/authenticate/index.ts';
import type { RawBody } from '../../src/http/raw-body.ts';
import { createReceive, type ReceiveOptions } from '../../src/http/receive.ts';
import { createVerify, type Verify, type VerifyOptions } from '../../src/http/verify.ts';

declare const rawBody: RawBody;
declare const verify: Verify;
declare const parser: RequestHandler;
declare const look: { readonly body: Uint8Array; readonly principal: string };
declare const verifyOptions: VerifyOptions;
declare const options: ReceiveOptions;

createReceive(createVerify(rawBody, verifyOptions), options);

// @ts-expect-error: without verify.
createReceive(options);

// @ts-expect-error: with something else in its place.
createReceive(parser, options);

// @ts-expect-error: a body that is raw is not proven.
createReceive(rawBody, options);

// @ts-expect-error: with a middleware that proves nothing, however alike.
createReceive(Object.assign(parser, { of: () => ({ delivery: look, coding: undefined }) }), options);

// @ts-expect-error: verify without rawBody.
createVerify(parser, verifyOptions);

// @ts-expect-error: proven is what verify has proven.
const delivery: AuthenticDelivery = rawBody.of({} as never).body;

export { delivery, verify };
