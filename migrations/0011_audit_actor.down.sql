alter table audit_events drop key idx_audit_event_by_user_id, drop column by_user_id;
