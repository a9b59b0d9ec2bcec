create table everybody (
  id                 tinyint unsigned not null comment 'always 1: there is one row',
  tokens_valid_after datetime(3)      null comment 'watermark of everybody: whatever session began up to here has ended; null: nobody has ended all of them',
  redis_valid_after  datetime(3)      null comment 'the same as Redis is told it, which takes no instant that is too far ahead',
  ended_at           datetime(3)      null comment 'when that was said',
  recorded_at        datetime(3)      null comment 'when each of these sessions was marked as ended; null: some are not yet',
  primary key (id)
) engine = InnoDB default character set utf8mb4 collate utf8mb4_bin comment = 'what holds for all users at once';
insert ignore into everybody (id) values (1);
alter table user_sessions add key idx_user_session_created_at (created_at);
