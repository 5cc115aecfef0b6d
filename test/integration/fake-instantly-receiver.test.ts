import { expect, test } from '@jest/globals';
import { SAMPLES } from '../../src/events/samples.ts';
import { startFakeInstantly } from '../../src/fake-instantly/start-fake-instantly.ts';
import { callFake } from '../support/call-fake.ts';
import { TOKEN } from '../support/credentials.ts';
import { startReceiver } from '../support/start-receiver.ts';

test('a receiver takes what it delivers, for a webhook of a public address', async () => {
  const receiver = await startReceiver();
  const fake = await startFakeInstantly({
    deliverTo: receiver.url,
    retryDelaysMs: [],
    webhooks: [
      {
        target_hook_url: `https://receiver.example${receiver.settings.webhookPath}`,
        event_type: 'all_events',
        headers: { 'x-webhook-secret': TOKEN },
      },
    ],
  });
  try {
    const id = fake.webhooks()[0]?.id ?? '';
    for (const type of Object.keys(SAMPLES)) {
      expect(await fake.emit(type)).toMatchObject([{ success: true, status_code: 200 }]);
    }
    for (const _ of ['new', 'a duplicate']) {
      expect((await callFake(fake, `POST /webhooks/${id}/test`)).body).toMatchObject({
        success: true,
        status_code: 200,
      });
    }
    const headers = { 'x-webhook-secret': 'of somebody else' };
    await callFake(fake, `PATCH /webhooks/${id}`, { body: { headers } });
    expect(await fake.emit('email_sent')).toMatchObject([{ success: false, status_code: 401 }]);
  } finally {
    await fake.close();
    await receiver.stop();
  }
});
