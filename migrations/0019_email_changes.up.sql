alter table email_tokens
  modify column purpose enum('verify_email', 'reset_password', 'confirm_old_email', 'confirm_new_email') not null comment 'what the token allows';

create table email_changes (
  user_id          bigint unsigned not null comment 'whose address is to change; one change at a time',
  session_id       varchar(128) character set ascii collate ascii_bin not null comment 'the session that asked for it, which outlives it',
  new_email        varchar(254)    not null comment 'canonical; takes the place of the present one once both were confirmed',
  created_at       datetime(3)     not null comment 'when it was asked for',
  expires_at       datetime(3)     not null comment 'after this it has come to nothing',
  old_confirmed_at datetime(3)     null comment 'when whoever reads the mail of the present address confirmed it',
  new_confirmed_at datetime(3)     null comment 'the same for the new one',
  primary key (user_id),
  key idx_email_change_expires_at (expires_at),
  constraint fk_email_change_user foreign key (user_id) references users (id) on delete cascade
) engine = InnoDB default character set utf8mb4 collate utf8mb4_bin comment = 'changes of an address that wait to be confirmed at both ends';
