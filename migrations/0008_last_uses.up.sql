alter table user_sessions
  add column last_ip_address varchar(45) null comment 'client address of the last authenticated request, late as last_activity is; null: none since the login';
alter table refresh_tokens
  add column last_used_at datetime(3) as (spent_at) virtual comment 'when it was exchanged; null: not yet',
  add column updated_at datetime(3) as (greatest(created_at, coalesce(spent_at, created_at), coalesce(revoked_at, created_at))) virtual comment 'when it was issued, exchanged or ended, whichever was last';
