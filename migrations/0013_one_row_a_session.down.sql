alter table refresh_tokens
  drop column updated_at,
  drop column last_used_at;
alter table refresh_tokens
  drop key idx_refresh_token_reference,
  drop column exchanged_at,
  drop column generation,
  drop column reference;
alter table refresh_tokens
  add column last_used_at datetime(3) as (spent_at) virtual comment 'when it was exchanged; null: not yet',
  add column updated_at datetime(3) as (greatest(created_at, coalesce(spent_at, created_at), coalesce(revoked_at, created_at))) virtual comment 'when it was issued, exchanged or ended, whichever was last';
