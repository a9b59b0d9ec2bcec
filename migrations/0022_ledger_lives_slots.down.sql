alter table ledger_lives drop column slots, drop column epoch;
