create table leases (
  work       varchar(64) character set ascii collate ascii_bin not null comment 'what one instance does at a time',
  holder     binary(16)  not null comment 'random, of whoever does it',
  expires_at datetime(3) not null comment 'by the database''s own clock; after this anybody may take it',
  primary key (work)
) engine = InnoDB default character set utf8mb4 collate utf8mb4_bin comment = 'work that one instance does at a time, wherever in a group of servers it is connected';

alter table users
  add column ledger_version bigint unsigned not null default 0 comment 'raised by whatever changes the ledger or is decided by this row: of two such changes one comes after the other, on whichever servers';
