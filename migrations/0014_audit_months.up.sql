set @months = concat(
  'alter table audit_events drop primary key, add primary key (id, at) partition by range columns (at) (partition earlier values less than (''',
  date_format(utc_timestamp() + interval 1 month, '%Y-%m-01'),
  '''), partition later values less than (maxvalue))');
prepare months from @months;
execute months;
deallocate prepare months;
