create table audit_events (
  id         bigint unsigned not null auto_increment comment 'row number',
  at         datetime(3)     not null comment 'when it happened',
  event      varchar(64)     not null comment 'name from the OWASP logging vocabulary',
  user_id    bigint unsigned null comment 'whom it concerns; no foreign key, the trail outlives the user',
  session_id varchar(128) character set ascii collate ascii_bin null comment 'session it happened in',
  ip_address varchar(45)     null comment 'from where',
  user_agent varchar(512)    null comment 'with what, cut to 512 characters',
  request_id varchar(64)     null comment 'the request, as in the log',
  detail     json            not null comment 'what else is known; never a secret',
  primary key (id),
  key idx_audit_event_at (at),
  key idx_audit_event_user_id (user_id, id)
) engine = InnoDB default character set utf8mb4 collate utf8mb4_bin comment = 'who did what, when, from where';
