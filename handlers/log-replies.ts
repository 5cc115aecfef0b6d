import { defineHandler } from 'instantly-webhook-receiver';

// An example: says in the log that somebody has replied, and nothing of who it was or what was written.

export default defineHandler({
  // Deliveries are kept under this name: change it, and it is another handler.
  name: 'log-replies',
  // `event` is typed by what stands here: these payloads have `reply_text`. Others: `['*']`, or the text of a custom label.
  events: ['reply_received', 'auto_reply_received'],
  // A line in the log need not wait for the lead's earlier ones.
  ordered: false,

  handle(event, { logger }) {
    // Instantly promises no field, so each may be undefined.
    const { campaign_id: campaignId, step, reply_text: text } = event.payload;
    const byMachine = event.type === 'auto_reply_received';
    logger.info({ campaignId, step, byMachine, characters: text?.length }, 'a lead has replied');
  },
});
