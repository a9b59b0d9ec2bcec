create table ledger_lives (
  run_id       varchar(64) character set ascii collate ascii_bin not null comment 'names the life of a server that holds ledgers',
  ledgers_life varchar(64) character set ascii collate ascii_bin not null comment 'names the life of its ledgers, which has another name after a change of role',
  is_vouched   boolean     not null comment 'true: its ledgers were brought up to date, and those of no other server since',
  vouched_at   datetime(3) not null comment 'when they were',
  primary key (run_id)
) engine = InnoDB default character set utf8mb4 collate utf8mb4_bin comment = 'which of two servers that both call themselves primary is believed';
