create table revocation_outbox (
  id           bigint unsigned not null auto_increment comment 'delivery order within one user',
  user_id      bigint unsigned not null comment 'whose ledger; no foreign key, a revocation outlives its user',
  change_set   json            not null comment 'what the ledger must be told: absolute times and digests',
  created_at   datetime(3)     not null comment 'when the change was committed',
  delivered_at datetime(3)     null comment 'when Redis confirmed it; kept a while to be told again',
  primary key (id),
  key idx_outbox_user_id (user_id, delivered_at, id),
  key idx_outbox_delivered_at (delivered_at, id)
) engine = InnoDB default character set utf8mb4 collate utf8mb4_bin comment = 'ledger changes, written in the transaction that decides them';
