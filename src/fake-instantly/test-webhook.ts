import type { Poster } from './post-delivery.ts';
import type { JsonObject, Webhook } from './shapes.ts';

export interface TestAnswer {
  readonly success: boolean;
  readonly message: string;
  readonly response_time_ms: number;
  /** Absent, never null, where nothing answered. */
  readonly status_code?: number;
  readonly error?: string;
}

/** The same each time, so that whoever deduplicates takes the second for a duplicate. */
const TEST_PAYLOAD = {
  timestamp: '2026-01-01T00:00:00.000Z',
  campaign_id: '01234567-89ab-4def-8123-456789abcdef',
  campaign_name: 'Test Campaign',
  lead_email: 'test@example.com',
  email_account: 'sender@example.com',
  step: 1,
  variant: 1,
  is_first: true,
} as const;

/** POST /webhooks/{id}/test; answers whatever the state of the webhook, and changes nothing of it. */
export async function testWebhook(webhook: Webhook, poster: Poster, workspaceId: string): Promise<TestAnswer> {
  const { event_type: type } = webhook;
  const payload: JsonObject = {
    ...TEST_PAYLOAD,
    event_type: type === null || type === 'all_events' ? 'email_sent' : type,
    workspace: workspaceId,
  };
  const posted = await poster.post(webhook.target_hook_url, webhook.headers, JSON.stringify(payload));
  return {
    success: posted.success,
    message: posted.success ? 'Webhook test successful' : 'Webhook test failed',
    response_time_ms: posted.responseTimeMs ?? 0,
    ...(posted.statusCode === null ? {} : { status_code: posted.statusCode }),
    ...(posted.error === null ? {} : { error: posted.error }),
  };
}
