import { SAMPLES } from '../events/samples.ts';
import type { Plan } from './shapes.ts';

export interface WorkspaceOptions {
  readonly id?: string;
  readonly name?: string;
  readonly ownerId?: string;
  readonly ownerName?: string;
}

export interface Owner {
  readonly workspaceId: string;
  readonly workspaceName: string;
  readonly userId: string;
  readonly userName: string;
}

const PLAN_IDS = { hypergrowth: 'pid_hg_v1', growth: 'pid_g_v1', none: null } as const satisfies Record<
  Plan,
  string | null
>;

export function readOwner({ id, name, ownerId, ownerName }: WorkspaceOptions): Owner {
  return {
    // That of the samples, so that what they tell is told of this workspace.
    workspaceId: id ?? String(SAMPLES.email_sent['workspace']),
    workspaceName: name ?? 'A workspace to try things on',
    userId: ownerId ?? '5f0c6a8e-3b1d-4a57-9c42-0e7d91b6f283',
    userName: ownerName ?? 'Jonas Brightloom',
  };
}

/** GET /workspaces/current. */
export function describeWorkspace(owner: Owner, plan: Plan, created: string): Readonly<Record<string, unknown>> {
  return {
    id: owner.workspaceId,
    timestamp_created: created,
    timestamp_updated: created,
    scheduled_for_removal_at: null,
    owner: owner.userId,
    name: owner.workspaceName,
    plan_id: PLAN_IDS[plan],
    plan_id_bundle: null,
    add_unsub_to_block: true,
    default_opportunity_value: null,
    plan_id_leadfinder: null,
    org_logo_url: null,
    org_client_domain: null,
    plan_id_crm: null,
    plan_id_website_visitor: null,
    plan_id_inbox_placement: null,
  };
}
