import { api } from '../api/client';

export const outcomes = ['done', 'denied', 'refused'] as const;

/** An act that the audit keeps: what was administered, or what was denied. */
export interface AuditItem {
  id: string;
  at: string;
  /** Who, such as user:ann; empty: nobody was known. */
  actor: string;
  act: string;
  outcome: (typeof outcomes)[number];
  remote: string;
  /** How many equal acts it stands for. */
  count: number;
  details: Record<string, unknown>;
}

/** Actor and act exactly; times in UTC. */
export interface AuditFilter {
  actor?: string;
  act?: string;
  outcome?: string;
  since?: string;
  until?: string;
}

/** A page, the newest first; no nextCursor: it is the last. */
export async function readAudit(filter: AuditFilter, cursor: string | undefined, signal: AbortSignal) {
  const query = { ...filter, cursor, limit: 50 } as object;
  const { data } = await api.GET('/v1/audit' as '/v1/business-transactions', { params: { query }, signal });
  return data as unknown as { items: AuditItem[]; nextCursor?: string };
}
