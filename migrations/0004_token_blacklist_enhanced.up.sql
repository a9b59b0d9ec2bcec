create table token_blacklist_enhanced (
  id             bigint unsigned not null auto_increment comment 'row number',
  token_hash     binary(32)      not null comment 'digest of the revoked token',
  token_type     enum('access', 'refresh') not null comment 'what kind of token it was',
  token_expiry   datetime(3)     not null comment 'when it would have died anyway; the row may go then',
  blacklisted_at datetime(3)     not null comment 'when it was revoked',
  reason         enum('logout', 'logout_all', 'revoked', 'evicted', 'replaced', 'token_reuse', 'password_change', 'password_reset', 'disabled', 'admin') not null comment 'why it was revoked',
  user_id        bigint unsigned null comment 'whose it was; no foreign key, a revocation outlives its user',
  session_id     varchar(128) character set ascii collate ascii_bin null comment 'the session it belonged to',
  device_info    json            null comment 'device that asked for the revocation',
  ip_address     varchar(45)     null comment 'address that asked for the revocation',
  primary key (id),
  unique key idx_blacklist_token_hash (token_hash),
  key idx_blacklist_token_expiry (token_expiry),
  key idx_blacklist_user_id (user_id, id)
) engine = InnoDB default character set utf8mb4 collate utf8mb4_bin comment = 'tokens that were ended one by one';
