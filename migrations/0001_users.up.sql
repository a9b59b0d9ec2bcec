create table users (
  id                 bigint unsigned not null auto_increment comment 'the subject: in tokens as sub, in Redis behind the ledger prefix',
  email              varchar(254)    not null comment 'lower case; what a person logs in with',
  password_hash      varchar(255)    not null comment 'PHC string (argon2id), or bcrypt until the next login',
  first_name         varchar(100)    not null comment 'shown to the user only',
  last_name          varchar(100)    not null comment 'shown to the user only',
  role               enum('user', 'admin') not null default 'user' comment 'what the user may do',
  is_active          boolean         not null default true comment 'false: disabled, nothing of theirs is accepted',
  email_verified_at  datetime(3)     null comment 'when the address was proven; null: may not log in',
  tokens_valid_after datetime(3)     null comment 'watermark: what was issued up to here is dead',
  created_at         datetime(3)     not null comment 'when the account was made',
  updated_at         datetime(3)     not null comment 'when account, password or role last changed',
  primary key (id),
  unique key idx_user_email (email)
) engine = InnoDB default character set utf8mb4 collate utf8mb4_bin comment = 'who can log in';
