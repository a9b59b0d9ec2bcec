drop table ledger_lives;
