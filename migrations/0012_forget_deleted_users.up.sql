update audit_events a
   left join users u on u.id = a.user_id
   set a.ip_address = null, a.user_agent = null
 where a.user_id is not null and u.id is null and (a.ip_address is not null or a.user_agent is not null);

update audit_events a
   left join users u on u.id = a.by_user_id
   set a.ip_address = null, a.user_agent = null
 where a.by_user_id is not null and u.id is null and (a.ip_address is not null or a.user_agent is not null);

update token_blacklist_enhanced b
   left join users u on u.id = b.user_id
   set b.device_info = null, b.ip_address = null
 where b.user_id is not null and u.id is null and (b.device_info is not null or b.ip_address is not null);

update token_blacklist_enhanced
   set device_info = null, ip_address = null
 where reason in ('admin', 'disabled') and (device_info is not null or ip_address is not null);

update revocation_outbox o
   left join users u on u.id = o.user_id
   set o.change_set = json_replace(o.change_set, '$[0].device', '')
 where u.id is null and json_extract(o.change_set, '$[0].device') is not null;
