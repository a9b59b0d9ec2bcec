drop table email_changes;

delete from email_tokens where purpose in ('confirm_old_email', 'confirm_new_email');

alter table email_tokens
  modify column purpose enum('verify_email', 'reset_password') not null comment 'what the token allows';
