drop table revocation_outbox;
