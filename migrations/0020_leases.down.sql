alter table users drop column ledger_version;

drop table leases;
