/** Of `activity_type` in the workspace's audit log. Source: Instantly's API reference, August 2026. */
export const ACTIVITIES: Readonly<Record<number, string>> = {
  1: 'user logged in',
  2: 'leads deleted',
  3: 'campaign deleted',
  4: 'campaign launched',
  5: 'campaign paused',
  6: 'account added',
  7: 'account deleted',
  8: 'leads moved',
  9: 'leads added',
  10: 'leads merged',
  11: 'campaign updated',
  12: 'subsequence updated',
  18: 'webhook created',
  19: 'webhook updated',
  20: 'webhook disabled after failures',
  21: 'webhook resumed',
  37: 'API key created',
  38: 'API key deleted',
};

export const WEBHOOK_DISABLED = 20;
