/** Checked by `tsc`: each error expected here must occur, and nothing else may. */
import {
  defineHandler,
  type HandlerContext,
  type HandlerDefinition,
  type HandlerOf,
} from '../../src/events/define-handler.ts';
import type { CustomLabel, EventOf, InstantlyEvent } from '../../src/events/types.ts';

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

function same<A, B>(_equal: Same<A, B>): void {
  // Nothing to do when it runs: the parameter's type is the test.
}

const replies = defineHandler({
  name: 'replies',
  events: ['reply_received'],
  async handle(event, context) {
    same<typeof event, EventOf<'reply_received'>>(true);
    same<typeof event.payload.reply_text, string | undefined>(true);
    same<typeof context, HandlerContext>(true);
    await fetch('https://crm.example/replies', { method: 'POST', signal: context.signal });
    context.logger.info('told the CRM');
    context.logger.warn({ attempt: context.attempt }, 'slow');
    // @ts-expect-error TS2345: a message and fields come the other way round.
    context.logger.error('slow', { attempt: context.attempt });
    // @ts-expect-error TS2367: this handler gets replies only.
    return event.type === 'email_sent';
  },
});

const several = defineHandler({
  name: 'several',
  events: ['email_bounced', 'account_error', 'Asked for pricing'],
  ordered: false,
  handle(event) {
    same<typeof event.type, 'email_bounced' | 'account_error' | CustomLabel>(true);
    if (event.type === 'email_bounced') same<typeof event.payload.step, number | undefined>(true);
    if (event.type === 'account_error') same<(typeof event.payload)['lead_email'], unknown>(true);
    if (event.rawType === 'Asked for pricing') same<(typeof event.payload)['lead_email'], unknown>(true);
    if (event.type !== 'email_bounced' && event.type !== 'account_error') {
      same<typeof event.rawType, 'Asked for pricing'>(true);
      same<typeof event.payload.lead_email, string | undefined>(true);
    }
  },
});

const all = defineHandler({
  name: 'all',
  events: ['*'],
  handle(event) {
    same<typeof event, InstantlyEvent>(true);
    if (event.type === 'auto_reply_received') same<typeof event.payload.reply_html, string | undefined>(true);
  },
});

/** Types without an import of the function. */
const plain = {
  name: 'plain',
  events: ['lead_closed'],
  handle(event) {
    same<typeof event, EventOf<'lead_closed'>>(true);
  },
} satisfies HandlerOf<'lead_closed'>;

export const registry: readonly HandlerDefinition[] = [replies, several, all, plain];

defineHandler({
  name: 'misspelt',
  events: ['email_sent'],
  // @ts-expect-error TS2561: the option is called `ordered`.
  order: false,
  handle() {
    return undefined;
  },
});

// @ts-expect-error TS2345: a handler needs a name.
defineHandler({ events: ['email_sent'], handle: () => undefined });

// @ts-expect-error TS2345: a handler needs something to do.
defineHandler({ name: 'idle', events: ['email_sent'] });

// @ts-expect-error TS2322: `events` is a list.
defineHandler({ name: 'single', events: 'email_sent', handle: () => undefined });
