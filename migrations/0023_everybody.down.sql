update user_sessions s straight_join everybody e on s.created_at <= e.tokens_valid_after
   set s.is_active = false, s.ended_at = e.ended_at, s.ended_reason = 'admin'
 where s.is_active;
alter table user_sessions drop key idx_user_session_created_at;
drop table everybody;
