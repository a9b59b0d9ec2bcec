alter table audit_events remove partitioning;
alter table audit_events drop primary key, add primary key (id);
