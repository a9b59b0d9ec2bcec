alter table audit_events
  add column by_user_id bigint unsigned as (
    if(json_type(json_extract(detail, '$.by')) = 'INTEGER', cast(json_extract(detail, '$.by') as unsigned), null)
  ) virtual comment 'the administrator who did it, if it was one; their address goes with them',
  add key idx_audit_event_by_user_id (by_user_id, id);
