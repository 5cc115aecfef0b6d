import { defineHandler } from 'instantly-webhook-receiver';

// An example. Put yours beside it and name them in kustomization.yaml; this one may go.
export default defineHandler({
  name: 'log-replies',
  events: ['reply_received', 'auto_reply_received'],
  ordered: false,

  handle(event, { logger }) {
    logger.info({ campaignId: event.payload.campaign_id, type: event.type }, 'a lead has replied');
  },
});
