alter table refresh_tokens
  add column reference    binary(16)   null comment 'random, and part of every token of its session; null: a token of the earlier form, which has a row of its own',
  add column generation   int unsigned not null default 0 comment 'of the token whose digest this is: how often it was exchanged before',
  add column exchanged_at datetime(3)  null comment 'when it was last exchanged, in place; null: not yet, or of the earlier form',
  add unique key idx_refresh_token_reference (reference);
alter table refresh_tokens
  drop column updated_at,
  drop column last_used_at;
alter table refresh_tokens
  add column last_used_at datetime(3) as (coalesce(exchanged_at, spent_at)) virtual comment 'when it was last exchanged; null: not yet',
  add column updated_at datetime(3) as (greatest(created_at, coalesce(exchanged_at, spent_at, created_at), coalesce(revoked_at, created_at))) virtual comment 'when it was issued, exchanged or ended, whichever was last';
