alter table refresh_tokens drop column updated_at, drop column last_used_at;
alter table user_sessions drop column last_ip_address;
