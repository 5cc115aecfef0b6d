const RESOURCES = [
  'ai_agents',
  'api_keys',
  'audit_logs',
  'custom_prompt_templates',
  'account_campaign_mappings',
  'campaigns',
  'inbox_placement_tests',
  'inbox_placement_analytics',
  'inbox_placement_reports',
  'lead_lists',
  'leads',
  'background-jobs',
  'custom_tags',
  'custom_tag_mappings',
  'crm_actions',
  'accounts',
  'block_list_entries',
  'lead-labels',
  'emails',
  'email_templates',
  'workspaces',
  'workspace_billing',
  'workspace_group_members',
  'workspace_members',
  'subsequences',
  'ai_sdr',
  'ai_sdr_replies',
  'ai_inbox_manager_analytics',
  'sales_flows',
  'webhooks',
  'webhook_events',
  'security_tokens',
  'dfy_email_account_orders',
  'auth',
] as const;

const ACTIONS = ['all', 'create', 'read', 'update', 'delete'] as const;

/** Every scope a key may be given. */
export const SCOPES: readonly string[] = [
  ...['all', ...RESOURCES].flatMap((resource) => ACTIONS.map((action) => `${resource}:${action}`)),
  // The one resource that has not all five.
  'email_verifications:all',
  'email_verifications:create',
  'email_verifications:read',
];

/** Those of which one is enough for what needs `resource:action`. */
export function sufficientScopes(needed: string): readonly string[] {
  const [resource, action] = needed.split(':');
  return [needed, `${resource}:all`, `all:${action}`, 'all:all'];
}

export function holdsScope(held: readonly string[], needed: string): boolean {
  return sufficientScopes(needed).some((scope) => held.includes(scope));
}
