create table user_sessions (
  id               varchar(128) character set ascii collate ascii_bin not null comment 'session_ and 256 random bits, or an imported id',
  user_id          bigint unsigned not null comment 'whose session',
  device_info      json            not null comment 'fingerprint, browser, os, device as seen at login',
  ip_address       varchar(45)     not null comment 'client address at login',
  user_agent       varchar(512)    not null comment 'User-Agent at login, cut to 512 characters',
  is_active        boolean         not null default true comment 'false: ended; never becomes true again',
  last_activity    datetime(3)     not null comment 'last authenticated request, late by the touch interval at most',
  created_at       datetime(3)     not null comment 'when the login happened',
  authenticated_at datetime(3)     not null comment 'when the password was last given (auth_time)',
  expires_at       datetime(3)     not null comment 'absolute end, whatever the activity',
  idle_timeout_s   int unsigned    not null comment 'seconds without activity that end it; 0: no limit',
  ended_at         datetime(3)     null comment 'when it was ended early',
  ended_reason     enum('logout', 'logout_all', 'revoked', 'evicted', 'replaced', 'token_reuse', 'password_change', 'password_reset', 'disabled', 'admin') null comment 'why it was ended early',
  primary key (id),
  key idx_user_session_user_id (user_id, is_active, last_activity),
  key idx_user_session_expires_at (expires_at),
  constraint fk_user_session_user foreign key (user_id) references users (id) on delete cascade
) engine = InnoDB default character set utf8mb4 collate utf8mb4_bin comment = 'one row for each login; the truth behind a ledger''s sessions';
