create table email_tokens (
  id         bigint unsigned not null auto_increment comment 'row number',
  user_id    bigint unsigned not null comment 'who got the mail',
  token_hash binary(32)      not null comment 'digest of the token in the mail',
  purpose    enum('verify_email', 'reset_password') not null comment 'what the token allows',
  created_at datetime(3)     not null comment 'when the mail was written',
  expires_at datetime(3)     not null comment 'last instant of use',
  used_at    datetime(3)     null comment 'when it was used or withdrawn; it works once',
  primary key (id),
  unique key idx_email_token_hash (token_hash),
  key idx_email_token_user_id (user_id, purpose),
  key idx_email_token_expires_at (expires_at),
  constraint fk_email_token_user foreign key (user_id) references users (id) on delete cascade
) engine = InnoDB default character set utf8mb4 collate utf8mb4_bin comment = 'single-use tokens sent by mail';
