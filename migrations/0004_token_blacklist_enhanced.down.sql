drop table token_blacklist_enhanced;
