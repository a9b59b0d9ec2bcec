alter table ledger_lives
  add column slots text character set ascii collate ascii_bin null comment 'in which hash slots of a cluster, such as 0-5460 7000; null: whoever wrote the row knows no clusters, and all' after is_vouched,
  add column epoch bigint unsigned not null default 0 comment 'how new its claim to them was: of two in a cluster that claim a slot the greater one has it' after slots;
